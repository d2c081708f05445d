// SPDX-License-Identifier: Apache-2.0
// Llama (Touvron et al. 2023; Llama 3: Dubey et al. 2024) and the models of its shape.
#pragma once

#include <array>
#include <string_view>
#include <type_traits>

#include "inlay/layers/attention.hpp"
#include "inlay/layers/mlp.hpp"
#include "inlay/models/causal_lm.hpp"
#include "inlay/models/checkpoint_description.hpp"

namespace inlay::models {

struct llama_config {
  std::size_t vocab, width, layers, heads, kv_heads, head_dim, inner;
  rope_config rope = {};
  float epsilon = 1e-5f;
  std::size_t window = 0;  ///< Mistral 7B v0.1
  bool tied = false;
  bool attention_bias = false;
  bool mlp_bias = false;
};

template <llama_config C>
using llama_block = residual_block<attention<{.heads = C.heads,
                                              .kv_heads = C.kv_heads,
                                              .head_dim = C.head_dim,
                                              .window = C.window,
                                              .bias = C.attention_bias,
                                              .out_bias = C.attention_bias},
                                             rope<C.rope>>,
                                   gated_mlp<C.inner, silu, C.mlp_bias>, rms_norm<{.epsilon = C.epsilon}>>;

namespace detail {

inline constexpr tensor_rule llama_rules[] = {
    {"embedding.weight", {"model.embed_tokens.weight"}, {"token_embd.weight"}},
    {"blocks.#.attention.norm.weight", {"model.layers.#.input_layernorm.weight"}, {"blk.#.attn_norm.weight"}},
    {"blocks.#.attention.q.weight",
     {"model.layers.#.self_attn.q_proj.weight"},
     {"blk.#.attn_q.weight", row_order::interleaved_pairs}},
    {"blocks.#.attention.q.bias",
     {"model.layers.#.self_attn.q_proj.bias"},
     {"blk.#.attn_q.bias", row_order::interleaved_pairs}},
    {"blocks.#.attention.k.weight",
     {"model.layers.#.self_attn.k_proj.weight"},
     {"blk.#.attn_k.weight", row_order::interleaved_pairs}},
    {"blocks.#.attention.k.bias",
     {"model.layers.#.self_attn.k_proj.bias"},
     {"blk.#.attn_k.bias", row_order::interleaved_pairs}},
    {"blocks.#.attention.v.weight", {"model.layers.#.self_attn.v_proj.weight"}, {"blk.#.attn_v.weight"}},
    {"blocks.#.attention.v.bias", {"model.layers.#.self_attn.v_proj.bias"}, {"blk.#.attn_v.bias"}},
    {"blocks.#.attention.o.weight", {"model.layers.#.self_attn.o_proj.weight"}, {"blk.#.attn_output.weight"}},
    {"blocks.#.attention.o.bias", {"model.layers.#.self_attn.o_proj.bias"}, {"blk.#.attn_output.bias"}},
    {"blocks.#.mlp.norm.weight", {"model.layers.#.post_attention_layernorm.weight"}, {"blk.#.ffn_norm.weight"}},
    {"blocks.#.mlp.gate.weight", {"model.layers.#.mlp.gate_proj.weight"}, {"blk.#.ffn_gate.weight"}},
    {"blocks.#.mlp.gate.bias", {"model.layers.#.mlp.gate_proj.bias"}, {"blk.#.ffn_gate.bias"}},
    {"blocks.#.mlp.up.weight", {"model.layers.#.mlp.up_proj.weight"}, {"blk.#.ffn_up.weight"}},
    {"blocks.#.mlp.up.bias", {"model.layers.#.mlp.up_proj.bias"}, {"blk.#.ffn_up.bias"}},
    {"blocks.#.mlp.down.weight", {"model.layers.#.mlp.down_proj.weight"}, {"blk.#.ffn_down.weight"}},
    {"blocks.#.mlp.down.bias", {"model.layers.#.mlp.down_proj.bias"}, {"blk.#.ffn_down.bias"}},
    {"norm.weight", {"model.norm.weight"}, {"output_norm.weight"}},
    {"head.weight", {"lm_head.weight"}, {"output.weight"}},
};
inline constexpr std::string_view llama_known[] = {"rope_freqs.weight", "model.layers.#.self_attn.rotary_emb.inv_freq"};
inline constexpr std::string_view llama_architectures[] = {"llama"};
inline constexpr std::string_view llama_config_types[] = {"llama", "mistral"};

}  // namespace detail

/// A model of the Llama shape: grouped-query attention with rotary positions, gated SiLU feed-forward, pre-norm.
template <llama_config C>
struct llama : causal_lm<{.vocab = C.vocab, .width = C.width}, repeat<C.layers, llama_block<C>>,
                         rms_norm<{.epsilon = C.epsilon}>, std::conditional_t<C.tied, tied_head, own_head>> {
  static constexpr std::array facts{
      checkpoint_fact{"vocab_size", "vocab_size", C.vocab, false},
      checkpoint_fact{"hidden_size", "embedding_length", C.width},
      checkpoint_fact{"num_hidden_layers", "block_count", C.layers},
      checkpoint_fact{"num_attention_heads", "attention.head_count", C.heads},
      checkpoint_fact{"num_key_value_heads", "attention.head_count_kv", C.kv_heads, false},
      checkpoint_fact{"head_dim", "attention.key_length", C.head_dim, false},
      checkpoint_fact{"intermediate_size", "feed_forward_length", C.inner},
      checkpoint_fact{"rms_norm_eps", "attention.layer_norm_rms_epsilon", C.epsilon},
      checkpoint_fact{"rope_theta", "rope.freq_base", C.rope.theta, false},
      checkpoint_fact{"sliding_window", "attention.sliding_window", C.window, C.window != 0},
  };
  static constexpr checkpoint_description checkpoint() {
    return {detail::llama_config_types, detail::llama_architectures, detail::llama_rules, facts, detail::llama_known};
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
