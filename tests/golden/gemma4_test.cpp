// SPDX-License-Identifier: Apache-2.0
// Gemma 4 against transformers: per-layer embeddings, borrowed keys and values, keys as values, experts.
#include "golden.hpp"
#include "inlay/kernels/plain.hpp"
#include "tests/support/tiny_models.hpp"

TEST_CASE_TEMPLATE("Gemma 4", K, inlay::kernels::plain, inlay::kernels::standard) {
  golden::check_both<tiny::gemma4_dense::model, K>("gemma4_dense");
  golden::check_both<tiny::gemma4_moe::model, K>("gemma4_moe");
  golden::check_both<tiny::gemma4_e2b::model, K>("gemma4_e2b");
  golden::check_both<tiny::gemma4_e4b::model, K>("gemma4_e4b");
}
