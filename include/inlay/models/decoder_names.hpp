// SPDX-License-Identifier: Apache-2.0
// Names and keys that most decoder families share, for each to take and extend.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "inlay/layers/rope.hpp"
#include "inlay/models/checkpoint_description.hpp"

namespace inlay::models {

/// One table after another.
template <class T, std::size_t A, std::size_t B>
constexpr std::array<T, A + B> join(const std::array<T, A>& a, const std::array<T, B>& b) {
  std::array<T, A + B> all{};
  for (std::size_t i = 0; i < A; ++i) all[i] = a[i];
  for (std::size_t i = 0; i < B; ++i) all[A + i] = b[i];
  return all;
}

/// Embedding, pre-norm attention, gated feed-forward, final norm and head, in the usual names. `qk_rows` is the order
/// of query and key rows in a GGUF of the family.
constexpr auto decoder_rules(row_order qk_rows) {
  return std::array{
      tensor_rule{"embedding.weight", {"model.embed_tokens.weight"}, {"token_embd.weight"}},
      tensor_rule{
          "blocks.#.attention.norm.weight", {"model.layers.#.input_layernorm.weight"}, {"blk.#.attn_norm.weight"}},
      tensor_rule{
          "blocks.#.attention.q.weight", {"model.layers.#.self_attn.q_proj.weight"}, {"blk.#.attn_q.weight", qk_rows}},
      tensor_rule{
          "blocks.#.attention.q.bias", {"model.layers.#.self_attn.q_proj.bias"}, {"blk.#.attn_q.bias", qk_rows}},
      tensor_rule{
          "blocks.#.attention.k.weight", {"model.layers.#.self_attn.k_proj.weight"}, {"blk.#.attn_k.weight", qk_rows}},
      tensor_rule{
          "blocks.#.attention.k.bias", {"model.layers.#.self_attn.k_proj.bias"}, {"blk.#.attn_k.bias", qk_rows}},
      tensor_rule{"blocks.#.attention.v.weight", {"model.layers.#.self_attn.v_proj.weight"}, {"blk.#.attn_v.weight"}},
      tensor_rule{"blocks.#.attention.v.bias", {"model.layers.#.self_attn.v_proj.bias"}, {"blk.#.attn_v.bias"}},
      tensor_rule{
          "blocks.#.attention.o.weight", {"model.layers.#.self_attn.o_proj.weight"}, {"blk.#.attn_output.weight"}},
      tensor_rule{"blocks.#.attention.o.bias", {"model.layers.#.self_attn.o_proj.bias"}, {"blk.#.attn_output.bias"}},
      tensor_rule{
          "blocks.#.mlp.norm.weight", {"model.layers.#.post_attention_layernorm.weight"}, {"blk.#.ffn_norm.weight"}},
      tensor_rule{"blocks.#.mlp.gate.weight", {"model.layers.#.mlp.gate_proj.weight"}, {"blk.#.ffn_gate.weight"}},
      tensor_rule{"blocks.#.mlp.gate.bias", {"model.layers.#.mlp.gate_proj.bias"}, {"blk.#.ffn_gate.bias"}},
      tensor_rule{"blocks.#.mlp.up.weight", {"model.layers.#.mlp.up_proj.weight"}, {"blk.#.ffn_up.weight"}},
      tensor_rule{"blocks.#.mlp.up.bias", {"model.layers.#.mlp.up_proj.bias"}, {"blk.#.ffn_up.bias"}},
      tensor_rule{"blocks.#.mlp.down.weight", {"model.layers.#.mlp.down_proj.weight"}, {"blk.#.ffn_down.weight"}},
      tensor_rule{"blocks.#.mlp.down.bias", {"model.layers.#.mlp.down_proj.bias"}, {"blk.#.ffn_down.bias"}},
      tensor_rule{"norm.weight", {"model.norm.weight"}, {"output_norm.weight"}},
      tensor_rule{"head.weight", {"lm_head.weight"}, {"output.weight"}},
  };
}

/// Norms of every query and key head.
inline constexpr std::array qk_norm_rules{
    tensor_rule{
        "blocks.#.attention.q_norm.weight", {"model.layers.#.self_attn.q_norm.weight"}, {"blk.#.attn_q_norm.weight"}},
    tensor_rule{
        "blocks.#.attention.k_norm.weight", {"model.layers.#.self_attn.k_norm.weight"}, {"blk.#.attn_k_norm.weight"}},
};

/// Experts, one tensor each or stacked.
inline constexpr std::array expert_rules{
    tensor_rule{"blocks.#.mlp.router.weight", {"model.layers.#.mlp.gate.weight"}, {"blk.#.ffn_gate_inp.weight"}},
    tensor_rule{"blocks.#.mlp.experts.gate.weight",
                {"model.layers.#.mlp.experts.@.gate_proj.weight|model.layers.#.mlp.experts.gate_up_proj"},
                {"blk.#.ffn_gate_exps.weight"}},
    tensor_rule{"blocks.#.mlp.experts.up.weight",
                {"model.layers.#.mlp.experts.@.up_proj.weight|model.layers.#.mlp.experts.gate_up_proj"},
                {"blk.#.ffn_up_exps.weight"}},
    tensor_rule{"blocks.#.mlp.experts.down.weight",
                {"model.layers.#.mlp.experts.@.down_proj.weight|model.layers.#.mlp.experts.down_proj"},
                {"blk.#.ffn_down_exps.weight"}},
};

/// Where config.json files keep rope parameters: older and newer ones differ.
inline constexpr std::string_view rope_theta_key = "rope_theta|rope_parameters.rope_theta";
inline constexpr std::string_view rope_factor_key = "rope_scaling.factor|rope_parameters.factor";

/// The same where the newer spelling is written.
inline constexpr std::string_view new_rope_theta_key = "rope_parameters.rope_theta|rope_theta";
inline constexpr std::string_view new_rope_factor_key = "rope_parameters.factor|rope_scaling.factor";

/// The activation of feed-forward layers, in most families' configurations.
inline constexpr std::array silu_words{checkpoint_word{"hidden_act", "silu|swish"}};
/// In Gemma's.
inline constexpr std::array gelu_tanh_words{
    checkpoint_word{"hidden_activation", "gelu_pytorch_tanh|gelu_new|gelu_fast"}};

/// The names of layers in models in which some have a sliding window.
inline constexpr block_name layer_types_by_window[] = {{"attention.q.weight", "sliding_attention", true},
                                                       {"", "full_attention"}};

/// A statement that is not made where its condition is false.
constexpr checkpoint_statement only_if(bool condition, checkpoint_statement s) {
  if (!condition) s.config = s.gguf = "";
  return s;
}
/// A statement of null in config.json, where its readers would take something else without it.
constexpr checkpoint_statement null_if(bool condition, std::string_view config) {
  return only_if(condition, {.config = config, .what = checkpoint_statement::kind::null});
}

/// Statements of a YaRN scaling; none where it is off. `in_parameters`: in the newer spelling.
constexpr auto yarn_statements(const yarn_scaling& yarn, bool in_parameters = false) {
  using enum checkpoint_statement::kind;
  const bool on = yarn.factor != 1.0f;
  const auto key = [&](std::string_view older, std::string_view newer) { return in_parameters ? newer : older; };
  return std::array{
      only_if(on, {.config = key("rope_scaling.rope_type", "rope_parameters.rope_type"),
                   .gguf = "rope.scaling.type",
                   .what = word,
                   .text = "yarn"}),
      only_if(on, {.config = key("rope_scaling.original_max_position_embeddings",
                                 "rope_parameters.original_max_position_embeddings"),
                   .gguf = "rope.scaling.original_context_length",
                   .number = yarn.original_context}),
      only_if(on, {.config = key("rope_scaling.beta_fast", "rope_parameters.beta_fast"),
                   .gguf = "rope.scaling.yarn_beta_fast",
                   .number = yarn.beta_fast}),
      only_if(on, {.config = key("rope_scaling.beta_slow", "rope_parameters.beta_slow"),
                   .gguf = "rope.scaling.yarn_beta_slow",
                   .number = yarn.beta_slow}),
      only_if(on && yarn.attention_factor != 0.0f,
              {.config = key("rope_scaling.attention_factor", "rope_parameters.attention_factor"),
               .number = yarn.attention_factor}),
      // Sines and cosines of length 1, as readers of GGUF put it.
      only_if(on && yarn.attention_factor == 1.0f, {.gguf = "rope.scaling.yarn_log_multiplier", .number = 1}),
  };
}

struct decoder_numbers {
  std::size_t vocab, width, layers, heads, kv_heads, head_dim;
  std::size_t inner;  ///< 0: the family states it itself
  float epsilon;
  float theta;  ///< 0: the family states it itself
  std::size_t window = 0;
};

constexpr auto decoder_facts(const decoder_numbers& n) {
  const auto number = [](std::size_t x) { return static_cast<double>(x); };
  return std::array{
      checkpoint_fact{"vocab_size", "vocab_size", number(n.vocab), false},
      checkpoint_fact{"hidden_size", "embedding_length", number(n.width)},
      checkpoint_fact{"num_hidden_layers", "block_count", number(n.layers)},
      checkpoint_fact{"num_attention_heads", "attention.head_count", number(n.heads)},
      checkpoint_fact{"num_key_value_heads", "attention.head_count_kv", number(n.kv_heads), false},
      checkpoint_fact{"head_dim", "attention.key_length", number(n.head_dim), false},
      checkpoint_fact{n.inner != 0 ? "intermediate_size" : "", n.inner != 0 ? "feed_forward_length" : "",
                      number(n.inner)},
      checkpoint_fact{"rms_norm_eps", "attention.layer_norm_rms_epsilon", n.epsilon},
      checkpoint_fact{n.theta != 0.0f ? rope_theta_key : "", n.theta != 0.0f ? "rope.freq_base" : "", n.theta, false},
      checkpoint_fact{n.window != 0 ? "sliding_window" : "", n.window != 0 ? "attention.sliding_window" : "",
                      number(n.window), false},
  };
}

}  // namespace inlay::models
