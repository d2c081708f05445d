// SPDX-License-Identifier: Apache-2.0
// Llama, Mistral and Qwen3-MoE against transformers: every position's logits and the greedy continuation, from
// safetensors and GGUF.
#include "inlay/models/llama.hpp"

#include "golden.hpp"
#include "inlay/kernels/plain.hpp"
#include "inlay/models/mistral.hpp"
#include "inlay/models/qwen3.hpp"

namespace {

using inlay::models::llama;
using inlay::models::qwen3;

struct tied : llama<{.vocab = 272,
                     .width = 64,
                     .layers = 2,
                     .heads = 4,
                     .kv_heads = 2,
                     .head_dim = 16,
                     .inner = 96,
                     .rope = {.theta = 100'000.0f},
                     .tied = true}> {};
struct rope_scaled : llama<{.vocab = 261,
                            .width = 64,
                            .layers = 2,
                            .heads = 2,
                            .kv_heads = 1,
                            .head_dim = 32,
                            .inner = 96,
                            .rope = {.theta = 500'000.0f, .llama3 = {.factor = 32.0f, .original_context = 64.0f}}}> {};
struct multi_head : llama<{.vocab = 272,
                           .width = 64,
                           .layers = 2,
                           .heads = 4,
                           .kv_heads = 4,
                           .head_dim = 16,
                           .inner = 104,
                           .tied = true}> {};
struct biased : llama<{.vocab = 272,
                       .width = 64,
                       .layers = 2,
                       .heads = 4,
                       .kv_heads = 2,
                       .head_dim = 16,
                       .inner = 96,
                       .attention_bias = true,
                       .mlp_bias = true}> {};
struct window : inlay::models::mistral<{.vocab = 272,
                                        .width = 64,
                                        .layers = 2,
                                        .heads = 4,
                                        .kv_heads = 2,
                                        .head_dim = 16,
                                        .inner = 96,
                                        .window = 9}> {};
struct experts : qwen3<{.vocab = 272,
                        .width = 64,
                        .layers = 2,
                        .heads = 4,
                        .kv_heads = 2,
                        .head_dim = 16,
                        .inner = 32,
                        .experts = 5,
                        .top_k = 2}> {};

template <class Model, class K>
void check_both(std::string_view name) {
  const std::string expected = golden::path(name, "expected.safetensors");
  golden::check<Model, K>(golden::path(name), expected, golden::f32_tolerance);
  golden::check<Model, K>(golden::path(name, "model.gguf"), expected, golden::f32_tolerance);
}

}  // namespace

TEST_CASE_TEMPLATE("Llama shapes give transformers' logits", K, inlay::kernels::plain, inlay::kernels::standard) {
  check_both<tied, K>("llama_tied");
  golden::check<tied, K>(golden::path("llama_tied_sharded"), golden::path("llama_tied", "expected.safetensors"),
                         golden::f32_tolerance);
  check_both<rope_scaled, K>("llama_rope_scaled");
  check_both<multi_head, K>("llama_mha");
  check_both<biased, K>("llama_bias");
}

TEST_CASE_TEMPLATE("a window shorter than the prompt", K, inlay::kernels::plain, inlay::kernels::standard) {
  static_assert(window::kv_cache_bytes(4096) == window::kv_cache_bytes(9), "the ring holds no more than the window");
  check_both<window, K>("mistral_window");
}

TEST_CASE_TEMPLATE("mixture of experts", K, inlay::kernels::plain, inlay::kernels::standard) {
  check_both<experts, K>("qwen3_moe");
}
