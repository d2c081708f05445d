// SPDX-License-Identifier: Apache-2.0
// A string usable as a template argument.
#pragma once

#include <cstddef>
#include <string_view>

namespace inlay {

template <std::size_t Size>
struct fixed_string {
  char text[Size]{};

  consteval fixed_string(const char (&literal)[Size]) {  // NOLINT(google-explicit-constructor)
    for (std::size_t i = 0; i < Size; ++i) text[i] = literal[i];
  }
  constexpr operator std::string_view() const { return {text, Size - 1}; }  // NOLINT(google-explicit-constructor)
};

}  // namespace inlay
