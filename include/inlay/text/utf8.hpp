// SPDX-License-Identifier: Apache-2.0
// UTF-8, strictly: no overlong forms, no surrogates, nothing past U+10FFFF (RFC 3629).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace inlay::utf8 {

/// Stands for a byte that is not part of a well-formed character.
inline constexpr char32_t not_a_character = 0x110000;
inline constexpr std::string_view replacement = "\xEF\xBF\xBD";

struct decoded {
  char32_t code;       ///< not_a_character when the bytes are not well-formed
  std::uint32_t size;  ///< bytes; for ill-formed input those of the longest part a character could begin with
  bool truncated;      ///< ill-formed only because the text ends here
};

/// The character at the begin of [p, end), which must not be empty.
inline constexpr decoded decode(const char* p, const char* end) noexcept {
  const auto byte = [p](std::ptrdiff_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(p[i])); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, false};
  if (lead < 0xC2 || lead > 0xF4) return {not_a_character, 1, false};
  const std::uint32_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range excludes overlong forms, surrogates and what is past the end of Unicode.
  const std::uint32_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const std::uint32_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  std::uint32_t code = lead & (0x7Fu >> size);
  for (std::uint32_t i = 1; i < size; ++i) {
    if (end - p <= static_cast<std::ptrdiff_t>(i)) return {not_a_character, i, true};
    const std::uint32_t b = byte(i);
    if (b < (i == 1 ? low : 0x80u) || b > (i == 1 ? high : 0xBFu)) return {not_a_character, i, false};
    code = (code << 6) | (b & 0x3F);
  }
  return {code, size, false};
}

inline constexpr decoded decode(std::string_view text) noexcept {
  return decode(text.data(), text.data() + text.size());
}

/// The length of the longest prefix that is well-formed.
inline constexpr std::size_t valid_prefix(std::string_view text) noexcept {
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p != end) {
    if (static_cast<unsigned char>(*p) < 0x80) {
      ++p;
      continue;
    }
    const decoded d = decode(p, end);
    if (d.code == not_a_character) break;
    p += d.size;
  }
  return static_cast<std::size_t>(p - text.data());
}

/// Appends a character; `code` must be a Unicode scalar value.
inline void append(std::string& out, char32_t code) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(static_cast<unsigned char>(byte))); };
  const std::uint32_t c = code;
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6), put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 0x3F)), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  }
}

}  // namespace inlay::utf8
