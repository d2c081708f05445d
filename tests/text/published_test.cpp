// SPDX-License-Identifier: Apache-2.0
// Vocabularies as they were published, against the ids of their reference. Those that are not here are left out.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include "inlay/generate/vocabulary_gguf.hpp"
#include "inlay/io/gguf.hpp"
#include "inlay/io/mapped_file.hpp"
#include "inlay/text/make_tokenizer.hpp"
#include "inlay/text/tokenizer_json.hpp"
#include "tests/support/model.hpp"
#include "tests/text/reference_cases.hpp"

namespace {

inlay::result<std::unique_ptr<inlay::tokenizer>> open(const std::string& path) {
  auto file = inlay::mapped_file::open(path);
  if (!file) return inlay::unexpected(file.error());
  if (!path.ends_with(".gguf")) {
    const std::string_view text{reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()};
    return inlay::tokenizer_from_json(text, path, inlay_test::options());
  }
  auto parsed = inlay::gguf_file::parse(file->bytes(), file->path());
  if (!parsed) return inlay::unexpected(parsed.error());
  auto vocabulary = inlay::vocabulary_from_gguf(*parsed);
  if (!vocabulary) return inlay::unexpected(vocabulary.error());
  return inlay::make_tokenizer(*vocabulary, inlay_test::options());
}

void check(const std::string& file, const std::string& cases) {
  const auto path = inlay_test::model(file);
  if (!path) return;
  CAPTURE(file);
  auto made = open(*path);
  if (!made) FAIL(made.error().message);
  inlay_test::compare(**made, INLAY_TEST_DATA "/text/published/" + cases + ".cases.jsonl");
}

}  // namespace

TEST_CASE("SmolLM2, from GGUF") { check("SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2"); }

#ifdef INLAY_TEST_UTF8PROC
TEST_CASE("BERT uncased, from tokenizer.json") { check("all-MiniLM-L6-v2/tokenizer.json", "minilm"); }
#endif
