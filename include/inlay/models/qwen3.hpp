// SPDX-License-Identifier: Apache-2.0
// Qwen3 (Yang et al. 2025): Llama's shape with normalised queries and keys; some with experts.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <type_traits>

#include "inlay/layers/attention.hpp"
#include "inlay/layers/mlp.hpp"
#include "inlay/layers/moe.hpp"
#include "inlay/models/causal_lm.hpp"
#include "inlay/models/decoder_names.hpp"

namespace inlay::models {

struct qwen3_config {
  std::size_t vocab, width, layers, heads, kv_heads, head_dim;
  std::size_t inner;        ///< of the feed-forward layer, or of one expert
  std::size_t experts = 0;  ///< 0: dense
  std::size_t top_k = 0;
  bool normalise = true;  ///< the chosen experts' weights are divided by their sum
  float theta = 1'000'000.0f;
  float epsilon = 1e-6f;
  bool tied = false;
};

namespace detail {

template <qwen3_config C>
struct qwen3_mlp {
  using type = gated_mlp<C.inner, silu>;
};
template <qwen3_config C>
  requires(C.experts != 0)
struct qwen3_mlp<C> {
  using type = moe<{.experts = C.experts, .top_k = C.top_k, .inner = C.inner, .normalise = C.normalise}, silu>;
};

inline constexpr auto qwen3_rules = join(join(decoder_rules(row_order::same), qk_norm_rules), expert_rules);
inline constexpr std::string_view qwen3_architectures[] = {"qwen3"};
inline constexpr std::string_view qwen3_config_types[] = {"qwen3"};
inline constexpr std::string_view qwen3_moe_architectures[] = {"qwen3moe"};
inline constexpr std::string_view qwen3_moe_config_types[] = {"qwen3_moe"};

}  // namespace detail

template <qwen3_config C>
using qwen3_block = residual_block<attention<{.heads = C.heads, .kv_heads = C.kv_heads, .head_dim = C.head_dim},
                                             rope<{.theta = C.theta}>, rms_norm<{.epsilon = C.epsilon}>>,
                                   typename detail::qwen3_mlp<C>::type, rms_norm<{.epsilon = C.epsilon}>>;

template <qwen3_config C>
struct qwen3 : causal_lm<{.vocab = C.vocab, .width = C.width}, repeat<C.layers, qwen3_block<C>>,
                         rms_norm<{.epsilon = C.epsilon}>, std::conditional_t<C.tied, tied_head, own_head>> {
  static constexpr bool dense = C.experts == 0;
  static constexpr std::array facts = join(
      decoder_facts({C.vocab, C.width, C.layers, C.heads, C.kv_heads, C.head_dim, 0, C.epsilon, C.theta}),
      std::array{
          checkpoint_fact{dense ? "intermediate_size" : "", dense ? "feed_forward_length" : "", double(C.inner)},
          checkpoint_fact{dense ? "" : "moe_intermediate_size", dense ? "" : "expert_feed_forward_length",
                          double(C.inner)},
          checkpoint_fact{dense ? "" : "num_experts|num_local_experts", dense ? "" : "expert_count", double(C.experts)},
          checkpoint_fact{dense ? "" : "num_experts_per_tok", dense ? "" : "expert_used_count", double(C.top_k)},
      });
  static constexpr std::array statements{
      only_if(!dense, {.config = "norm_topk_prob", .what = checkpoint_statement::kind::truth, .number = C.normalise}),
      // Of dense layers between those with experts.
      only_if(!dense,
              {.config = "intermediate_size", .what = checkpoint_statement::kind::rows, .text = "mlp.up.weight"}),
      only_if(!dense,
              {.config = "mlp_only_layers", .what = checkpoint_statement::kind::blocks_with, .text = "mlp.up.weight"}),
  };
  static constexpr checkpoint_description checkpoint() {
    if constexpr (dense)
      return {.config_types = detail::qwen3_config_types,
              .architectures = detail::qwen3_architectures,
              .rules = detail::qwen3_rules,
              .facts = facts,
              .known = {},
              .words = silu_words,
              .config_class = "Qwen3ForCausalLM"};
    else
      return {.config_types = detail::qwen3_moe_config_types,
              .architectures = detail::qwen3_moe_architectures,
              .rules = detail::qwen3_rules,
              .facts = facts,
              .known = {},
              .words = silu_words,
              .statements = statements,
              .config_class = "Qwen3MoeForCausalLM"};
  }
};

struct qwen3_0_6b : qwen3<{.vocab = 151936,
                           .width = 1024,
                           .layers = 28,
                           .heads = 16,
                           .kv_heads = 8,
                           .head_dim = 128,
                           .inner = 3072,
                           .tied = true}> {};
struct qwen3_1_7b : qwen3<{.vocab = 151936,
                           .width = 2048,
                           .layers = 28,
                           .heads = 16,
                           .kv_heads = 8,
                           .head_dim = 128,
                           .inner = 6144,
                           .tied = true}> {};
struct qwen3_4b : qwen3<{.vocab = 151936,
                         .width = 2560,
                         .layers = 36,
                         .heads = 32,
                         .kv_heads = 8,
                         .head_dim = 128,
                         .inner = 9728,
                         .tied = true}> {};
struct qwen3_30b_a3b : qwen3<{.vocab = 151936,
                              .width = 2048,
                              .layers = 48,
                              .heads = 32,
                              .kv_heads = 4,
                              .head_dim = 128,
                              .inner = 768,
                              .experts = 128,
                              .top_k = 8}> {};

}  // namespace inlay::models
