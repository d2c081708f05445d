// SPDX-License-Identifier: Apache-2.0
// Phi-3.5-mini, Phi-4-mini and Phi-4 (Abdin et al. 2024): Llama's shape; checkpoints hold the projections fused, some
// with LongRoPE, some rotate a part of each head.
#pragma once

#include <array>
#include <string_view>

#include "inlay/models/constant_math.hpp"
#include "inlay/models/llama.hpp"

namespace inlay::models {

namespace detail {

// Rules that name the same tensor share its rows, in this order.
inline constexpr std::array phi3_rules{
    tensor_rule{"embedding.weight", {"model.embed_tokens.weight"}, {"token_embd.weight"}},
    tensor_rule{
        "blocks.#.attention.norm.weight", {"model.layers.#.input_layernorm.weight"}, {"blk.#.attn_norm.weight"}},
    tensor_rule{"blocks.#.attention.q.weight", {"model.layers.#.self_attn.qkv_proj.weight"}, {"blk.#.attn_qkv.weight"}},
    tensor_rule{"blocks.#.attention.k.weight", {"model.layers.#.self_attn.qkv_proj.weight"}, {"blk.#.attn_qkv.weight"}},
    tensor_rule{"blocks.#.attention.v.weight", {"model.layers.#.self_attn.qkv_proj.weight"}, {"blk.#.attn_qkv.weight"}},
    tensor_rule{
        "blocks.#.attention.o.weight", {"model.layers.#.self_attn.o_proj.weight"}, {"blk.#.attn_output.weight"}},
    tensor_rule{
        "blocks.#.mlp.norm.weight", {"model.layers.#.post_attention_layernorm.weight"}, {"blk.#.ffn_norm.weight"}},
    tensor_rule{"blocks.#.mlp.gate.weight", {"model.layers.#.mlp.gate_up_proj.weight"}, {"blk.#.ffn_up.weight"}},
    tensor_rule{"blocks.#.mlp.up.weight", {"model.layers.#.mlp.gate_up_proj.weight"}, {"blk.#.ffn_up.weight"}},
    tensor_rule{"blocks.#.mlp.down.weight", {"model.layers.#.mlp.down_proj.weight"}, {"blk.#.ffn_down.weight"}},
    tensor_rule{"norm.weight", {"model.norm.weight"}, {"output_norm.weight"}},
    tensor_rule{"head.weight", {"lm_head.weight"}, {"output.weight"}},
};
inline constexpr std::string_view phi3_known[] = {"rope_factors_long.weight", "rope_factors_short.weight"};
inline constexpr std::string_view phi3_architectures[] = {"phi3"};
inline constexpr std::string_view phi3_config_types[] = {"phi3"};

/// The length of sines and cosines.
consteval double longrope_magnitude(const longrope_scaling& s) {
  if (s.original_context == 0.0f) return 1.0;
  return square_root(
      static_cast<float>(1.0 + logarithm(s.context / s.original_context) / logarithm(s.original_context)));
}

}  // namespace detail

template <llama_config C>
struct phi3 : llama_shape<C> {
  // The window that checkpoints state is longer than their context, unless the type has one.
  static constexpr std::array facts = join(
      decoder_facts({C.vocab, C.width, C.layers, C.heads, C.kv_heads, C.head_dim, C.inner, C.epsilon, C.rope.theta}),
      std::array{
          checkpoint_fact{C.window != 0 ? "sliding_window" : "", "", double(C.window)},
          checkpoint_fact{"", "rope.dimension_count", double(C.rope.dim == 0 ? C.head_dim : C.rope.dim), false},
          checkpoint_fact{"partial_rotary_factor", "", double(C.rope.dim == 0 ? C.head_dim : C.rope.dim) / C.head_dim,
                          false},
          checkpoint_fact{C.rope.longrope.original_context != 0.0f ? "original_max_position_embeddings" : "",
                          C.rope.longrope.original_context != 0.0f ? "rope.scaling.original_context_length" : "",
                          C.rope.longrope.original_context},
          checkpoint_fact{C.rope.longrope.context != 0.0f ? "max_position_embeddings" : "",
                          C.rope.longrope.context != 0.0f ? "context_length" : "", C.rope.longrope.context},
      });
  static constexpr std::array statements{
      checkpoint_statement{.gguf = "attention.sliding_window", .number = double(C.window)},
      null_if(C.window == 0, "sliding_window"),
      only_if(C.rope.longrope.context != 0.0f,
              {.gguf = "rope.scaling.attn_factor", .number = detail::longrope_magnitude(C.rope.longrope)}),
  };
  static constexpr checkpoint_description checkpoint() {
    return {.config_types = detail::phi3_config_types,
            .architectures = detail::phi3_architectures,
            .rules = detail::phi3_rules,
            .facts = facts,
            .known = detail::phi3_known,
            .words = silu_words,
            .statements = statements,
            .config_class = "Phi3ForCausalLM"};
  }
};

inline constexpr longrope_scaling phi3_longrope{.original_context = 4096.0f, .context = 131072.0f};
struct phi3_5_mini : phi3<{.vocab = 32064,
                           .width = 3072,
                           .layers = 32,
                           .heads = 32,
                           .kv_heads = 32,
                           .head_dim = 96,
                           .inner = 8192,
                           .rope = {.longrope = phi3_longrope}}> {};
struct phi4_mini : phi3<{.vocab = 200064,
                         .width = 3072,
                         .layers = 32,
                         .heads = 24,
                         .kv_heads = 8,
                         .head_dim = 128,
                         .inner = 8192,
                         .rope = {.dim = 96, .longrope = phi3_longrope},
                         .tied = true}> {};
struct phi4 : phi3<{.vocab = 100352,
                    .width = 5120,
                    .layers = 40,
                    .heads = 40,
                    .kv_heads = 10,
                    .head_dim = 128,
                    .inner = 17920,
                    .rope = {.theta = 250'000.0f}}> {};

}  // namespace inlay::models
