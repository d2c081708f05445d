// SPDX-License-Identifier: Apache-2.0
// A tokenizer.json through the metadata of a GGUF and back.
#pragma once

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

namespace inlay_test {

using namespace inlay;

inline std::string text_file(std::string_view name) { return concat(INLAY_TEST_DATA, "/text/", name); }

inline tokenizer_options lenient() {
  tokenizer_options o = options();
  o.skip_normal_forms = o.forms == nullptr;
  return o;
}

/// A checkpoint that is only there for the file beside it.
inline checkpoint beside(const temporary_folder& folder, const std::string& tokenizer) {
  std::filesystem::copy_file(tokenizer, folder / "tokenizer.json");
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

inline result<std::string> to_gguf(const temporary_folder& folder, const std::string& tokenizer) {
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

/// The same ids for all texts of the cases, and the same texts for the ids.
inline void same(const tokenizer& a, const tokenizer& b, const std::string& cases, bool no_space_first) {
  std::ifstream file(cases, std::ios::binary);
  std::size_t texts = 0, wrong = 0;
  for (std::string line; std::getline(file, line);) {
    const auto c = nlohmann::json::parse(line, nullptr, false);
    if (!c.contains("text")) continue;
    const auto text = c["text"].get<std::string>();
    if (no_space_first && text.starts_with(' ')) continue;
    ++texts;
    const encode_options all{.specials = special_tokens::recognised, .add_special_tokens = true};
    const ids plain = a.encode(text), around = a.encode(text, all);
    const bool same_ids = b.encode(text) == plain && b.encode(text, all) == around;
    if ((!same_ids || decode(a, plain) != decode(b, plain)) && ++wrong <= 5) MESSAGE("differs: " << text);
  }
  CHECK(texts > 100);
  CHECK(wrong == 0);
}

inline void there_and_back(const std::string& path, const std::string& cases, bool no_space_first = false) {
  INFO(path);
  const temporary_folder folder;
  const auto gguf = to_gguf(folder, path);
  REQUIRE_MESSAGE(gguf.has_value(), gguf.error().message);
  const auto original = tokenizer_from_json(read(path), path, lenient());
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

/// Of one of tests/data/text.
inline void there_and_back(const std::string& name, bool no_space_first = false) {
  there_and_back(text_file(name + ".tokenizer.json"), text_file(name + ".cases.jsonl"), no_space_first);
}

}  // namespace inlay_test
