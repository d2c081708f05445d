// SPDX-License-Identifier: Apache-2.0
#include "inlay/text/byte_level_bpe.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "inlay/text/text_decoder.hpp"
#include "tests/text/tiny_vocabulary.hpp"

using inlay_test::tiny_vocabulary;
using ids = std::vector<inlay::token_id>;

TEST_CASE("the alphabet of GPT-2 is a bijection of the bytes") {
  bool seen[256] = {};
  for (char32_t c = 0; c < 1000; ++c)
    if (const int b = inlay::detail::byte_of_alphabet(c); b >= 0) {
      CHECK_FALSE(seen[b]);
      seen[b] = true;
    }
  for (const bool s : seen) CHECK(s);
  CHECK(inlay::detail::byte_of_alphabet(0x120) == ' ');
  CHECK(inlay::detail::byte_of_alphabet(0x10A) == '\n');
}

TEST_CASE("merges go by rank, and from left to right among equals") {
  auto t = tiny_vocabulary::byte_level({{"b", "c"}, {"a", "b"}, {"bc", "d"}, {"a", "a"}, {"aa", "aa"}}).make();
  REQUIRE(t);
  CHECK(t->encode("abc") == ids{'a', 256});
  CHECK(t->encode("abd") == ids{257, 'd'});
  CHECK(t->encode("abcd") == ids{'a', 258});
  CHECK(t->encode("aaa") == ids{259, 'a'});
  CHECK(t->encode("aaaaa") == ids{260, 'a'});
  CHECK(t->encode("").empty());
  // Longer than the short path handles.
  for (std::size_t n = 30; n < 60; ++n) {
    const ids out = t->encode(std::string(n, 'a') + "bcd");
    ids expected(n / 4, 260);
    if (n % 4 >= 2) expected.push_back(259);
    if (n % 2 == 1) expected.push_back('a');
    expected.push_back(258);
    CHECK(out == expected);
  }
}

TEST_CASE("a merge of lower rank that a merge makes possible goes before the rest of its own rank") {
  // "xy" has the highest rank number, but "xy z" the lowest: each xyz is joined before the next x y.
  auto v = tiny_vocabulary::byte_level({{"xy", "z"}, {"y", "x"}, {"x", "y"}});
  v.value.tokens.erase(v.value.tokens.begin() + 258);  // "xyz" and "yx" and "xy" in this order
  v.value.types.pop_back();
  v.add("xy");
  auto t = v.make();
  REQUIRE(t);
  CHECK(t->encode("xyzxyz") == ids{256, 256});
  std::string text;
  for (int i = 0; i < 50; ++i) text += "xyz";
  CHECK(t->encode(text) == ids(50, 256));
}

TEST_CASE("control tokens in the text are text unless asked for, the user's tokens are always taken") {
  auto v = tiny_vocabulary::byte_level({});
  const auto end = v.add("<|im_end|>", inlay::token_kind::control);
  const auto think = v.add("<think>", inlay::token_kind::user_defined);
  const auto longer = v.add("<think>!", inlay::token_kind::user_defined);
  auto t = v.make();
  REQUIRE(t);
  CHECK(t->find("<|im_end|>") == end);
  CHECK(t->find("a") == 'a');
  CHECK_FALSE(t->find("no such token"));
  CHECK(t->is_control(end));
  CHECK_FALSE(t->is_control(think));
  CHECK_FALSE(t->is_control(-5));
  const ids as_text = t->encode("a<|im_end|>");
  CHECK(as_text.size() == 11);
  for (const auto id : as_text) CHECK(id < 256);
  CHECK(t->encode("a<|im_end|>", {.specials = inlay::special_tokens::recognised}) == ids{'a', end});
  CHECK(t->encode("<think>a<think>!<think") == ids{think, 'a', longer, '<', 't', 'h', 'i', 'n', 'k'});
}

TEST_CASE("a control token cannot be made by merges or found as a whole word") {
  auto v = tiny_vocabulary::byte_level({}, "llama-bpe");
  const auto end = v.add("ab", inlay::token_kind::control);
  v.value.merges.push_back("a b");
  auto t = v.make();
  REQUIRE(t);
  CHECK(t->encode("ab") == ids{'a', 'b'});
  CHECK(t->encode("ab", {.specials = inlay::special_tokens::recognised}) == ids{end});
}

TEST_CASE("a vocabulary of Llama 3 takes whole words and begins with BOS") {
  auto v = tiny_vocabulary::byte_level({{"a", "b"}}, "llama-bpe");
  const auto whole = v.add("abab");
  const auto bos = v.add("<bos>", inlay::token_kind::control);
  v.value.bos = bos;
  auto t = v.make();
  REQUIRE(t);
  CHECK(t->encode("abab") == ids{whole});
  CHECK(t->encode("ababab") == ids{256, 256, 256});
  CHECK(t->encode("ab", {.add_special_tokens = true}) == ids{bos, 256});
  v.value.add_bos = false;
  v.value.add_eos = true;
  v.value.eos = bos;
  t = v.make();
  REQUIRE(t);
  CHECK(t->encode("ab", {.add_special_tokens = true}) == ids{256, bos});
}

TEST_CASE("any bytes come back as they were") {
  auto t = tiny_vocabulary::byte_level({{"a", "b"}, {"\xC4\xA0", "a"}}).make();  // the second: space, a
  REQUIRE(t);
  std::uint64_t state = 1;
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (int i = 0; i < round % 90; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      text.push_back(static_cast<char>(static_cast<unsigned char>(state >> 56)));
    }
    std::string back;
    for (const auto id : t->encode(text)) back += t->piece(id);
    REQUIRE(back == text);
  }
  std::string zeros("a\0\0b", 4), back;
  for (const auto id : t->encode(zeros)) back += t->piece(id);
  CHECK(back == zeros);
}

TEST_CASE("ten million times the same letter, space or line end") {
  auto t = tiny_vocabulary::byte_level({{"a", "a"}, {"aa", "aa"}, {"\xC4\xA0", "\xC4\xA0"}}, "llama-bpe").make();
  REQUIRE(t);
  for (const char c : {'a', ' ', '\n', '1', '!', '\x80'}) {
    const std::string text(10'000'000, c);
    const ids out = t->encode(text);
    std::size_t bytes = 0;
    for (const auto id : out) bytes += t->piece(id).size();
    CHECK(bytes == text.size());
  }
}

TEST_CASE("bytes that the vocabulary does not have are left out, as in the reference") {
  tiny_vocabulary v;
  v.value.model = "gpt2";
  v.value.pre = "gpt-2";
  v.add("a");
  auto t = v.make();
  REQUIRE(t);
  CHECK(t->encode("bab") == ids{0});
  v.value.unknown = v.add("<unk>", inlay::token_kind::unknown);
  t = v.make();
  REQUIRE(t);
  CHECK(t->encode("bab") == ids{0});
  CHECK(t->encode("<unk>").empty());
}

TEST_CASE("vocabularies that are wrong are refused with a reason") {
  const auto why = [](auto change) {
    auto v = tiny_vocabulary::byte_level({{"a", "b"}});
    change(v);
    const bool made = v.make() != nullptr;
    CHECK_FALSE(made);
    return v.why;
  };
  const auto contains = [](const std::string& text, std::string_view part) { return text.find(part) != text.npos; };
  CHECK(contains(why([](auto& v) { v.value.model = "gpt9"; }), "\"gpt9\""));
  CHECK(contains(why([](auto& v) { v.value.pre = "nobody's"; }), "\"nobody's\""));
  CHECK(contains(why([](auto& v) { v.value.pre = ""; }), "tokenizer.ggml.pre"));
  CHECK(contains(why([](auto& v) { v.value.tokens.clear(); }), "no tokens"));
  CHECK(contains(why([](auto& v) { v.value.types.pop_back(); }), "257 tokens, but 256"));
  CHECK(contains(why([](auto& v) { v.value.types[3] = 7; }), "token 3"));
  CHECK(contains(why([](auto& v) { v.value.types[3] = -1; }), "token 3"));
  CHECK(contains(why([](auto& v) { v.value.scores.assign(3, 0.f); }), "3 scores"));
  CHECK(contains(why([](auto& v) {
                   v.value.scores.assign(257, 0.f);
                   v.value.scores[9] = std::numeric_limits<float>::quiet_NaN();
                 }),
                 "token 9 is NaN"));
  CHECK(contains(why([](auto& v) { v.value.merges.push_back(""); }), "merge 1"));
  CHECK(contains(why([](auto& v) { v.value.merges.push_back("ab"); }), "merge 1"));
  CHECK(contains(why([](auto& v) { v.value.merges.push_back("a "); }), "merge 1"));
  CHECK(contains(why([](auto& v) { v.value.merges.push_back(" a"); }), "merge 1"));
  CHECK(contains(why([](auto& v) { v.value.merges.push_back("b b"); }), "\"bb\" is not in the vocabulary"));
  CHECK(contains(why([](auto& v) { v.value.bos = 257; }), "bos"));
  CHECK(contains(why([](auto& v) { v.value.eos = -2; }), "eos"));
  CHECK(contains(why([](auto& v) { v.value.padding = std::int64_t{1} << 40; }), "padding"));
  CHECK(contains(why([](auto& v) { v.add(std::string(600, 'x'), inlay::token_kind::control); }), "600 bytes"));
  auto v = tiny_vocabulary::byte_level({});
  v.value.padding = 0xFFFFFFFF;  // how converters write "none"
  auto t = v.make();
  REQUIRE(t);
  CHECK_FALSE(t->specials().padding);
}

TEST_CASE("tokens that are empty, equal or no text") {
  auto v = tiny_vocabulary::byte_level({{"a", "b"}});
  v.add("");
  v.add("", inlay::token_kind::control);
  v.add("ab");        // again
  v.add("\xFF\xFE");  // not UTF-8
  v.add(std::string("\0\0", 2), inlay::token_kind::user_defined);
  auto t = v.make();
  REQUIRE(t);
  CHECK(t->encode("ab") == ids{256});
  CHECK(t->encode(std::string_view("a\0\0b", 4)) == ids{'a', 261, 'b'});
  CHECK(t->piece(257).empty());
  CHECK(t->piece(260) == "\xFF\xFE");
}
