// SPDX-License-Identifier: Apache-2.0
// Qwen2.5, Qwen3, Gemma 3, Phi-3 and Mistral against transformers.
#include "golden.hpp"
#include "inlay/kernels/plain.hpp"
#include "tests/support/tiny_models.hpp"

#define POLICIES inlay::kernels::plain, inlay::kernels::standard

TEST_CASE_TEMPLATE("Qwen2.5", K, POLICIES) {
  golden::check_both<tiny::qwen2_tied::model, K>("qwen2_tied");
  golden::check_both<tiny::qwen2_yarn::model, K>("qwen2_yarn");
}

TEST_CASE_TEMPLATE("Qwen3", K, POLICIES) {
  golden::check_both<tiny::qwen3_tied::model, K>("qwen3_tied");
  golden::check_both<tiny::qwen3_untied::model, K>("qwen3_untied");
}

TEST_CASE_TEMPLATE("Qwen3 with a dense layer among experts", K, POLICIES) {
  golden::check_safetensors<tiny::qwen3_moe_mixed::model, K>("qwen3_moe_mixed");
}

TEST_CASE_TEMPLATE("Gemma 3", K, POLICIES) {
  golden::check_both<tiny::gemma3_local_global::model, K>("gemma3_local_global");
  golden::check_both<tiny::gemma3_linear::model, K>("gemma3_linear");
  golden::check_safetensors<tiny::gemma3_query_scalar::model, K>("gemma3_query_scalar");
}

TEST_CASE_TEMPLATE("Phi-3", K, POLICIES) {
  golden::check_both<tiny::phi3_plain::model, K>("phi3_plain");
  golden::check_both<tiny::phi3_window::model, K>("phi3_window");
}

TEST_CASE_TEMPLATE("LongRoPE, within the original context and beyond it", K, POLICIES) {
  for (const char* expected : {"expected.safetensors", "expected.long.safetensors"}) {
    golden::check_both<tiny::phi3_longrope::model, K>("phi3_longrope", expected);
    golden::check_both<tiny::phi3_partial_longrope::model, K>("phi3_partial_longrope", expected);
  }
}

TEST_CASE_TEMPLATE("Mistral", K, POLICIES) {
  golden::check_both<tiny::mistral_head_dim::model, K>("mistral_head_dim");
  golden::check_both<tiny::ministral3_yarn::model, K>("ministral3_yarn");
  golden::check_safetensors<tiny::ministral_alternating::model, K>("ministral_alternating");
}
