// SPDX-License-Identifier: Apache-2.0
#include "inlay/text/unigram.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "inlay/text/text_decoder.hpp"
#include "tests/text/tiny_vocabulary.hpp"

using inlay::token_kind;
using inlay_test::tiny_vocabulary;
using ids = std::vector<inlay::token_id>;

namespace {

// <pad> 0, </s> 1, <unk> 2, then the tokens with their scores.
tiny_vocabulary unigram(std::initializer_list<std::pair<const char*, float>> tokens) {
  tiny_vocabulary v;
  v.value.source = "tiny";
  v.value.model = "t5";
  v.add("<pad>", token_kind::control);
  v.add("</s>", token_kind::control);
  v.add("<unk>", token_kind::unknown);
  v.value.scores.assign(3, 0.f);
  for (const auto& [text, score] : tokens) {
    v.add(text);
    v.value.scores.push_back(score);
  }
  v.value.add_space_prefix = false;
  return v;
}

void put(std::string& bytes, std::uint32_t value) {
  char raw[4];
  std::memcpy(raw, &value, 4);
  bytes.append(raw, 4);
}

}  // namespace

TEST_CASE("the cut with the highest sum of scores") {
  auto t = unigram({{"a", -1}, {"b", -1}, {"c", -1}, {"ab", -1.5f}, {"bc", -1.25f}, {"abc", -3}}).make();
  REQUIRE(t);
  const inlay::token_id a = 3, b = 4, c = 5, ab = 6, bc = 7;
  CHECK(t->encode("abc") == ids{a, bc});
  CHECK(t->encode("abab") == ids{ab, ab});
  CHECK(t->encode("cba") == ids{c, b, a});
  CHECK(t->encode("").empty());
  CHECK(t->encode("ab", {.add_special_tokens = true}) == ids{ab, 1});
}

TEST_CASE("characters without a token") {
  auto v = unigram({{"a", -1}, {"\xE2\x96\x81", -2}});
  auto t = v.make();
  REQUIRE(t);
  CHECK(t->encode("xyza\xFFz") == ids{2, 3, 2});
  CHECK(t->encode("x  y") == ids{2, 4, 2});  // of two spaces one is left
  CHECK(t->encode("</s>") == ids{2});
  CHECK(t->encode("</s>", {.specials = inlay::special_tokens::recognised}) == ids{1});
  v.value.unknown = -1;
  CHECK(v.make()->encode("xa") == ids{3});
}

TEST_CASE("ten million times the same") {
  auto t = unigram({{"a", -1}, {"aa", -1.5f}, {"aaa", -1.75f}}).make();
  REQUIRE(t);
  CHECK(t->encode(std::string(10'000'000, 'a')).size() == 3'333'334);
  CHECK(t->encode(std::string(10'000'000, 'x')) == ids{2});
}

TEST_CASE("vocabularies that are wrong are refused with a reason") {
  auto v = unigram({{"a", -1}});
  v.value.scores.clear();
  CHECK_FALSE(v.make());
  CHECK(v.why.find("no scores") != v.why.npos);
  v = unigram({});
  v.add(std::string(2000, 'x'));
  v.value.scores.push_back(0);
  CHECK_FALSE(v.make());
  CHECK(v.why.find("2000 bytes") != v.why.npos);
}

TEST_CASE("a damaged map of characters does no harm") {
  auto v = unigram({{"a", -1}});
  const auto with = [&](const std::string& map) {
    v.value.precompiled_charsmap = {reinterpret_cast<const std::uint8_t*>(map.data()), map.size()};
    return v.make();
  };
  CHECK_FALSE(with("abc"));
  std::string map;
  put(map, 8);
  put(map, 0);
  CHECK_FALSE(with(map));  // eight bytes announced, four there
  CHECK(v.why.find("damaged") != v.why.npos);
  // Units that point anywhere.
  std::uint64_t state = 3;
  for (int round = 0; round < 300; ++round) {
    map.clear();
    put(map, 400);
    for (int i = 0; i < 100 + round % 5; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      auto unit = static_cast<std::uint32_t>(state >> 32);
      if (round % 2 == 0) unit = (unit & 0x1FFu) | (unit >> 24 & 0x7Fu) << 10;  // near, and often a label
      put(map, unit);
    }
    auto t = with(map);
    REQUIRE(t);
    CHECK(t->encode("abc \xE4\xB8\xAD\xFF xyz 0123456789").size() < 100);
  }
}
