// SPDX-License-Identifier: Apache-2.0
#include "inlay/text/wordpiece.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "inlay/text/make_tokenizer.hpp"
#include "inlay/text/text_decoder.hpp"
#include "tests/text/tiny_vocabulary.hpp"

using inlay::token_kind;
using ids = std::vector<inlay::token_id>;

namespace {

// Enough of Unicode for these tests: everything is in its normal form, capitals are those of ASCII and U+00C9.
class few_forms final : public inlay::unicode_forms {
 public:
  void normalize(form, std::string_view text, std::string& out) const override { out += text; }
  char32_t lower(char32_t code) const noexcept override { return code == 0xC9 ? 0xE9 : code; }
};
const few_forms forms;

// [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, then the tokens.
inlay_test::tiny_vocabulary bert(std::initializer_list<const char*> tokens) {
  inlay_test::tiny_vocabulary v;
  v.value.model = "bert";
  for (const char* name : {"[PAD]", "[UNK]", "[CLS]", "[SEP]"}) v.add(name, token_kind::control);
  v.value.unknown = 1;
  v.value.bos = 2;
  v.value.separator = 3;
  for (const char* t : tokens) v.add(t);
  return v;
}

}  // namespace

TEST_CASE("the longest token from the left, marked by what it continues") {
  const auto v = bert({"\xE2\x96\x81un", "aff", "able", "a",
                       "\xE2\x96\x81"
                       "a",
                       "\xE2\x96\x81,", "\xE2\x96\x81\xC3\xA9"});
  const auto made = inlay::make_tokenizer(v.value, {.forms = &forms});
  REQUIRE(made);
  const inlay::tokenizer& t = **made;
  CHECK(t.encode("unaffable") == ids{4, 5, 6});
  CHECK(t.encode("Un, \t a\xC3\x89") == ids{4, 9, 1});  // a word that does not go up is unknown as a whole
  CHECK(t.encode("\xC3\x89") == ids{10});
  CHECK(t.encode("unaffablex a") == ids{1, 8});
  CHECK(t.encode("a,a") == ids{8, 9, 8});
  CHECK(t.encode("un", {.add_special_tokens = true}) == ids{2, 4, 3});
  CHECK(t.encode("[SEP]", {.specials = inlay::special_tokens::recognised}) == ids{3});
  CHECK(t.encode("[SEP]") == ids{1, 1, 1});
  CHECK(t.encode("").empty());
  CHECK(t.encode(" \n ").empty());
  CHECK(inlay::decode(t, ids{4, 5, 6, 9, 8}) == "unaffable , a");
}

TEST_CASE("words of more than a hundred characters are unknown") {
  const auto v =
      bert({"\xE2\x96\x81"
            "a",
            "a"});
  const auto made = inlay::make_tokenizer(v.value, {.forms = &forms});
  REQUIRE(made);
  CHECK((*made)->encode(std::string(100, 'a')).size() == 100);
  CHECK((*made)->encode(std::string(101, 'a')) == ids{1});
  CHECK((*made)->encode(std::string(10'000'000, 'a')) == ids{1});
  CHECK((*made)->encode(std::string(1'000'000, '.')).size() == 1'000'000);
}

TEST_CASE("ideographs are words, control characters and broken bytes vanish") {
  const auto v =
      bert({"\xE2\x96\x81"
            "a",
            "\xE2\x96\x81\xE4\xB8\xAD", "b"});
  const auto made = inlay::make_tokenizer(v.value, {.forms = &forms});
  REQUIRE(made);
  CHECK((*made)->encode("a\xE4\xB8\xAD\xE4\xB8\xAD"
                        "a") == ids{4, 5, 5, 4});
  CHECK((*made)->encode(std::string_view("a\0\x01\xFF"
                                         "b",
                                         5)) == ids{4, 6});
  CHECK((*made)->encode("a\xCC\x81"
                        "b") == ids{4, 6});  // an accent of its own
}

TEST_CASE("a vocabulary of BERT needs the tables of Unicode") {
  const auto made = inlay::make_tokenizer(bert({"a"}).value);
  REQUIRE_FALSE(made);
  CHECK(made.error().message.find("unicode_forms") != std::string::npos);
}
