// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

#include "inlay/config/version.hpp"
#include "inlay/core/dtype.hpp"
#include "inlay/core/error.hpp"
#include "inlay/core/fixed_string.hpp"

static_assert(INLAY_VERSION_MAJOR >= 0 && INLAY_VERSION_MINOR >= 0 && INLAY_VERSION_PATCH >= 0);

// Every storage type has a name of its own and a block that holds something.
static_assert([] {
  for (std::size_t i = 0; i < inlay::dtype_count; ++i) {
    const auto type = static_cast<inlay::dtype>(i);
    if (inlay::name(type).empty() || inlay::geometry(type).weights == 0 || inlay::geometry(type).bytes == 0)
      return false;
    for (std::size_t j = 0; j < i; ++j)
      if (inlay::name(type) == inlay::name(static_cast<inlay::dtype>(j))) return false;
  }
  return true;
}());
static_assert(inlay::row_bytes(inlay::dtype::f32, 576) == 2304);
static_assert(inlay::row_bytes(inlay::dtype::bf16, 576) == 1152);
static_assert(inlay::row_bytes(inlay::dtype::q4_1, 576) == 360);
static_assert(inlay::row_bytes(inlay::dtype::q6_k, 2048) == 1680);
static_assert(inlay::is_float(inlay::dtype::f16) && !inlay::is_float(inlay::dtype::q8_0));

// A string as a template argument keeps its length and its characters.
template <inlay::fixed_string Text>
constexpr std::string_view text_of = Text;
static_assert(text_of<"norm"> == "norm");
static_assert(text_of<""> == "");

// A result converts from its value and from a failure, and from nothing else.
static_assert(std::is_constructible_v<inlay::result<int>, int>);
static_assert(std::is_convertible_v<inlay::unexpected<inlay::error>, inlay::result<int>>);
static_assert(!std::is_convertible_v<std::string, inlay::result<int>>);
static_assert(!std::is_convertible_v<inlay::result<int>, bool>);
