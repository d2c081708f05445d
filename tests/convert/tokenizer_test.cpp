// SPDX-License-Identifier: Apache-2.0
// A tokenizer.json through the metadata of a GGUF and back gives the same ids.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/convert/tokenizer_to_gguf.hpp"
#include "inlay/convert/tokenizer_to_json.hpp"
#include "inlay/io/open_checkpoint.hpp"
#include "inlay/io/safetensors_writer.hpp"
#include "inlay/text/make_tokenizer.hpp"
#include "inlay/text/tokenizer_json.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/text/reference_cases.hpp"

namespace {

using namespace inlay;
using inlay_test::temporary_folder;

std::string text_file(std::string_view name) { return concat(INLAY_TEST_DATA, "/text/", name); }

tokenizer_options lenient() {
  tokenizer_options o = inlay_test::options();
  o.skip_normal_forms = o.forms == nullptr;
  return o;
}

/// A checkpoint that is only there for the file beside it.
checkpoint beside(const temporary_folder& folder, std::string_view tokenizer) {
  std::filesystem::copy_file(text_file(tokenizer), folder / "tokenizer.json");
  safetensors_writer writer;
  REQUIRE(writer.add_tensor("nothing", dtype::f32, {1}).has_value());
  auto stream = writer.start(folder / "model.safetensors");
  REQUIRE(stream.has_value());
  const float zero = 0;
  REQUIRE(stream->write(std::as_bytes(std::span(&zero, 1))).has_value());
  REQUIRE(stream->finish().has_value());
  auto file = open_checkpoint(folder.path());
  REQUIRE_MESSAGE(file.has_value(), file.error().message);
  return *std::move(file);
}

result<std::string> to_gguf(const temporary_folder& folder, std::string_view tokenizer) {
  const checkpoint from = beside(folder, tokenizer);
  gguf_writer writer;
  std::vector<std::string> notes;
  if (auto written = detail::write_tokenizer(from, 0, writer, notes); !written)
    return unexpected<error>(written.error());
  auto stream = writer.start(folder / "tokenizer.gguf");
  REQUIRE(stream.has_value());
  REQUIRE(stream->finish().has_value());
  return folder / "tokenizer.gguf";
}

/// The same ids for all texts of the cases.
void same(const tokenizer& a, const tokenizer& b, const std::string& cases, bool no_space_first) {
  std::ifstream file(cases, std::ios::binary);
  std::size_t texts = 0, wrong = 0;
  for (std::string line; std::getline(file, line);) {
    const auto c = nlohmann::json::parse(line, nullptr, false);
    if (!c.contains("text")) continue;
    const auto text = c["text"].get<std::string>();
    if (no_space_first && text.starts_with(' ')) continue;
    ++texts;
    const encode_options all{.specials = special_tokens::recognised, .add_special_tokens = true};
    if ((a.encode(text) != b.encode(text) || a.encode(text, all) != b.encode(text, all)) && ++wrong <= 5)
      MESSAGE("differs: " << text);
  }
  CHECK(texts > 100);
  CHECK(wrong == 0);
}

void there_and_back(std::string_view name, bool no_space_first = false) {
  INFO(std::string(name));
  const temporary_folder folder;
  const std::string json_name = concat(name, ".tokenizer.json"), cases = text_file(concat(name, ".cases.jsonl"));
  const auto gguf = to_gguf(folder, json_name);
  REQUIRE_MESSAGE(gguf.has_value(), gguf.error().message);
  const auto original = tokenizer_from_json(inlay_test::read(text_file(json_name)), json_name, lenient());
  REQUIRE_MESSAGE(original.has_value(), original.error().message);
  const auto file = open_checkpoint(*gguf);
  REQUIRE_MESSAGE(file.has_value(), file.error().message);
  const auto vocabulary = vocabulary_from_gguf(*file->gguf());
  REQUIRE_MESSAGE(vocabulary.has_value(), vocabulary.error().message);
  const auto there = make_tokenizer(*vocabulary, lenient());
  REQUIRE_MESSAGE(there.has_value(), there.error().message);
  same(**original, **there, cases, no_space_first);
  const auto json = detail::tokenizer_to_json(*vocabulary).make();
  REQUIRE_MESSAGE(json.has_value(), json.error().message);
  const auto back = tokenizer_from_json(json->dump(), "back", lenient());
  REQUIRE_MESSAGE(back.has_value(), back.error().message);
  same(**original, **back, cases, no_space_first);
}

}  // namespace

TEST_CASE("byte-level BPE") {
  for (const char* name : {"gpt2", "llama3", "qwen35", "tekken", "gpt4o", "smollm"}) there_and_back(name);
}

TEST_CASE("characters merged by rank") { there_and_back("gemma4"); }

// A space before a text that begins with one is put there or not: the GGUF's note says so.
TEST_CASE("Unigram") { there_and_back("unigram_bytes", true); }

// The BPE of llama2.tokenizer.json lacks merges that its tokens allow; by score they would be merged.
TEST_CASE("what a GGUF cannot say is refused") {
  for (const char* name :
       {"unknown.tokenizer.json", "llama2.tokenizer.json", "unigram.tokenizer.json", "unigram_t5.tokenizer.json"}) {
    const temporary_folder folder;
    const auto gguf = to_gguf(folder, name);
    REQUIRE_FALSE(gguf.has_value());
    CHECK(gguf.error().code == errc::unsupported);
    CHECK(gguf.error().message.find("a GGUF cannot express") != std::string::npos);
  }
}
