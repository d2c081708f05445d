// SPDX-License-Identifier: Apache-2.0
// Qwen3.5 against transformers: Gated DeltaNet with as many value heads as key heads and with more, gated attention.
#include "golden.hpp"
#include "inlay/kernels/plain.hpp"
#include "tests/support/tiny_models.hpp"

TEST_CASE_TEMPLATE("Qwen3.5", K, inlay::kernels::plain, inlay::kernels::standard) {
  golden::check_safetensors<tiny::qwen35_chunks::model, K>("qwen35_chunks");
  golden::check_both<tiny::qwen35_grouped::model, K>("qwen35_grouped");
  golden::check_both<tiny::qwen35_multimodal::model, K>("qwen35_multimodal");
}
