// SPDX-License-Identifier: Apache-2.0
#include "inlay/text/utf8.hpp"

#include <doctest/doctest.h>

#include <string>

#include "inlay/text/unicode.hpp"

namespace utf8 = inlay::utf8;
using inlay::unicode::category;

TEST_CASE("every scalar value survives encoding and decoding") {
  int wrong = 0;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    utf8::append(text, c);
    const utf8::decoded d = utf8::decode(text);
    wrong += d.code != c || d.size != text.size() || d.truncated;
    for (std::size_t n = 1; n < text.size(); ++n) {
      const utf8::decoded part = utf8::decode(std::string_view(text).substr(0, n));
      wrong += part.code != utf8::not_a_character || !part.truncated || part.size != n;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("ill-formed bytes are recognised, with the length of what a character could begin with") {
  struct {
    std::string_view bytes;
    std::uint32_t size;
  } const cases[] = {{"\x80", 1},
                     {"\xC0\x80", 1},
                     {"\xC1\xBF", 1},
                     {"\xE0\x80\x80", 1},
                     {"\xED\xA0\x80", 1},
                     {"\xF0\x80\x80\x80", 1},
                     {"\xF4\x90\x80\x80", 1},
                     {"\xF5\x80", 1},
                     {"\xE2\x82(", 2},
                     {"\xF0\x9F\x98(", 3},
                     {"\xFF", 1},
                     {"\xC3(", 1}};
  for (const auto& c : cases) {
    const utf8::decoded d = utf8::decode(c.bytes);
    CHECK(d.code == utf8::not_a_character);
    CHECK(d.size == c.size);
    CHECK_FALSE(d.truncated);
  }
  CHECK(utf8::valid_prefix("abc\xE2\x82\xAC\xE2\x82") == 6);
  CHECK(utf8::valid_prefix("") == 0);
}

TEST_CASE("categories") {
  CHECK(inlay::unicode::category_of('a') == category::ll);
  CHECK(inlay::unicode::category_of(0x100) == category::lu);  // from here upper and lower case take turns
  CHECK(inlay::unicode::category_of(0x101) == category::ll);
  CHECK(inlay::unicode::category_of(0x1C5) == category::lt);
  CHECK(inlay::unicode::category_of(0x4E2D) == category::lo);
  CHECK(inlay::unicode::category_of(0x301) == category::mn);
  CHECK(inlay::unicode::category_of(0x660) == category::nd);
  CHECK(inlay::unicode::category_of(0x1F600) == category::s);
  CHECK(inlay::unicode::category_of(0x3000) == category::z);
  CHECK(inlay::unicode::category_of(0x85) == category::ws);
  CHECK(inlay::unicode::category_of(0x1B) == category::cc);
  CHECK(inlay::unicode::category_of(0x200B) == category::cf);
  CHECK(inlay::unicode::category_of(0x10FFFF) == category::co);
  CHECK(inlay::unicode::category_of(utf8::not_a_character) == category::co);
  CHECK(inlay::unicode::category_of(0xFFFFFFFF) == category::co);
  // Sizes of the sets in Unicode 16.
  int letters = 0, numbers = 0, marks = 0, spaces = 0, upper = 0;
  for (char32_t c = 0; c < 0x110000; ++c) {
    letters += inlay::unicode::is(inlay::unicode::letter, c);
    numbers += inlay::unicode::is(inlay::unicode::number, c);
    marks += inlay::unicode::is(inlay::unicode::mark, c);
    spaces += inlay::unicode::is(inlay::unicode::white_space, c);
    upper += inlay::unicode::category_of(c) == category::lu;
  }
  CHECK(letters == 141028);
  CHECK(numbers == 1911);
  CHECK(marks == 2501);
  CHECK(spaces == 25);
  CHECK(upper == 1858);
}
