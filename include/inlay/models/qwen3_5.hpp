// SPDX-License-Identifier: Apache-2.0
// Qwen3.5, the text model: Gated DeltaNet layers and, every few, one of gated attention.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "inlay/layers/attention.hpp"
#include "inlay/layers/gated_delta_net.hpp"
#include "inlay/layers/mlp.hpp"
#include "inlay/models/causal_lm.hpp"
#include "inlay/models/decoder_names.hpp"

namespace inlay::models {

struct qwen3_5_config {
  std::size_t vocab = 248320;
  std::size_t width, layers;
  std::size_t period = 4;  ///< every so many layers one is attention
  std::size_t heads, kv_heads, head_dim = 256, rope_dim = 64;
  std::size_t key_heads = 16, value_heads = 16, key_dim = 128, value_dim = 128, taps = 4;
  std::size_t inner;
  float theta = 1e7f;
  float epsilon = 1e-6f;
  bool tied = true;
};

namespace detail {

template <qwen3_5_config C, class Mixer>
using qwen3_5_block = residual_block<Mixer, gated_mlp<C.inner, silu>, rms_norm<{.epsilon = C.epsilon}>>;

template <qwen3_5_config C>
using qwen3_5_linear = qwen3_5_block<C, gated_delta_net<{.key_heads = C.key_heads,
                                                         .value_heads = C.value_heads,
                                                         .key_dim = C.key_dim,
                                                         .value_dim = C.value_dim,
                                                         .taps = C.taps,
                                                         .epsilon = C.epsilon}>>;
template <qwen3_5_config C>
using qwen3_5_full =
    qwen3_5_block<C, attention<{.heads = C.heads, .kv_heads = C.kv_heads, .head_dim = C.head_dim, .gated = true},
                               rope<{.theta = C.theta, .dim = C.rope_dim}>, rms_norm<{.epsilon = C.epsilon}>>>;

inline constexpr in_file qwen3_5_norm(std::string_view name) { return {name, row_order::same, value_change::add_one}; }

inline constexpr std::array qwen3_5_rules{
    tensor_rule{"embedding.weight", {"model.embed_tokens.weight"}, {"token_embd.weight"}},
    tensor_rule{"blocks.#.attention.norm.weight",
                qwen3_5_norm("model.layers.#.input_layernorm.weight"),
                {"blk.#.attn_norm.weight"}},
    tensor_rule{"blocks.#.attention.q.weight",
                {"model.layers.#.self_attn.q_proj.weight", row_order::first_of_head},
                {"blk.#.attn_q.weight", row_order::first_of_head}},
    tensor_rule{"blocks.#.attention.gate.weight",
                {"model.layers.#.self_attn.q_proj.weight", row_order::second_of_head},
                {"blk.#.attn_q.weight", row_order::second_of_head}},
    tensor_rule{"blocks.#.attention.k.weight", {"model.layers.#.self_attn.k_proj.weight"}, {"blk.#.attn_k.weight"}},
    tensor_rule{"blocks.#.attention.v.weight", {"model.layers.#.self_attn.v_proj.weight"}, {"blk.#.attn_v.weight"}},
    tensor_rule{
        "blocks.#.attention.o.weight", {"model.layers.#.self_attn.o_proj.weight"}, {"blk.#.attn_output.weight"}},
    tensor_rule{"blocks.#.attention.q_norm.weight",
                qwen3_5_norm("model.layers.#.self_attn.q_norm.weight"),
                {"blk.#.attn_q_norm.weight"}},
    tensor_rule{"blocks.#.attention.k_norm.weight",
                qwen3_5_norm("model.layers.#.self_attn.k_norm.weight"),
                {"blk.#.attn_k_norm.weight"}},
    tensor_rule{"blocks.#.delta_net.norm.weight",
                qwen3_5_norm("model.layers.#.input_layernorm.weight"),
                {"blk.#.attn_norm.weight"}},
    tensor_rule{
        "blocks.#.delta_net.qkv.weight", {"model.layers.#.linear_attn.in_proj_qkv.weight"}, {"blk.#.attn_qkv.weight"}},
    tensor_rule{
        "blocks.#.delta_net.gate.weight", {"model.layers.#.linear_attn.in_proj_z.weight"}, {"blk.#.attn_gate.weight"}},
    tensor_rule{
        "blocks.#.delta_net.rate.weight", {"model.layers.#.linear_attn.in_proj_b.weight"}, {"blk.#.ssm_beta.weight"}},
    tensor_rule{
        "blocks.#.delta_net.dt.weight", {"model.layers.#.linear_attn.in_proj_a.weight"}, {"blk.#.ssm_alpha.weight"}},
    tensor_rule{"blocks.#.delta_net.dt.bias", {"model.layers.#.linear_attn.dt_bias"}, {"blk.#.ssm_dt.bias"}},
    tensor_rule{"blocks.#.delta_net.decay",
                {"model.layers.#.linear_attn.A_log", row_order::same, value_change::negative_exp},
                {"blk.#.ssm_a"}},
    tensor_rule{"blocks.#.delta_net.conv.weight",
                {"model.layers.#.linear_attn.conv1d.weight", row_order::taps_last},
                {"blk.#.ssm_conv1d.weight", row_order::taps_last}},
    tensor_rule{
        "blocks.#.delta_net.gated_norm.weight", {"model.layers.#.linear_attn.norm.weight"}, {"blk.#.ssm_norm.weight"}},
    tensor_rule{
        "blocks.#.delta_net.out.weight", {"model.layers.#.linear_attn.out_proj.weight"}, {"blk.#.ssm_out.weight"}},
    tensor_rule{"blocks.#.mlp.norm.weight",
                qwen3_5_norm("model.layers.#.post_attention_layernorm.weight"),
                {"blk.#.post_attention_norm.weight"}},
    tensor_rule{"blocks.#.mlp.gate.weight", {"model.layers.#.mlp.gate_proj.weight"}, {"blk.#.ffn_gate.weight"}},
    tensor_rule{"blocks.#.mlp.up.weight", {"model.layers.#.mlp.up_proj.weight"}, {"blk.#.ffn_up.weight"}},
    tensor_rule{"blocks.#.mlp.down.weight", {"model.layers.#.mlp.down_proj.weight"}, {"blk.#.ffn_down.weight"}},
    tensor_rule{"norm.weight", qwen3_5_norm("model.norm.weight"), {"output_norm.weight"}},
    tensor_rule{"head.weight", {"lm_head.weight"}, {"output.weight"}},
};
inline constexpr std::string_view qwen3_5_architectures[] = {"qwen35"};
inline constexpr block_name qwen3_5_layer_types[] = {{"attention.q.weight", "full_attention"},
                                                     {"", "linear_attention"}};
inline constexpr std::string_view qwen3_5_config_types[] = {"qwen3_5_text", "qwen3_5"};
inline constexpr std::string_view qwen3_5_known[] = {"mtp.*", "model.visual.*", "blk.#.nextn.*"};
inline constexpr std::string_view qwen3_5_prefixes[] = {"model.language_model."};

}  // namespace detail

template <qwen3_5_config C>
struct qwen3_5
    : causal_lm<{.vocab = C.vocab, .width = C.width},
                repeat<C.layers / C.period, repeat<C.period - 1, detail::qwen3_5_linear<C>>, detail::qwen3_5_full<C>>,
                rms_norm<{.epsilon = C.epsilon}>, std::conditional_t<C.tied, tied_head, own_head>> {
  static_assert(C.layers % C.period == 0);
  static constexpr std::array facts{
      checkpoint_fact{"vocab_size", "", double(C.vocab)},
      checkpoint_fact{"hidden_size", "embedding_length", double(C.width)},
      checkpoint_fact{"num_hidden_layers", "", double(C.layers)},
      checkpoint_fact{"num_attention_heads", "attention.head_count", double(C.heads)},
      checkpoint_fact{"num_key_value_heads", "attention.head_count_kv", double(C.kv_heads)},
      checkpoint_fact{"head_dim", "attention.key_length", double(C.head_dim)},
      checkpoint_fact{"linear_num_key_heads", "ssm.group_count", double(C.key_heads)},
      checkpoint_fact{"linear_num_value_heads", "ssm.time_step_rank", double(C.value_heads)},
      checkpoint_fact{"linear_key_head_dim", "ssm.state_size", double(C.key_dim)},
      checkpoint_fact{"linear_value_head_dim", "", double(C.value_dim), false},
      checkpoint_fact{"linear_conv_kernel_dim", "ssm.conv_kernel", double(C.taps)},
      checkpoint_fact{"intermediate_size", "feed_forward_length", double(C.inner)},
      checkpoint_fact{"full_attention_interval", "full_attention_interval", double(C.period), false},
      checkpoint_fact{"rope_parameters.partial_rotary_factor|partial_rotary_factor", "",
                      double(C.rope_dim) / C.head_dim, false},
      checkpoint_fact{"", "rope.dimension_count", double(C.rope_dim), false},
      checkpoint_fact{new_rope_theta_key, "rope.freq_base", C.theta, false},
      checkpoint_fact{"rms_norm_eps", "attention.layer_norm_rms_epsilon", C.epsilon},
      checkpoint_fact{"", "ssm.inner_size", double(C.value_heads* C.value_dim), false},
  };
  /// Of the positions in time, height and width, which are the same in text.
  static constexpr std::int32_t sections[] = {(C.rope_dim / 2 + 2) / 3, (C.rope_dim / 2 + 1) / 3, C.rope_dim / 2 / 3,
                                              0};
  static constexpr std::array statements{
      checkpoint_statement{.gguf = "block_count",
                           .number = double(C.layers)},  // others also count what they predict ahead with
      checkpoint_statement{
          .gguf = "rope.dimension_sections", .what = checkpoint_statement::kind::numbers, .numbers = sections},
      checkpoint_statement{.config = "rope_parameters.mrope_section",
                           .what = checkpoint_statement::kind::numbers,
                           .numbers = std::span(sections).first(3)},
      checkpoint_statement{
          .config = "rope_parameters.mrope_interleaved", .what = checkpoint_statement::kind::truth, .number = 1},
      checkpoint_statement{
          .config = "rope_parameters.rope_type", .what = checkpoint_statement::kind::word, .text = "default"},
      checkpoint_statement{.gguf = "attention.recurrent_layers",
                           .what = checkpoint_statement::kind::blocks_without,
                           .text = "attention.q.weight"},
      checkpoint_statement{.config = "layer_types",
                           .what = checkpoint_statement::kind::names_of_blocks,
                           .names = detail::qwen3_5_layer_types},
  };
  static constexpr checkpoint_description checkpoint() {
    return {.config_types = detail::qwen3_5_config_types,
            .architectures = detail::qwen3_5_architectures,
            .rules = detail::qwen3_5_rules,
            .facts = facts,
            .known = detail::qwen3_5_known,
            .prefixes = detail::qwen3_5_prefixes,
            .words = silu_words,
            .statements = statements,
            .config_class = "Qwen3_5ForCausalLM"};
  }
};

struct qwen3_5_0_8b : qwen3_5<{.width = 1024, .layers = 24, .heads = 8, .kv_heads = 2, .inner = 3584}> {};
struct qwen3_5_2b : qwen3_5<{.width = 2048, .layers = 24, .heads = 8, .kv_heads = 2, .inner = 6144}> {};
struct qwen3_5_4b
    : qwen3_5<{.width = 2560, .layers = 32, .heads = 16, .kv_heads = 4, .value_heads = 32, .inner = 9216}> {};

}  // namespace inlay::models
