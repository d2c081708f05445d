// SPDX-License-Identifier: Apache-2.0
#include "inlay/text/tokenizer_json.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "inlay/text/make_tokenizer.hpp"
#include "inlay/text/text_decoder.hpp"
#include "inlay/text/vocabulary.hpp"
#include "tests/text/reference_cases.hpp"

using inlay_test::ids;
using inlay_test::options;
using inlay_test::read;

namespace {

using inlay_test::compare;

std::size_t compare(const std::string& tokenizer_path, const std::string& cases_path) {
  CAPTURE(tokenizer_path);
  auto made = inlay::tokenizer_from_json(read(tokenizer_path), tokenizer_path, options());
  if (!made) FAIL(made.error().message);
  return compare(**made, cases_path);
}

}  // namespace

namespace {

std::string why(std::string_view json) {
  const auto made = inlay::tokenizer_from_json(json, "bad.json", options());
  if (made) return "";
  CHECK(made.error().message.starts_with("bad.json"));
  return made.error().message;
}

// A tokenizer.json around the members of its model, and more members beside it.
std::string with(std::string_view model, std::string_view more = "") {
  return inlay::concat(R"({"model":{"type":"BPE",)", model, "}", more.empty() ? "" : ",", more, "}");
}
std::string with_vocabulary(std::string_view more) {
  return with(R"("vocab":{"a":0,"b":1,"ab":2},"merges":["a b"])", more);
}
constexpr std::string_view bytes_cut =
    R"("pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true})";

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

}  // namespace

TEST_CASE("small tokenizers of each kind give the ids of the reference") {
  for (const char* name : {"gpt2", "smollm", "llama3", "qwen2", "tekken", "gpt4o", "llama2", "gemma", "gemma4",
                           "metaspace", "unknown", "unigram", "unigram_bytes", "unigram_t5", "unigram_xlmr"}) {
    const std::string path = std::string(INLAY_TEST_DATA "/text/") + name;
    compare(path + ".tokenizer.json", path + ".cases.jsonl");
  }
}

#ifdef INLAY_TEST_UTF8PROC
TEST_CASE("and those whose texts are normalized") {
  for (const char* name : {"qwen3", "qwen35", "bert", "unigram_albert"}) {
    const std::string path = std::string(INLAY_TEST_DATA "/text/") + name;
    compare(path + ".tokenizer.json", path + ".cases.jsonl");
  }
}
#endif

// To compare with many texts on a published tokenizer: see tests/reference/tokenizers.py.
TEST_CASE("a tokenizer and texts that the environment names") {
  const char* tokenizer = std::getenv("INLAY_TOKENIZER");
  const char* cases = std::getenv("INLAY_TOKENIZER_CASES");
  if (tokenizer != nullptr && cases != nullptr) MESSAGE(compare(tokenizer, cases) << " texts");
}

TEST_CASE("a token that is not written in the alphabet of bytes does not come from text") {
  const auto made = inlay::tokenizer_from_json(
      with(R"("vocab":{"\u2122":0,"\u00E2":1,"\u0126":2,"\u00A2":3,"\u00E2\u0126":4,"\u00E2\u0126\u00A2":5},)"
           R"("merges":["\u00E2 \u0126","\u00E2\u0126 \u00A2"])",
           bytes_cut),
      "alphabet.json");
  REQUIRE(made);
  CHECK((*made)->encode("\xE2\x84\xA2") == ids{5});
  CHECK((*made)->piece(0) == "\xE2\x84\xA2");
}

TEST_CASE("bytes without a token are the unknown token, if the model names one") {
  const auto with_unknown =
      inlay::tokenizer_from_json(with(R"("vocab":{"<unk>":0,"a":1},"unk_token":"<unk>")", bytes_cut), "unk.json");
  REQUIRE(with_unknown);
  CHECK((*with_unknown)->encode("bab") == ids{0, 1, 0});
  const auto without = inlay::tokenizer_from_json(with(R"("vocab":{"a":0})", bytes_cut), "unk.json");
  REQUIRE(without);
  CHECK((*without)->encode("bab") == ids{0});
}

TEST_CASE("a cut that keeps what it matches is the cut into words") {
  for (const char* how : {R"("Isolated","invert":false)", R"("Isolated","invert":true)", R"("Removed","invert":true)"})
    CHECK(why(with_vocabulary(inlay::concat(
                  R"("pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":)",
                  R"("[^\\n]+|[\\n]+"},"behavior":)", how, "},", bytes_cut.substr(bytes_cut.find('{')), "]}")))
              .empty());
  CHECK_FALSE(why(with_vocabulary(R"("pre_tokenizer":{"type":"Split","pattern":{"Regex":"[^\\n]+|[\\n]+"},)"
                                  R"("behavior":"Removed","invert":false})"))
                  .empty());
}

TEST_CASE("a vocabulary with merges of characters gives the same from GGUF") {
  const auto document = nlohmann::json::parse(read(INLAY_TEST_DATA "/text/gemma4.tokenizer.json"), nullptr, false);
  REQUIRE(document.is_object());
  inlay::vocabulary v;
  v.model = "gemma4";
  std::vector<std::string> tokens(document["model"]["vocab"].size()), merges;
  for (const auto& [text, id] : document["model"]["vocab"].items()) tokens[id.get<std::size_t>()] = text;
  for (const auto& m : document["model"]["merges"])
    merges.push_back(m[0].get<std::string>() + " " + m[1].get<std::string>());
  v.types.assign(tokens.size(), 1);
  for (std::size_t i = 0; i < tokens.size(); ++i)
    if (inlay::detail::byte_of_token(tokens[i]) >= 0) v.types[i] = 6;
  for (const auto& a : document["added_tokens"]) v.types[a["id"].get<std::size_t>()] = 3;
  v.tokens.assign(tokens.begin(), tokens.end());
  v.merges.assign(merges.begin(), merges.end());
  v.bos = 1;
  const auto made = inlay::make_tokenizer(v);
  if (!made) FAIL(made.error().message);
  compare(**made, INLAY_TEST_DATA "/text/gemma4.cases.jsonl");
}

TEST_CASE("vocabularies of SentencePiece give the ids of SentencePiece") {
  for (const char* name : {"spm_bpe", "spm_unigram"}) {
    CAPTURE(name);
    const auto document =
        nlohmann::json::parse(read(inlay::concat(INLAY_TEST_DATA "/text/", name, ".json")), nullptr, false);
    REQUIRE(document.is_object());
    inlay::vocabulary v;
    v.model = document["model"].get<std::string>();
    for (const auto& token : document["tokens"]) v.tokens.push_back(token.get_ref<const std::string&>());
    v.scores = document["scores"].get<std::vector<float>>();
    v.types = document["types"].get<std::vector<std::int32_t>>();
    std::string map;
    REQUIRE(inlay::detail::decode_base64(document["charsmap"].get<std::string>(), map));
    v.precompiled_charsmap = {reinterpret_cast<const std::uint8_t*>(map.data()), map.size()};
    v.unknown = 0;
    v.bos = 1;
    v.eos = 2;
    v.padding = -1;
    const auto made = inlay::make_tokenizer(v);
    if (!made) FAIL(made.error().message);
    std::size_t wrong = 0;
    for (const auto& c : document["cases"])
      if ((*made)->encode(c[0].get<std::string>()) != c[1].get<ids>() && ++wrong <= 10)
        MESSAGE("differs: " << c.dump());
    CHECK(document["cases"].size() > 300);
    CHECK(wrong == 0);
  }
}

TEST_CASE("files that are no tokenizer are refused with a reason") {
  CHECK(contains(why(""), "JSON"));
  CHECK(contains(why("{"), "JSON"));
  CHECK(contains(why("[]"), "object"));
  CHECK(contains(why("17"), "object"));
  CHECK(contains(why("{}"), "\"model\""));
  CHECK(contains(why(R"({"model":[]})"), "\"model\""));
  CHECK(contains(why(R"({"model":{}})"), "no tokens"));
  CHECK(contains(why(R"({"model":{"type":"BPE","vocab":{"\xFF":0}}})"), "JSON"));
  CHECK(contains(why(R"({"model":{"type":"Nonsense","vocab":{"a":0}}})"), "\"Nonsense\""));
  CHECK(contains(why(std::string(100'000, '[')), "deeper"));
  std::string nested = R"({"normalizer":)";
  for (int i = 0; i < 100; ++i) nested += R"({"type":"Sequence","normalizers":[)";
  CHECK(contains(why(nested), "deeper"));
}

TEST_CASE("vocabularies and merges that are wrong are refused with a reason") {
  CHECK(contains(why(with(R"("vocab":{"a":0,"b":"1"})")), "vocabulary"));
  CHECK(contains(why(with(R"("vocab":{"a":0,"b":1.5})")), "vocabulary"));
  CHECK(contains(why(with(R"("vocab":{"a":0,"b":null})")), "vocabulary"));
  CHECK(contains(why(with(R"("vocab":{"a":0,"b":{}})")), "vocabulary"));
  CHECK(contains(why(with(R"("vocab":{"a":0,"b":[]})")), "vocabulary"));
  CHECK(contains(why(with(R"("vocab":{"a":-1})")), "out of range"));
  CHECK(contains(why(with(R"("vocab":{"a":2000000000})")), "out of range"));
  CHECK(contains(why(with(R"("vocab":{"a":18446744073709551615})")), "out of range"));
  CHECK(contains(why(with(R"("vocab":{"a":0,"b":0})")), "two tokens"));
  CHECK(contains(why(with(R"("vocab":{"a":0},"vocab":{"b":1})")), "twice"));
  CHECK(contains(why(with(R"("vocab":[["a",1]])")), "scores"));
  CHECK(contains(why(with(R"("vocab":[["a"]])")), "vocabulary"));
  CHECK(contains(why(with(R"("vocab":[["a",1,2]])")), "vocabulary"));
  CHECK(contains(why(with(R"("vocab":[[1,"a"]])")), "vocabulary"));
  CHECK(contains(why(with(R"("vocab":["a"])")), "vocabulary"));
  for (const char* merges : {R"(["ab"])", R"(["a b c"])", R"([["a"]])", R"([["a","b","c"]])", R"([["a",1]])",
                             R"([[["a"],"b"]])", R"([7])", R"([{}])", R"([null])"})
    CHECK(contains(why(with(inlay::concat(R"("vocab":{"a":0,"b":1,"ab":2},"merges":)", merges))), "merge"));
  CHECK(contains(why(with(R"("vocab":{"a":0,"b":1},"merges":["a b"])")), "\"ab\" is not in the vocabulary"));
  CHECK(contains(why(with(R"("vocab":{"a":0,"b":1},"merges":["a "])")), "merge 0"));
  CHECK(contains(why(with(R"("vocab":{"a":0},"unk_token":"<unk>")")), "\"<unk>\""));
  CHECK(contains(why(with(R"("vocab":{"a":0},"end_of_word_suffix":"</w>")")), "</w>"));
  CHECK(contains(why(with(R"("vocab":{"a":0},"dropout":0.1)")), "dropout"));
}

TEST_CASE("what is around the model must be known") {
  CHECK(why(with_vocabulary(bytes_cut)).empty());
  CHECK(contains(why(with_vocabulary(R"("pre_tokenizer":{"type":"Magic"})")), "\"Magic\""));
  CHECK(contains(why(with_vocabulary(R"("pre_tokenizer":{})")), "pre-tokenizer"));
  CHECK(contains(why(with_vocabulary(R"("pre_tokenizer":7)")), "pre-tokenizer"));
  CHECK(contains(
      why(with_vocabulary(R"("pre_tokenizer":{"type":"Split","pattern":{"Regex":"x+"},"behavior":"Isolated"})")),
      "x+"));
  CHECK(contains(why(with_vocabulary(R"("pre_tokenizer":{"type":"Split","pattern":{"Regex":7}})")), "pattern"));
  CHECK(contains(why(with_vocabulary(R"("normalizer":{"type":"Magic"})")), "\"Magic\""));
  CHECK(contains(why(with_vocabulary(R"("normalizer":{"type":"Replace","pattern":{"Regex":"x"},"content":""})")),
                 "Replace"));
  CHECK(contains(why(with_vocabulary(R"("post_processor":{"type":"Magic"})")), "\"Magic\""));
  CHECK(contains(why(with_vocabulary(R"("post_processor":{"type":"TemplateProcessing"})")), "single"));
  CHECK(contains(
      why(with_vocabulary(
          R"("post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}}]})")),
      "\"<s>\""));
  CHECK(contains(why(with_vocabulary(R"("added_tokens":{})")), "added_tokens"));
  CHECK(contains(why(with_vocabulary(R"("added_tokens":[7])")), "added token 0"));
  CHECK(contains(why(with_vocabulary(R"("added_tokens":[{"content":"x"}])")), "added token 0"));
  CHECK(contains(why(with_vocabulary(R"("added_tokens":[{"content":"x","id":1e3}])")), "added token 0"));
  CHECK(contains(why(with_vocabulary(R"("added_tokens":[{"content":"x","id":99999}])")), "out of range"));
  CHECK(contains(
      why(with_vocabulary(inlay::concat(R"("added_tokens":[{"id":3,"content":")", std::string(600, 'x'), R"("}])"))),
      "600 bytes"));
}

TEST_CASE("normal forms need a library, or the caller's word that they may be left out") {
  const std::string json = with_vocabulary(inlay::concat(R"("normalizer":{"type":"NFC"},)", bytes_cut));
  const auto without = inlay::tokenizer_from_json(json, "nfc.json");
  REQUIRE_FALSE(without);
  CHECK(contains(without.error().message, "unicode_forms"));
  const auto skipped = inlay::tokenizer_from_json(json, "nfc.json", {.skip_normal_forms = true});
  REQUIRE(skipped);
  CHECK((*skipped)->encode("ab") == ids{2});
  CHECK_FALSE(inlay::tokenizer_from_json(with_vocabulary(R"("normalizer":{"type":"Lowercase"})"), "lower.json",
                                         {.skip_normal_forms = true}));
}

TEST_CASE("added tokens: white space around, words, ids of their own") {
  const auto made = inlay::tokenizer_from_json(
      with_vocabulary(inlay::concat(R"("added_tokens":[{"id":5,"content":"<l>","lstrip":true,"special":true},)",
                                    R"({"id":6,"content":"<r>","rstrip":true,"normalized":false},)",
                                    R"({"id":7,"content":"ba","single_word":true}],)", bytes_cut)),
      "added.json");
  REQUIRE(made);
  const inlay::tokenizer& t = **made;
  CHECK(t.size() == 8);
  CHECK(t.piece(3).empty());
  CHECK(t.kind(3) == inlay::token_kind::unused);
  CHECK(t.is_control(5));
  CHECK(t.kind(6) == inlay::token_kind::user_defined);
  const inlay::encode_options recognised{.specials = inlay::special_tokens::recognised};
  CHECK(t.encode("a \n <l>b", recognised) == ids{0, 5, 1});
  CHECK(t.encode("a<r> \xE3\x80\x80 b") == ids{0, 6, 1});
  CHECK(t.encode("ba", recognised) == ids{7});
  CHECK(t.encode("bab") == ids{1, 2});
  CHECK(t.encode("b<r>ba<r>") == ids{1, 6, 7, 6});
}
