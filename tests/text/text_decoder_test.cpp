// SPDX-License-Identifier: Apache-2.0
#include "inlay/text/text_decoder.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/text/tiny_vocabulary.hpp"

namespace {

// Pushes the bytes one token each and checks that nothing but whole characters ever comes out.
std::string stream(const inlay::tokenizer& t, std::string_view bytes) {
  inlay::text_decoder decoder(t);
  std::string out;
  for (const char c : bytes) {
    const std::string_view text = decoder.push(static_cast<unsigned char>(c));
    CHECK(inlay::utf8::valid_prefix(text) == text.size());
    out += text;
  }
  out += decoder.flush();
  return out;
}

}  // namespace

TEST_CASE("characters that are split over tokens come out whole") {
  auto t = inlay_test::tiny_vocabulary::byte_level({}).make();
  REQUIRE(t);
  inlay::text_decoder decoder(*t);
  CHECK(decoder.push(0xF0).empty());
  CHECK(decoder.push(0x9F).empty());
  CHECK(decoder.push(0x98).empty());
  CHECK(decoder.push(0x80) == "\xF0\x9F\x98\x80");
  CHECK(decoder.push('a') == "a");
  CHECK(decoder.flush().empty());
  for (const std::string_view text : {"plain", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\xA6\x99", "", "\xE4\xB8\xAD\xE6\x96\x87"})
    CHECK(stream(*t, text) == text);
}

TEST_CASE("what cannot become a character is replaced, once for each part that one could begin with") {
  auto t = inlay_test::tiny_vocabulary::byte_level({}).make();
  REQUIRE(t);
  const std::string r(inlay::utf8::replacement);
  CHECK(stream(*t,
               "a\xFF"
               "b") == "a" + r + "b");
  CHECK(stream(*t,
               "\xF0\x9F"
               "b") == r + "b");
  CHECK(stream(*t, "\xF0\x9F\xF0\x9F\x98\x80") == r + "\xF0\x9F\x98\x80");
  CHECK(stream(*t, "\xED\xA0\x80") == r + r + r);
  CHECK(stream(*t, "\xE2\x82") == r);
  CHECK(stream(*t, "\x80\x80x") == r + r + "x");
}

TEST_CASE("a token may hold the end of one character and the begin of the next") {
  auto v = inlay_test::tiny_vocabulary::byte_level({});
  const auto both = v.add(inlay_test::tiny_vocabulary::letter(0xA9) + "x" + inlay_test::tiny_vocabulary::letter(0xC3));
  auto t = v.make();
  REQUIRE(t);
  inlay::text_decoder decoder(*t);
  CHECK(decoder.push(0xC3).empty());
  CHECK(decoder.push(both) == "\xC3\xA9x");
  CHECK(decoder.push(0xA9) == "\xC3\xA9");
  CHECK(decoder.push(0xC3).empty());
  CHECK(decoder.flush() == inlay::utf8::replacement);
  CHECK(decoder.push('z') == "z");  // and starts anew
}

TEST_CASE("control tokens give their names only when asked for") {
  auto v = inlay_test::tiny_vocabulary::byte_level({});
  const auto end = v.add("<|end|>", inlay::token_kind::control);
  auto t = v.make();
  REQUIRE(t);
  const std::vector<inlay::token_id> ids{'a', end, 'b', 9999, -1};
  CHECK(inlay::decode(*t, ids) == "ab");
  CHECK(inlay::decode(*t, ids, {.control_tokens = true}) == "a<|end|>b");
}
