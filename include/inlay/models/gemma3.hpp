// SPDX-License-Identifier: Apache-2.0
// Gemma 3 (Kamath et al. 2025), the text model: norms on both sides of every layer, five layers with a sliding window
// to one that sees all.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "inlay/layers/attention.hpp"
#include "inlay/layers/mlp.hpp"
#include "inlay/models/causal_lm.hpp"
#include "inlay/models/constant_math.hpp"
#include "inlay/models/decoder_names.hpp"

namespace inlay::models {

struct gemma3_config {
  std::size_t vocab, width, layers, heads, kv_heads, head_dim, inner, window;
  float query_scale = 256.0f;         ///< scores are divided by the square root of this ("query_pre_attn_scalar")
  float global_linear_factor = 1.0f;  ///< of the rope of layers without a window
  float epsilon = 1e-6f;
  std::size_t period = 6;  ///< every so many layers one has no window
};

namespace detail {

template <gemma3_config C, std::size_t Window, rope_config Rope>
using gemma3_block =
    branches<sandwich<rms_norm<{.epsilon = C.epsilon}>, attention<{.heads = C.heads,
                                                                   .kv_heads = C.kv_heads,
                                                                   .head_dim = C.head_dim,
                                                                   .window = Window,
                                                                   .scale = 1.0f / square_root(C.query_scale)},
                                                                  rope<Rope>, rms_norm<{.epsilon = C.epsilon}>>>,
             sandwich<rms_norm<{.epsilon = C.epsilon}>, gated_mlp<C.inner, gelu_tanh>>>;

inline constexpr in_file gemma3_norm(std::string_view name) { return {name, row_order::same, value_change::add_one}; }

inline constexpr std::array gemma3_rules{
    tensor_rule{"embedding.weight", {"model.embed_tokens.weight"}, {"token_embd.weight"}},
    tensor_rule{"blocks.#.attention.norm.weight",
                gemma3_norm("model.layers.#.input_layernorm.weight"),
                {"blk.#.attn_norm.weight"}},
    tensor_rule{"blocks.#.attention.q.weight", {"model.layers.#.self_attn.q_proj.weight"}, {"blk.#.attn_q.weight"}},
    tensor_rule{"blocks.#.attention.k.weight", {"model.layers.#.self_attn.k_proj.weight"}, {"blk.#.attn_k.weight"}},
    tensor_rule{"blocks.#.attention.v.weight", {"model.layers.#.self_attn.v_proj.weight"}, {"blk.#.attn_v.weight"}},
    tensor_rule{
        "blocks.#.attention.o.weight", {"model.layers.#.self_attn.o_proj.weight"}, {"blk.#.attn_output.weight"}},
    tensor_rule{"blocks.#.attention.q_norm.weight",
                gemma3_norm("model.layers.#.self_attn.q_norm.weight"),
                {"blk.#.attn_q_norm.weight"}},
    tensor_rule{"blocks.#.attention.k_norm.weight",
                gemma3_norm("model.layers.#.self_attn.k_norm.weight"),
                {"blk.#.attn_k_norm.weight"}},
    tensor_rule{"blocks.#.attention.post_norm.weight",
                gemma3_norm("model.layers.#.post_attention_layernorm.weight"),
                {"blk.#.post_attention_norm.weight"}},
    tensor_rule{"blocks.#.mlp.norm.weight",
                gemma3_norm("model.layers.#.pre_feedforward_layernorm.weight"),
                {"blk.#.ffn_norm.weight"}},
    tensor_rule{"blocks.#.mlp.gate.weight", {"model.layers.#.mlp.gate_proj.weight"}, {"blk.#.ffn_gate.weight"}},
    tensor_rule{"blocks.#.mlp.up.weight", {"model.layers.#.mlp.up_proj.weight"}, {"blk.#.ffn_up.weight"}},
    tensor_rule{"blocks.#.mlp.down.weight", {"model.layers.#.mlp.down_proj.weight"}, {"blk.#.ffn_down.weight"}},
    tensor_rule{"blocks.#.mlp.post_norm.weight",
                gemma3_norm("model.layers.#.post_feedforward_layernorm.weight"),
                {"blk.#.post_ffw_norm.weight"}},
    tensor_rule{"norm.weight", gemma3_norm("model.norm.weight"), {"output_norm.weight"}},
};
inline constexpr std::string_view gemma3_architectures[] = {"gemma3"};
inline constexpr std::string_view gemma3_config_types[] = {"gemma3_text", "gemma3"};
inline constexpr std::string_view gemma3_prefixes[] = {"language_model.model.", "model.language_model."};
inline constexpr std::string_view gemma3_known[] = {"vision_tower.*", "multi_modal_projector.*", "model.vision_tower.*",
                                                    "model.multi_modal_projector.*"};

inline constexpr float gemma3_local_theta = 10'000.0f;
inline constexpr float gemma3_global_theta = 1'000'000.0f;

template <gemma3_config C>
using gemma3_local = gemma3_block<C, C.window, rope_config{.theta = gemma3_local_theta}>;
template <gemma3_config C>
using gemma3_global =
    gemma3_block<C, 0, rope_config{.theta = gemma3_global_theta, .linear_factor = C.global_linear_factor}>;

}  // namespace detail

template <gemma3_config C>
struct gemma3
    : causal_lm<{.vocab = C.vocab, .width = C.width, .embedding_scale = detail::square_root(C.width)},
                repeat<C.layers / C.period, repeat<C.period - 1, detail::gemma3_local<C>>, detail::gemma3_global<C>>,
                repeat<C.layers % C.period, detail::gemma3_local<C>>, rms_norm<{.epsilon = C.epsilon}>, tied_head> {
  static constexpr std::array facts = join(
      decoder_facts({C.vocab, C.width, C.layers, C.heads, C.kv_heads, C.head_dim, C.inner, C.epsilon, 0.0f, C.window}),
      std::array{
          checkpoint_fact{"rope_theta|rope_parameters.full_attention.rope_theta", "rope.freq_base",
                          detail::gemma3_global_theta, false},
          checkpoint_fact{"rope_local_base_freq|rope_parameters.sliding_attention.rope_theta", "rope.freq_base_swa",
                          detail::gemma3_local_theta, false},
          checkpoint_fact{"rope_scaling.factor|rope_parameters.full_attention.factor", "rope.scaling.factor",
                          C.global_linear_factor, C.global_linear_factor != 1.0f, C.global_linear_factor != 1.0f},
          checkpoint_fact{"query_pre_attn_scalar", "", C.query_scale, false},
          checkpoint_fact{"sliding_window_pattern", "", double(C.period), false, false},  // layer_types instead
      });
  static constexpr std::array statements{
      only_if(C.global_linear_factor != 1.0f, {.config = "rope_scaling.rope_type",
                                               .gguf = "rope.scaling.type",
                                               .what = checkpoint_statement::kind::word,
                                               .text = "linear"}),
      checkpoint_statement{
          .config = "layer_types", .what = checkpoint_statement::kind::names_of_blocks, .names = layer_types_by_window},
  };
  static constexpr checkpoint_description checkpoint() {
    return {.config_types = detail::gemma3_config_types,
            .architectures = detail::gemma3_architectures,
            .rules = detail::gemma3_rules,
            .facts = facts,
            .known = detail::gemma3_known,
            .prefixes = detail::gemma3_prefixes,
            .words = gelu_tanh_words,
            .statements = statements,
            .config_class = "Gemma3ForCausalLM"};
  }
};

struct gemma3_270m : gemma3<{.vocab = 262144,
                             .width = 640,
                             .layers = 18,
                             .heads = 4,
                             .kv_heads = 1,
                             .head_dim = 256,
                             .inner = 2048,
                             .window = 512}> {};
struct gemma3_1b : gemma3<{.vocab = 262144,
                           .width = 1152,
                           .layers = 26,
                           .heads = 4,
                           .kv_heads = 1,
                           .head_dim = 256,
                           .inner = 6912,
                           .window = 512}> {};
struct gemma3_4b : gemma3<{.vocab = 262208,
                           .width = 2560,
                           .layers = 34,
                           .heads = 8,
                           .kv_heads = 4,
                           .head_dim = 256,
                           .inner = 10240,
                           .window = 1024,
                           .global_linear_factor = 8.0f}> {};
struct gemma3_12b : gemma3<{.vocab = 262208,
                            .width = 3840,
                            .layers = 48,
                            .heads = 16,
                            .kv_heads = 8,
                            .head_dim = 256,
                            .inner = 15360,
                            .window = 1024,
                            .global_linear_factor = 8.0f}> {};

}  // namespace inlay::models
