// SPDX-License-Identifier: Apache-2.0
#include "inlay/text/sentencepiece_bpe.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "inlay/text/text_decoder.hpp"
#include "tests/text/tiny_vocabulary.hpp"

using inlay::token_kind;
using inlay_test::tiny_vocabulary;
using ids = std::vector<inlay::token_id>;

namespace {

// <unk> <s> </s>, the 256 bytes (3 ... 258), then the given tokens with falling scores.
tiny_vocabulary sentencepiece(std::initializer_list<const char*> tokens) {
  tiny_vocabulary v;
  v.value.source = "tiny";
  v.value.model = "llama";
  v.add("<unk>", token_kind::unknown);
  v.add("<s>", token_kind::control);
  v.add("</s>", token_kind::control);
  const char* const digits = "0123456789ABCDEF";
  for (int b = 0; b < 256; ++b) v.add(std::string("<0x") + digits[b / 16] + digits[b % 16] + ">", token_kind::byte);
  v.value.scores.assign(259, 0.f);
  for (const char* t : tokens) {
    v.add(t);
    v.value.scores.push_back(-static_cast<float>(v.value.scores.size() - 258));
  }
  return v;
}

ids bytes(std::string_view text) {
  ids out;
  for (const char c : text) out.push_back(3 + static_cast<unsigned char>(c));
  return out;
}

}  // namespace

TEST_CASE("a space is put before the text and lost again in decoding") {
  auto t = sentencepiece({"\xE2\x96\x81", "a", "b",
                          "\xE2\x96\x81"
                          "a",
                          "ab"})
               .make();
  REQUIRE(t);
  const inlay::token_id space = 259, a = 260, b = 261, space_a = 262;
  CHECK(t->encode("a") == ids{space_a});
  CHECK(t->encode("ab") == ids{space_a, b});
  CHECK(t->encode(" a") == ids{space, space_a});
  CHECK(t->encode("a", {.place = inlay::text_place::inside}) == ids{a});
  CHECK(t->encode("\xE2\x96\x81"
                  "a",
                  {.place = inlay::text_place::inside}) == ids{space_a});
  CHECK(t->encode("").empty());
  CHECK(t->encode("a", {.add_special_tokens = true}) == ids{1, space_a});
  CHECK(inlay::decode(*t, t->encode("a ab")) == "a ab");
  CHECK(inlay::decode(*t, t->encode(" a")) == " a");
  CHECK(inlay::decode(*t, t->encode("a"), {.at_start = false}) == " a");
  CHECK(t->find(" a") == space_a);
}

TEST_CASE("pairs are joined by score, and from left to right among equals") {
  auto v = sentencepiece({"a", "b", "c", "ab", "bc", "abc", "aa", "aaa"});
  v.value.add_space_prefix = false;
  auto t = v.make();
  REQUIRE(t);
  const inlay::token_id a = 259, c = 261, ab = 262, abc = 264, aa = 265, aaa = 266;
  CHECK(t->encode("abc") == ids{abc});
  CHECK(t->encode("aaa") == ids{aaa});
  CHECK(t->encode("aaaa") == ids{aa, aa});
  CHECK(t->encode("aabc") == ids{a, abc});
  v.value.scores[264] = -100;  // abc: now aa and ab go first, but abc can still be made
  CHECK(v.make()->encode("abc") == ids{abc});
  v.value.scores[263] = 5;  // bc goes before ab, and a bc is abc
  CHECK(v.make()->encode("abc") == ids{abc});
  v.value.scores.assign(267, 0.f);
  CHECK(v.make()->encode("aab") == ids{aa, 260});
  v.value.scores.clear();
  CHECK(v.make()->encode("aab") == ids{aa, 260});
  v.value.scores.assign(267, 0.f);
  v.value.scores[262] = std::numeric_limits<float>::infinity();
  v.value.scores[265] = -std::numeric_limits<float>::infinity();
  CHECK(v.make()->encode("aabaa") == ids{a, ab, aa});
  CHECK(v.make()->encode("cab") == ids{c, ab});
  // The long path gives the same as the short one, repeated where no token lies across.
  v.value.scores.clear();
  ids many;
  std::string text;
  for (int i = 0; i < 100; ++i) text += "aab", many.insert(many.end(), {aa, 260});
  CHECK(v.make()->encode(text) == many);
}

TEST_CASE("characters without a token become bytes, or the unknown token without them") {
  auto v = sentencepiece({"a"});
  v.value.add_space_prefix = false;
  auto t = v.make();
  REQUIRE(t);
  CHECK(t->encode("\xE4\xB8\xAD") == bytes("\xE4\xB8\xAD"));
  CHECK(t->encode("\xFF\xC3(") == bytes("\xFF\xC3("));
  CHECK(t->encode(std::string_view("\0a", 2)) == ids{3, 259});
  CHECK(inlay::decode(*t, t->encode("\xE4\xB8\xAD a\n")) == "\xE4\xB8\xAD a\n");
  for (int i = 3; i < 259; ++i) v.value.types[static_cast<std::size_t>(i)] = static_cast<int>(token_kind::unused);
  t = v.make();
  REQUIRE(t);
  CHECK(t->encode("\xE4\xB8\xAD\xE4\xB8\xAD"
                  "a\xE4\xB8\xAD") == ids{0, 259, 0});
  v.value.unknown = -1;
  CHECK(v.make()->encode("\xE4\xB8\xAD"
                         "a") == ids{259});
}

TEST_CASE("names of control, byte and unknown tokens in the text are text") {
  auto v = sentencepiece({"<", "s", ">", "<s", "0", "x", "1", "<0", "<0x", "1>", "<0x1", "11", "<0x11"});
  v.value.add_space_prefix = false;
  auto t = v.make();
  REQUIRE(t);
  CHECK(t->encode("<s>") == ids{262, 261});
  CHECK(t->encode("<s>", {.specials = inlay::special_tokens::recognised}) == ids{1});
  CHECK(t->encode("<0x11>") == ids{269, 268});
  CHECK(t->encode("</s>") == ids{259, 3 + '/', 260, 261});
  CHECK(t->encode("<unk>").size() == 5);
  CHECK(t->find("<s>") == 1);
}

TEST_CASE("the space comes again after a control token") {
  auto t = sentencepiece({"\xE2\x96\x81", "a",
                          "\xE2\x96\x81"
                          "a"})
               .make();
  REQUIRE(t);
  CHECK(t->encode("a</s>a", {.specials = inlay::special_tokens::recognised}) == ids{261, 2, 261});
}

TEST_CASE("ten million times the same") {
  auto t = sentencepiece({"a", "aa", "aaaa"}).make();
  REQUIRE(t);
  CHECK(t->encode(std::string(10'000'000, 'a')).size() == 2'500'001);
  CHECK(t->encode(std::string(10'000'000, 'b')).size() == 10'000'001);
}

TEST_CASE("vocabularies that are wrong are refused with a reason") {
  auto v = sentencepiece({"a"});
  v.value.tokens[5] = "<0x1>";
  CHECK_FALSE(v.make());
  CHECK(v.why.find("token 5") != v.why.npos);
  v = sentencepiece({});
  const std::string text(2000, 'x');
  v.add(text);
  v.value.scores.clear();
  CHECK_FALSE(v.make());
  CHECK(v.why.find("2000 bytes") != v.why.npos);
  v = sentencepiece({"a"});
  v.value.scores[7] = std::numeric_limits<float>::quiet_NaN();
  CHECK_FALSE(v.make());
  CHECK(v.why.find("token 7") != v.why.npos);
}
