// SPDX-License-Identifier: Apache-2.0
// Qwen3.5 against transformers: Gated DeltaNet with as many value heads as key heads and with more, gated attention.
#include "inlay/models/qwen3_5.hpp"

#include "golden.hpp"
#include "inlay/kernels/plain.hpp"

namespace {

using namespace inlay::models;

struct chunks : qwen3_5<{.vocab = 272,
                         .width = 48,
                         .layers = 3,
                         .period = 3,
                         .heads = 2,
                         .kv_heads = 1,
                         .head_dim = 32,
                         .rope_dim = 8,
                         .key_heads = 2,
                         .value_heads = 4,
                         .key_dim = 16,
                         .value_dim = 24,
                         .taps = 3,
                         .inner = 64}> {};
struct grouped : qwen3_5<{.vocab = 272,
                          .width = 48,
                          .layers = 4,
                          .period = 2,
                          .heads = 2,
                          .kv_heads = 1,
                          .head_dim = 32,
                          .rope_dim = 8,
                          .key_heads = 2,
                          .value_heads = 6,
                          .key_dim = 16,
                          .value_dim = 16,
                          .inner = 64,
                          .tied = false}> {};
struct multimodal : qwen3_5<{.vocab = 272,
                             .width = 48,
                             .layers = 4,
                             .heads = 4,
                             .kv_heads = 2,
                             .head_dim = 32,
                             .rope_dim = 8,
                             .key_heads = 2,
                             .value_heads = 2,
                             .key_dim = 16,
                             .value_dim = 16,
                             .inner = 64}> {};

}  // namespace

TEST_CASE_TEMPLATE("Qwen3.5", K, inlay::kernels::plain, inlay::kernels::standard) {
  const auto check = []<class Model>(Model*, std::string_view name, std::string_view file) {
    golden::check<Model, K>(golden::path(name, file), golden::path(name, "expected.safetensors"),
                            golden::f32_tolerance);
  };
  check(static_cast<chunks*>(nullptr), "qwen35_chunks", "");
  check(static_cast<grouped*>(nullptr), "qwen35_grouped", "");
  check(static_cast<grouped*>(nullptr), "qwen35_grouped", "model.gguf");
  check(static_cast<multimodal*>(nullptr), "qwen35_multimodal", "");
  check(static_cast<multimodal*>(nullptr), "qwen35_multimodal", "model.gguf");
}
