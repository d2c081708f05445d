// SPDX-License-Identifier: Apache-2.0
// Llama, Mistral and Qwen3-MoE against transformers: every position's logits and the greedy continuation, from
// safetensors and GGUF.
#include "golden.hpp"
#include "inlay/kernels/plain.hpp"
#include "tests/support/tiny_models.hpp"

TEST_CASE_TEMPLATE("Llama shapes give transformers' logits", K, inlay::kernels::plain, inlay::kernels::standard) {
  golden::check_both<tiny::llama_tied::model, K>("llama_tied");
  golden::check<tiny::llama_tied::model, K>(golden::path("llama_tied_sharded"),
                                            golden::path("llama_tied", "expected.safetensors"), golden::f32_tolerance);
  golden::check_both<tiny::llama_rope_scaled::model, K>("llama_rope_scaled");
  golden::check_both<tiny::llama_mha::model, K>("llama_mha");
  golden::check_both<tiny::llama_bias::model, K>("llama_bias");
}

TEST_CASE_TEMPLATE("a window shorter than the prompt", K, inlay::kernels::plain, inlay::kernels::standard) {
  using model = tiny::mistral_window::model;
  static_assert(model::kv_cache_bytes(4096) == model::kv_cache_bytes(9), "the ring holds no more than the window");
  golden::check_both<model, K>("mistral_window");
}

TEST_CASE_TEMPLATE("mixture of experts", K, inlay::kernels::plain, inlay::kernels::standard) {
  golden::check_both<tiny::qwen3_moe::model, K>("qwen3_moe");
}
