// SPDX-License-Identifier: Apache-2.0
// Llama (Touvron et al. 2023; Llama 3: Dubey et al. 2024) and the models of its shape.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <type_traits>

#include "inlay/layers/attention.hpp"
#include "inlay/layers/mlp.hpp"
#include "inlay/models/causal_lm.hpp"
#include "inlay/models/decoder_names.hpp"

namespace inlay::models {

struct llama_config {
  std::size_t vocab, width, layers, heads, kv_heads, head_dim, inner;
  rope_config rope = {};
  float epsilon = 1e-5f;
  std::size_t window = 0;  ///< Mistral 7B v0.1
  bool tied = false;
  bool qkv_bias = false;        ///< Qwen2.5
  bool attention_bias = false;  ///< of all four projections
  bool mlp_bias = false;
  float temperature_beta = 0.0f;  ///< Ministral 3: queries grow with the position (layers/attention.hpp)
  float temperature_period = 1.0f;
};

template <llama_config C>
using llama_block = residual_block<attention<{.heads = C.heads,
                                              .kv_heads = C.kv_heads,
                                              .head_dim = C.head_dim,
                                              .window = C.window,
                                              .bias = C.qkv_bias || C.attention_bias,
                                              .out_bias = C.attention_bias,
                                              .temperature_beta = C.temperature_beta,
                                              .temperature_period = C.temperature_period},
                                             rope<C.rope>>,
                                   gated_mlp<C.inner, silu, C.mlp_bias>, rms_norm<{.epsilon = C.epsilon}>>;

namespace detail {

inline constexpr auto llama_rules = decoder_rules(row_order::interleaved_pairs);
inline constexpr std::string_view llama_known[] = {"rope_freqs.weight", "model.layers.#.self_attn.rotary_emb.inv_freq"};
inline constexpr std::string_view llama_architectures[] = {"llama"};
inline constexpr std::string_view llama_config_types[] = {"llama"};

}  // namespace detail

/// A model of the Llama shape: grouped-query attention with rotary positions, gated SiLU feed-forward, pre-norm.
template <llama_config C>
using llama_shape = causal_lm<{.vocab = C.vocab, .width = C.width}, repeat<C.layers, llama_block<C>>,
                              rms_norm<{.epsilon = C.epsilon}>, std::conditional_t<C.tied, tied_head, own_head>>;

template <llama_config C>
struct llama : llama_shape<C> {
  static constexpr std::array facts =
      join(decoder_facts({C.vocab, C.width, C.layers, C.heads, C.kv_heads, C.head_dim, C.inner, C.epsilon, C.rope.theta,
                          C.window}),
           std::array{checkpoint_fact{rope_factor_key, "", C.rope.llama3.factor, C.rope.llama3.factor != 1.0f,
                                      C.rope.llama3.factor != 1.0f},
                      checkpoint_fact{"", "rope.dimension_count", double(C.head_dim), false}});
  static constexpr bool scaled = C.rope.llama3.factor != 1.0f;
  static constexpr std::array statements{
      only_if(scaled, {.config = "rope_scaling.rope_type", .what = checkpoint_statement::kind::word, .text = "llama3"}),
      only_if(scaled, {.config = "rope_scaling.low_freq_factor", .number = C.rope.llama3.low_frequency}),
      only_if(scaled, {.config = "rope_scaling.high_freq_factor", .number = C.rope.llama3.high_frequency}),
      only_if(scaled,
              {.config = "rope_scaling.original_max_position_embeddings", .number = C.rope.llama3.original_context}),
      checkpoint_statement{.config = "attention_bias",
                           .what = checkpoint_statement::kind::truth,
                           .number = C.attention_bias || C.qkv_bias},
      checkpoint_statement{.config = "mlp_bias", .what = checkpoint_statement::kind::truth, .number = C.mlp_bias},
  };
  static constexpr checkpoint_description checkpoint() {
    return {.config_types = detail::llama_config_types,
            .architectures = detail::llama_architectures,
            .rules = detail::llama_rules,
            .facts = facts,
            .known = detail::llama_known,
            .words = silu_words,
            .statements = statements,
            .config_class = "LlamaForCausalLM"};
  }
};

inline constexpr rope_config llama3_rope{.theta = 500'000.0f, .llama3 = {.factor = 32.0f}};

struct llama3_2_1b : llama<{.vocab = 128256,
                            .width = 2048,
                            .layers = 16,
                            .heads = 32,
                            .kv_heads = 8,
                            .head_dim = 64,
                            .inner = 8192,
                            .rope = llama3_rope,
                            .tied = true}> {};
struct llama3_2_3b : llama<{.vocab = 128256,
                            .width = 3072,
                            .layers = 28,
                            .heads = 24,
                            .kv_heads = 8,
                            .head_dim = 128,
                            .inner = 8192,
                            .rope = llama3_rope,
                            .tied = true}> {};
struct tinyllama_1_1b
    : llama<{.vocab = 32000, .width = 2048, .layers = 22, .heads = 32, .kv_heads = 4, .head_dim = 64, .inner = 5632}> {
};
struct smollm2_135m : llama<{.vocab = 49152,
                             .width = 576,
                             .layers = 30,
                             .heads = 9,
                             .kv_heads = 3,
                             .head_dim = 64,
                             .inner = 1536,
                             .rope = {.theta = 100'000.0f},
                             .tied = true}> {};
struct smollm2_360m : llama<{.vocab = 49152,
                             .width = 960,
                             .layers = 32,
                             .heads = 15,
                             .kv_heads = 5,
                             .head_dim = 64,
                             .inner = 2560,
                             .rope = {.theta = 100'000.0f},
                             .tied = true}> {};
struct smollm2_1_7b : llama<{.vocab = 49152,
                             .width = 2048,
                             .layers = 24,
                             .heads = 32,
                             .kv_heads = 32,
                             .head_dim = 64,
                             .inner = 8192,
                             .rope = {.theta = 130'000.0f},
                             .tied = true}> {};

}  // namespace inlay::models
