// SPDX-License-Identifier: Apache-2.0
// Nemotron-H against transformers: Mamba-2, attention without positions, squared ReLU, experts, and expert groups.
#include "inlay/models/nemotron_h.hpp"

#include "golden.hpp"
#include "inlay/kernels/plain.hpp"

namespace {

using namespace inlay::models;

struct dense : nemotron_h<{.vocab = 272,
                           .width = 48,
                           .heads = 4,
                           .kv_heads = 2,
                           .head_dim = 16,
                           .inner = 80,
                           .mamba_heads = 8,
                           .mamba_head_dim = 8,
                           .mamba_groups = 2,
                           .mamba_state = 16},
                          "M-M*-M"> {};
struct experts : nemotron_h<{.vocab = 272,
                             .width = 48,
                             .heads = 4,
                             .kv_heads = 2,
                             .head_dim = 16,
                             .inner = 80,
                             .mamba_heads = 8,
                             .mamba_head_dim = 8,
                             .mamba_groups = 2,
                             .mamba_state = 16,
                             .experts = 5,
                             .top_k = 2,
                             .expert_inner = 32,
                             .shared_inner = 48},
                            "MEM*E"> {};
struct groups : nemotron_h<{.vocab = 272,
                            .width = 48,
                            .heads = 4,
                            .kv_heads = 1,
                            .head_dim = 16,
                            .inner = 80,
                            .mamba_heads = 4,
                            .mamba_head_dim = 16,
                            .mamba_groups = 4,
                            .mamba_state = 16,
                            .experts = 6,
                            .top_k = 2,
                            .expert_inner = 32,
                            .shared_inner = 48,
                            .expert_groups = 2,
                            .normalise = false},
                           "*EM"> {};

}  // namespace

TEST_CASE_TEMPLATE("Nemotron-H", K, inlay::kernels::plain, inlay::kernels::standard) {
  const auto check_both = []<class Model>(Model*, std::string_view name) {
    const std::string expected = golden::path(name, "expected.safetensors");
    golden::check<Model, K>(golden::path(name), expected, golden::f32_tolerance);
    golden::check<Model, K>(golden::path(name, "model.gguf"), expected, golden::f32_tolerance);
  };
  check_both(static_cast<dense*>(nullptr), "nemotron_h_dense");
  check_both(static_cast<experts*>(nullptr), "nemotron_h_moe");
  golden::check<groups, K>(golden::path("nemotron_h_groups"), golden::path("nemotron_h_groups", "expected.safetensors"),
                           golden::f32_tolerance);
}
