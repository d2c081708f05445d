// SPDX-License-Identifier: Apache-2.0
// The normalization that SentencePiece compiles into its models: a double-array trie from texts to replacements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/text/utf8.hpp"

namespace inlay::detail {

/// Layout: u32 size of the trie in bytes, the trie as u32 units, the replacements, each ended by a NUL; little-endian.
/// A unit of the trie (Darts-clone): bits 0-7 and 31 the label, 8 whether a value follows, 9 whether the offset is in
/// units of 256, 10-30 the offset; of a value: bits 0-30.
class charsmap {
 public:
  charsmap() = default;

  /// errc::format when the sizes do not fit. What the trie's units say is checked as they are read.
  static result<charsmap> make(std::string_view bytes, std::string_view source) {
    charsmap out;
    if (bytes.empty()) return out;
    std::uint32_t size = 0;
    if (bytes.size() >= 4) std::memcpy(&size, bytes.data(), 4);
    if (bytes.size() < 4 || size % 4 != 0 || size == 0 || size > bytes.size() - 4)
      return fail(errc::format, concat(source, ": the precompiled map of characters is damaged."));
    out.units_.resize(size / 4);
    std::memcpy(out.units_.data(), bytes.data() + 4, size);
    out.texts_ = bytes.substr(4 + size);
    return out;
  }

  bool empty() const noexcept { return units_.empty(); }

  void apply(std::string& text) const {
    if (empty()) return;
    std::string out;
    out.reserve(text.size());
    for (std::string_view rest = text; !rest.empty();) {
      const auto [size, replacement] = longest(rest);
      if (size != 0) {
        out += replacement;
        rest.remove_prefix(size);
      } else {
        const std::size_t n = utf8::decode(rest).size;
        out += rest.substr(0, n);
        rest.remove_prefix(n);
      }
    }
    text.swap(out);
  }

 private:
  /// The longest text of the map that begins `text`, and what replaces it; size 0 if there is none.
  std::pair<std::size_t, std::string_view> longest(std::string_view text) const noexcept {
    std::pair<std::size_t, std::string_view> best{0, {}};
    std::size_t at = 0;
    std::uint32_t unit = units_[0];
    at ^= offset(unit);
    for (std::size_t i = 0; i < text.size() && text[i] != 0; ++i) {
      const auto label = static_cast<unsigned char>(text[i]);
      at ^= label;
      if (at >= units_.size()) break;
      unit = units_[at];
      if ((unit & 0x800000FFu) != label) break;
      at ^= offset(unit);
      if ((unit >> 8 & 1) == 0) continue;
      if (at >= units_.size()) break;
      const std::size_t value = units_[at] & 0x7FFFFFFF;
      if (value < texts_.size()) best = {i + 1, texts_.c_str() + value};
    }
    return best;
  }
  static std::size_t offset(std::uint32_t unit) noexcept { return (unit >> 10) << ((unit & (1u << 9)) >> 6); }

  std::vector<std::uint32_t> units_;
  std::string texts_;
};

}  // namespace inlay::detail
