// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

#include "inlay/text/utf8.hpp"

namespace inlay::detail {

/// What Python's str.strip removes.
constexpr bool is_strippable(char32_t c) noexcept {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/// Where the last character of a text that is not empty begins; for ill-formed text a place not far from the end.
constexpr std::size_t last_character(std::string_view text) noexcept {
  std::size_t i = text.size() - 1;
  while (i != 0 && text.size() - i < 4 && (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80) --i;
  return i;
}

constexpr std::string_view strip_left(std::string_view text) noexcept {
  while (!text.empty()) {
    const utf8::decoded d = utf8::decode(text);
    if (!is_strippable(d.code)) break;
    text.remove_prefix(d.size);
  }
  return text;
}

constexpr std::string_view strip_right(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t last = last_character(text);
    if (!is_strippable(utf8::decode(text.substr(last)).code)) break;
    text = text.substr(0, last);
  }
  return text;
}

/// The text without the white space around it, as Python and Jinja see white space.
constexpr std::string_view strip(std::string_view text) noexcept { return strip_right(strip_left(text)); }

}  // namespace inlay::detail
