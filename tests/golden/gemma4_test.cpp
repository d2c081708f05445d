// SPDX-License-Identifier: Apache-2.0
// Gemma 4 against transformers: per-layer embeddings, borrowed keys and values, keys as values, experts.
#include "inlay/models/gemma4.hpp"

#include "golden.hpp"
#include "inlay/kernels/plain.hpp"

namespace {

using namespace inlay;
using namespace inlay::models;
using enum cache_sharing;

constexpr gemma4_config dense_config{.vocab = 272,
                                     .width = 48,
                                     .layers = 4,
                                     .period = 4,
                                     .heads = 4,
                                     .kv_heads = 4,
                                     .global_kv_heads = 2,
                                     .head_dim = 16,
                                     .global_head_dim = 32,
                                     .inner = 48,
                                     .window = 8,
                                     .values_are_keys = true};
struct dense : gemma4<dense_config> {};

constexpr gemma4_config moe_config{.vocab = 272,
                                   .width = 32,
                                   .layers = 4,
                                   .period = 2,
                                   .heads = 4,
                                   .kv_heads = 2,
                                   .global_kv_heads = 1,
                                   .head_dim = 16,
                                   .global_head_dim = 32,
                                   .inner = 48,
                                   .window = 8,
                                   .values_are_keys = true,
                                   .experts = 5,
                                   .top_k = 2,
                                   .expert_inner = 32};
struct experts : gemma4<moe_config> {};

constexpr gemma4_config e2b_config{.vocab = 272,
                                   .width = 32,
                                   .layers = 7,
                                   .period = 2,
                                   .heads = 4,
                                   .kv_heads = 1,
                                   .global_kv_heads = 1,
                                   .head_dim = 16,
                                   .global_head_dim = 32,
                                   .inner = 48,
                                   .window = 8,
                                   .shared_layers = 3,
                                   .per_layer_width = 8,
                                   .double_inner = true};
struct e2b
    : causal_lm<{.vocab = 272, .width = 32, .embedding_scale = models::detail::square_root(32), .logit_soft_cap = 30},
                per_layer_embedding<models::detail::gemma4_per_layer<e2b_config>>, gemma4_block<e2b_config, false>,
                gemma4_block<e2b_config, true>, gemma4_block<e2b_config, false, lends>,
                gemma4_block<e2b_config, true, lends>, gemma4_block<e2b_config, true, borrows>,
                gemma4_block<e2b_config, false, borrows>, gemma4_block<e2b_config, true, borrows>,
                rms_norm<{.epsilon = 1e-6f}>, tied_head> {
  static constexpr checkpoint_description checkpoint() { return models::detail::describe_gemma4<e2b_config>(); }
};

constexpr gemma4_config e4b_config{.vocab = 272,
                                   .width = 32,
                                   .layers = 5,
                                   .period = 3,
                                   .heads = 4,
                                   .kv_heads = 2,
                                   .global_kv_heads = 2,
                                   .head_dim = 16,
                                   .global_head_dim = 32,
                                   .inner = 48,
                                   .window = 8,
                                   .shared_layers = 2,
                                   .per_layer_width = 16,
                                   .logit_soft_cap = 2.0f};
struct e4b
    : causal_lm<{.vocab = 272, .width = 32, .embedding_scale = models::detail::square_root(32), .logit_soft_cap = 2},
                per_layer_embedding<models::detail::gemma4_per_layer<e4b_config>>, gemma4_block<e4b_config, false>,
                gemma4_block<e4b_config, false, lends>, gemma4_block<e4b_config, true, lends>,
                gemma4_block<e4b_config, false, borrows>, gemma4_block<e4b_config, true, borrows>,
                rms_norm<{.epsilon = 1e-6f}>, tied_head> {
  static constexpr checkpoint_description checkpoint() { return models::detail::describe_gemma4<e4b_config>(); }
};

template <class Model, class K>
void check_both(std::string_view name) {
  const std::string expected = golden::path(name, "expected.safetensors");
  golden::check<Model, K>(golden::path(name), expected, golden::f32_tolerance);
  golden::check<Model, K>(golden::path(name, "model.gguf"), expected, golden::f32_tolerance);
}

}  // namespace

TEST_CASE_TEMPLATE("Gemma 4", K, kernels::plain, kernels::standard) {
  check_both<dense, K>("gemma4_dense");
  check_both<experts, K>("gemma4_moe");
  check_both<e2b, K>("gemma4_e2b");
  check_both<e4b, K>("gemma4_e4b");
}
