// SPDX-License-Identifier: Apache-2.0
// Opening a checkpoint of one of several types.
#include "inlay/generate/zoo.hpp"

#include <doctest/doctest.h>

#include <string>

#include "inlay/models/llama.hpp"
#include "tests/support/tiny_models.hpp"

namespace {

using inlay::models::llama;

struct other : llama<{.vocab = 272, .width = 64, .layers = 3, .heads = 4, .kv_heads = 2, .head_dim = 16, .inner = 96}> {
};
struct tiny_llama : tiny::llama_tied::model {};
struct tiny_qwen3 : tiny::qwen3_tied::model {};

using llamas = inlay::zoo<other, tiny_llama>;
using all = inlay::zoo<tiny_qwen3, llamas>;

static_assert(inlay::type_name<tiny_llama>() == "tiny_llama");
static_assert(inlay::type_name<inlay::models::smollm2_135m>() == "smollm2_135m");
static_assert(inlay::type_name<std::pair<inlay::error, int>>().starts_with("pair<"));
static_assert(all::models().size() == 3);
static_assert(all::models()[2].name == "tiny_llama");

std::string model(const char* name) { return inlay::concat(INLAY_TEST_DATA "/models/", name); }

std::string refusal(const inlay::result<inlay::opened_model>& opened) {
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().code == inlay::errc::unsupported);
  return opened.error().message;
}
bool contains(const std::string& text, std::string_view part) {
  INFO(text << "\nlacks: " << part);
  CHECK(text.find(part) != text.npos);
  return text.find(part) != text.npos;
}

}  // namespace

TEST_CASE("the type that fits is taken, from either container") {
  for (const char* file : {"llama_tied", "llama_tied/model.gguf"}) {
    const auto opened = inlay::open<all>(model(file));
    if (!opened) FAIL(opened.error().message);
    CHECK(opened->type == "tiny_llama");
    CHECK(opened->model.facts().parameters == tiny_llama::parameter_count);
  }
  const auto opened = inlay::open<all>(model("qwen3_tied"));
  if (!opened) FAIL(opened.error().message);
  CHECK(opened->type == "tiny_qwen3");
}

TEST_CASE("where no type fits, the file and what differs from the nearest types are told") {
  const std::string safetensors = refusal(inlay::open<all>(model("llama_mha")));
  contains(safetensors, "is of none of the 3 model types of this program. It is a \"llama\" model");
  contains(safetensors, "hidden_size 64");
  contains(safetensors, "\n  tiny_llama: num_key_value_heads 4, not 2, intermediate_size 104, not 96, ");
  CHECK(safetensors.find("\n  other: ") < safetensors.find("\n  tiny_llama: "));
  CHECK(safetensors.find("tiny_qwen3") == safetensors.npos);

  const std::string gguf = refusal(inlay::open<all>(model("llama_mha/model.gguf")));
  contains(gguf, "\n  tiny_llama: attention.head_count_kv 4, not 2, feed_forward_length 104, not 96, ");

  const std::string kind = refusal(inlay::open<all>(model("gemma3_linear")));
  contains(kind, "a \"gemma3\" model");
  contains(kind, "They are of the kinds qwen3, llama.");
}

TEST_CASE("where only the tensors differ, that is told") {
  struct untied : llama<{.vocab = 272,
                         .width = 64,
                         .layers = 2,
                         .heads = 4,
                         .kv_heads = 2,
                         .head_dim = 16,
                         .inner = 96,
                         .rope = {.theta = 100'000.0f}}> {};
  contains(refusal(inlay::open<inlay::zoo<untied>>(model("llama_tied"))), "untied: there is no tensor lm_head.weight");
}

TEST_CASE("files that cannot be read are errors") {
  CHECK_FALSE(inlay::open<all>(model("no such file")));
  CHECK_FALSE(inlay::open<all>(model("llama_tied/config.json")));
}
