// SPDX-License-Identifier: Apache-2.0
// Which kind of character a code point is. Sets of categories are bit masks, as in regular expressions' \p{...}.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "inlay/text/unicode_table.hpp"

namespace inlay::unicode {

/// General categories; punctuation, symbols and separators are not divided further. `ws` are the control characters
/// that are white space. `co` is everything without a character: private use, surrogates, unassigned, ill-formed.
enum class category : unsigned char { lu, ll, lt, lm, lo, mn, mc, me, nd, nl, no, p, s, z, ws, cc, cf, co };

/// A set of categories.
using set = std::uint32_t;

template <class... Categories>
constexpr set any_of(Categories... categories) {
  return ((set{1} << static_cast<unsigned>(categories)) | ...);
}

inline constexpr set letter = any_of(category::lu, category::ll, category::lt, category::lm, category::lo);
inline constexpr set mark = any_of(category::mn, category::mc, category::me);
inline constexpr set number = any_of(category::nd, category::nl, category::no);
inline constexpr set white_space = any_of(category::z, category::ws);

namespace detail {

inline constexpr std::uint32_t even_upper = 18, odd_upper = 19;  // pseudo-categories of the table

/// For each 256 code points, the range that holds the first of them.
inline constexpr auto block_begin = [] {
  std::array<std::uint16_t, (0x110000 >> 8) + 1> out{};
  std::size_t range = 0;
  for (std::uint32_t block = 0; block < out.size(); ++block) {
    while (range + 1 < std::size(category_ranges) && category_ranges[range + 1] >> 5 <= block << 8) ++range;
    out[block] = static_cast<std::uint16_t>(range);
  }
  return out;
}();

constexpr category look_up(char32_t code) noexcept {
  if (code > 0x10FFFF) return category::co;
  std::uint32_t low = block_begin[code >> 8], high = block_begin[(code >> 8) + 1];
  while (low < high) {
    const std::uint32_t middle = (low + high + 1) / 2;
    if (category_ranges[middle] >> 5 <= code)
      low = middle;
    else
      high = middle - 1;
  }
  const std::uint32_t found = category_ranges[low] & 31;
  if (found == even_upper) return code % 2 == 0 ? category::lu : category::ll;
  if (found == odd_upper) return code % 2 == 0 ? category::ll : category::lu;
  return static_cast<category>(found);
}

inline constexpr auto first_categories = [] {
  std::array<category, 0x250> out{};  // Latin, which alternates in case most often
  for (std::uint32_t code = 0; code < out.size(); ++code) out[code] = look_up(code);
  return out;
}();

}  // namespace detail

/// Any value is allowed; what is not a code point is `co`.
constexpr category category_of(char32_t code) noexcept {
  return code < detail::first_categories.size() ? detail::first_categories[code] : detail::look_up(code);
}

constexpr bool is(set categories, category c) noexcept { return (categories >> static_cast<unsigned>(c) & 1) != 0; }
constexpr bool is(set categories, char32_t code) noexcept { return is(categories, category_of(code)); }

}  // namespace inlay::unicode
