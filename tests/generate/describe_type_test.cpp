// SPDX-License-Identifier: Apache-2.0
// The printed types of tiny checkpoints: equal to those that are compiled here, which load the checkpoints and give the
// logits of the reference.
#include "inlay/generate/describe_type.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "inlay/generate/load_encoder.hpp"
#include "inlay/io/checkpoint.hpp"
#include "tests/golden/golden.hpp"
#include "tests/support/tiny_models.hpp"

namespace {

using inlay::concat;

std::string without_spaces(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (c != ' ' && c != '\n') out += c;
  return out;
}

/// What stands in the namespace of that name in tiny_models.hpp.
std::string committed(std::string_view name) {
  static const std::string text = [] {
    std::ifstream file(INLAY_TEST_DATA "/../support/tiny_models.hpp");
    return std::string(std::istreambuf_iterator<char>(file), {});
  }();
  const std::string begin = concat("\nnamespace ", name, " {\n"), end = concat("\n}  // namespace ", name, "\n");
  const std::size_t from = text.find(begin), to = text.find(end);
  REQUIRE_MESSAGE(to != text.npos, name);
  return without_spaces(std::string_view(text).substr(from + begin.size(), to - from - begin.size()));
}

inlay::described_type describe(const std::string& path) {
  const auto file = inlay::open_checkpoint(path);
  REQUIRE_MESSAGE(file.has_value(), path);
  const auto described = inlay::describe_type(*file, "model");
  if (!described) FAIL(described.error().message);
  return *described;
}

bool exists(const std::string& path) { return std::ifstream(path).good(); }

/// The memory that is told is the type's, but for the rounding of each part to 64 bytes.
void check_memory(const std::string& path, std::size_t (*of_type)(const inlay::state_options&)) {
  CAPTURE(path);
  const auto file = inlay::open_checkpoint(path);
  REQUIRE(file.has_value());
  const auto memory = inlay::describe_memory(*file);
  if (!memory) FAIL(memory.error().message);
  for (const std::size_t context : {std::size_t{3}, std::size_t{64}, std::size_t{500}}) {
    std::size_t told = 0;
    for (const auto& layer : *memory) told += bytes(layer, context, inlay::dtype::f16, 16);
    const std::size_t exact = of_type({.context = context, .batch = 16});
    CHECK(told <= exact);
    CHECK(exact <= told + memory->size() * 2 * 64);
  }
}

/// Printed alike from both containers, and right.
template <class Model>
void check(const char* name) {
  CAPTURE(name);
  const auto described = describe(golden::path(name));
  CHECK(without_spaces(described.declaration) == committed(name));
  CHECK_FALSE(described.encoder);
  CHECK(described.header.ends_with(".hpp"));
  const std::string gguf = golden::path(name, "model.gguf");
  const bool has_gguf = exists(gguf) && std::string_view(name) != "mistral_window";  // a window it does not state
  if (has_gguf) {
    std::string text = without_spaces(describe(gguf).declaration);
    // A GGUF of the architecture "llama" does not say that it is Mistral's.
    if (const std::size_t at = text.find("models::llama<");
        at != text.npos && std::string_view(name).starts_with("mistral"))
      text.replace(at, std::string_view("models::llama<").size(), "models::mistral<");
    CHECK(text == committed(name));
  }
  for (const std::string& path : {golden::path(name), gguf})
    if (path != gguf || has_gguf)
      check_memory(path, [](const inlay::state_options& o) { return Model::state_bytes(o); });
  const auto model = inlay::load<Model>(has_gguf ? gguf : golden::path(name), {.threads = 1});
  if (!model) FAIL(model.error().message);
  const auto e = golden::read_expectation(golden::path(name, "expected.safetensors"));
  golden::runner run(*model, e.input_ids.size(), 1);
  CHECK(golden::difference(run.read(e.input_ids, e.input_ids.size()), e.logits) <= golden::f32_tolerance);
}

template <class Model>
void check_encoder(const char* name) {
  CAPTURE(name);
  const auto described = describe(golden::path(name));
  CHECK(without_spaces(described.declaration) == committed(name));
  CHECK(described.encoder);
  const auto model = inlay::load_encoder<Model>(golden::path(name), {.threads = 1});
  if (!model) FAIL(model.error().message);
  if (const std::string gguf = golden::path(name, "model.gguf"); exists(gguf))
    CHECK(without_spaces(describe(gguf).declaration) == committed(name));
}

}  // namespace

#define CHECK_PRINTED(name) check<tiny::name::model>(#name)

TEST_CASE("Llama's shape") {
  CHECK_PRINTED(llama_bias);
  CHECK_PRINTED(llama_mha);
  CHECK_PRINTED(llama_rope_scaled);
  CHECK_PRINTED(llama_tied);
  CHECK_PRINTED(llama_tied_sharded);
  CHECK_PRINTED(llama_wide);
  CHECK_PRINTED(ministral3_yarn);
  CHECK_PRINTED(ministral_alternating);
  CHECK_PRINTED(mistral_head_dim);
  CHECK_PRINTED(mistral_window);
  CHECK_PRINTED(phi3_longrope);
  CHECK_PRINTED(phi3_partial_longrope);
  CHECK_PRINTED(phi3_plain);
  CHECK_PRINTED(phi3_window);
  CHECK_PRINTED(qwen2_tied);
  CHECK_PRINTED(qwen2_yarn);
}

TEST_CASE("Qwen3") {
  CHECK_PRINTED(qwen3_moe);
  CHECK_PRINTED(qwen3_moe_mixed);
  CHECK_PRINTED(qwen3_tied);
  CHECK_PRINTED(qwen3_untied);
  CHECK_PRINTED(qwen35_chunks);
  CHECK_PRINTED(qwen35_grouped);
  CHECK_PRINTED(qwen35_multimodal);
}

TEST_CASE("Gemma") {
  CHECK_PRINTED(gemma3_linear);
  CHECK_PRINTED(gemma3_local_global);
  CHECK_PRINTED(gemma3_query_scalar);
  CHECK_PRINTED(gemma4_dense);
  CHECK_PRINTED(gemma4_e2b);
  CHECK_PRINTED(gemma4_e4b);
  CHECK_PRINTED(gemma4_moe);
}

TEST_CASE("others") {
  CHECK_PRINTED(nemotron_h_dense);
  CHECK_PRINTED(nemotron_h_groups);
  CHECK_PRINTED(nemotron_h_moe);
  CHECK_PRINTED(openelm);
  check_encoder<tiny::bert_classifier::model>("bert_classifier");
  check_encoder<tiny::bert_embedding::model>("bert_embedding");
  check_encoder<tiny::mobilebert_classifier::model>("mobilebert_classifier");
}

TEST_CASE("a checkpoint that does not say what it is") {
  const auto file = inlay::open_checkpoint(golden::path("llama_tied", "model.safetensors"));
  if (file && file->config().empty()) CHECK_FALSE(inlay::describe_type(*file, "model"));
  CHECK(inlay::models::detail::literal(1e-6f) == "1e-6f");
  CHECK(inlay::models::detail::literal(0.1f) == "0.1f");
  CHECK(inlay::models::detail::literal(500'000.0f) == "500000.0f");
}
