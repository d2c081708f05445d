// SPDX-License-Identifier: Apache-2.0
// Names and sizes out of a file that nobody vouches for.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace inlay::detail {

/// A name from a file, fit for a message: in quotes, without control characters, of bounded length.
inline std::string in_quotes(std::string_view name) {
  constexpr std::size_t longest = 120;
  std::string out = "'";
  for (const char c : name.substr(0, longest)) out += (c >= 0 && c < ' ') || c == 127 ? '?' : c;
  return out += name.size() > longest ? "...'" : "'";
}

/// product *= factor; false, with the product unchanged, where that does not fit.
[[nodiscard]] constexpr bool multiply(std::uint64_t& product, std::uint64_t factor) {
  if (factor != 0 && product > std::numeric_limits<std::uint64_t>::max() / factor) return false;
  product *= factor;
  return true;
}

}  // namespace inlay::detail
