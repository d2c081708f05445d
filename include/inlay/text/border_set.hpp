// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "inlay/text/utf8.hpp"

namespace inlay::detail {

/// Which pairs of bytes stand next to each other, over the border of two characters, in any token. Text can be cut
/// where no token could lie across, which makes short parts out of it, and short parts are quick.
class border_set {
 public:
  void add(std::string_view token) {
    const char* const end = token.data() + token.size();
    for (const char* p = token.data(); p != end;) {
      p += utf8::decode(p, end).size;
      if (p != end) pairs_[byte(p[-1])][byte(p[0]) / 64] |= std::uint64_t{1} << byte(p[0]) % 64;
    }
  }
  bool contains(char left, char right) const noexcept {
    return (pairs_[byte(left)][byte(right) / 64] >> byte(right) % 64 & 1) != 0;
  }

 private:
  static std::size_t byte(char c) noexcept { return static_cast<unsigned char>(c); }
  std::array<std::array<std::uint64_t, 4>, 256> pairs_{};
};

}  // namespace inlay::detail
