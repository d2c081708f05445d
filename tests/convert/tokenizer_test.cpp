// SPDX-License-Identifier: Apache-2.0
// A tokenizer.json through the metadata of a GGUF and back gives the same ids.
#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/convert/tokenizer_round_trip.hpp"

using namespace inlay;
using namespace inlay_test;

TEST_CASE("byte-level BPE") {
  for (const char* name : {"gpt2", "llama3", "qwen3", "qwen35", "tekken", "gpt4o", "smollm"}) there_and_back(name);
}

TEST_CASE("Qwen's cut of text that is not brought into NFC") {
  auto document = nlohmann::json::parse(read(text_file("qwen2.tokenizer.json")));
  REQUIRE(document["normalizer"].is_null());
  for (auto& token : document["added_tokens"]) token["rstrip"] = false;  // which a GGUF has no key for
  const temporary_folder folder;
  std::ofstream(folder / "changed.json") << document.dump();
  there_and_back(folder / "changed.json", text_file("qwen2.cases.jsonl"));
}

TEST_CASE("characters merged by rank") { there_and_back("gemma4"); }

// A space before a text that begins with one is put there or not: the GGUF's note says so.
TEST_CASE("Unigram") { there_and_back("unigram_bytes", true); }

#ifdef INLAY_TEST_UTF8PROC
TEST_CASE("WordPiece") { there_and_back("bert"); }
#endif

TEST_CASE("the tokens of a WordPiece keep their roles") {
  const std::string original = read(text_file("bert.tokenizer.json"));
  const auto document = nlohmann::json::parse(original);
  auto processing = document, other_words = document, bare = document, capitals = document;
  processing["post_processor"] = {{"type", "BertProcessing"}, {"sep", {"[SEP]", 3}}, {"cls", {"[CLS]", 2}}};
  bare["post_processor"] = nullptr;
  other_words["pre_tokenizer"] = {{"type", "WhitespaceSplit"}};
  capitals["normalizer"]["lowercase"] = false;
  const auto converted = [](const nlohmann::json& tokenizer, const temporary_folder& folder) {
    std::ofstream(folder / "changed.json") << tokenizer.dump();
    return to_gguf(folder, folder / "changed.json");
  };
  for (const nlohmann::json& tokenizer : {document, processing}) {
    const temporary_folder folder;
    const auto gguf = converted(tokenizer, folder);
    REQUIRE_MESSAGE(gguf.has_value(), gguf.error().message);
    const auto file = open_checkpoint(*gguf);
    REQUIRE(file.has_value());
    const auto v = vocabulary_from_gguf(*file->gguf());
    REQUIRE(v.has_value());
    CHECK(v->padding == 0);
    CHECK(v->unknown == 1);
    CHECK(v->bos == 2);
    CHECK(v->classify == 2);
    CHECK(v->separator == 3);
    CHECK(v->mask == 4);
    const auto back = detail::tokenizer_to_json(*v).make();
    REQUIRE(back.has_value());
    CHECK((*back)["model"]["unk_token"] == "[UNK]");
    CHECK((*back)["model"]["vocab"] == document["model"]["vocab"]);
    CHECK((*back)["post_processor"] == processing["post_processor"]);
  }
  for (const nlohmann::json& tokenizer : {bare, other_words, capitals}) {
    const temporary_folder folder;
    const auto gguf = converted(tokenizer, folder);
    REQUIRE_FALSE(gguf.has_value());
    CHECK(gguf.error().code == errc::unsupported);
  }
}

// The BPE of llama2.tokenizer.json lacks merges that its tokens allow; by score they would be merged.
TEST_CASE("what a GGUF cannot say is refused") {
  for (const char* name :
       {"unknown.tokenizer.json", "llama2.tokenizer.json", "unigram.tokenizer.json", "unigram_t5.tokenizer.json"}) {
    const temporary_folder folder;
    const auto gguf = to_gguf(folder, text_file(name));
    REQUIRE_FALSE(gguf.has_value());
    CHECK(gguf.error().code == errc::unsupported);
    CHECK(gguf.error().message.find("a GGUF cannot express") != std::string::npos);
  }
}
