// SPDX-License-Identifier: Apache-2.0
// Nemotron-H against transformers: Mamba-2, attention without positions, squared ReLU, experts, and expert groups.
#include "golden.hpp"
#include "inlay/kernels/plain.hpp"
#include "tests/support/tiny_models.hpp"

TEST_CASE_TEMPLATE("Nemotron-H", K, inlay::kernels::plain, inlay::kernels::standard) {
  golden::check_both<tiny::nemotron_h_dense::model, K>("nemotron_h_dense");
  golden::check_both<tiny::nemotron_h_moe::model, K>("nemotron_h_moe");
  golden::check_safetensors<tiny::nemotron_h_groups::model, K>("nemotron_h_groups");
}
