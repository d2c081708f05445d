// SPDX-License-Identifier: Apache-2.0
// Gemma 4, the text model: layers with a sliding window and, every few, one that sees all and has larger heads; the
// small ones with per-layer embeddings and layers that borrow keys and values, the 26B one with experts beside the
// dense layer.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "inlay/layers/attention.hpp"
#include "inlay/layers/dense_and_experts.hpp"
#include "inlay/layers/per_layer_embedding.hpp"
#include "inlay/layers/stream_scale.hpp"
#include "inlay/models/gemma3.hpp"

namespace inlay::models {

struct gemma4_config {
  std::size_t vocab, width, layers;
  std::size_t period;  ///< every so many layers one sees all
  std::size_t heads;
  std::size_t kv_heads;         ///< of layers with a window
  std::size_t global_kv_heads;  ///< of layers that see all
  std::size_t head_dim = 256, global_head_dim = 512;
  std::size_t inner, window;
  std::size_t shared_layers = 0;    ///< at the end, that borrow keys and values
  std::size_t per_layer_width = 0;  ///< of per-layer embeddings; 0: none
  bool double_inner = false;        ///< layers that borrow have a feed-forward layer of twice the width
  bool values_are_keys = false;     ///< in layers that see all
  std::size_t experts = 0, top_k = 0, expert_inner = 0;
  float logit_soft_cap = 30.0f;
  float epsilon = 1e-6f;
};

namespace detail {

inline constexpr float gemma4_local_theta = 10'000.0f;
inline constexpr float gemma4_global_theta = 1'000'000.0f;
inline constexpr float gemma4_global_proportion = 0.25f;  ///< of the pairs of a head that are rotated

template <gemma4_config C, bool Global, cache_sharing Sharing>
using gemma4_attention = attention<{.heads = C.heads,
                                    .kv_heads = Global ? C.global_kv_heads : C.kv_heads,
                                    .head_dim = Global ? C.global_head_dim : C.head_dim,
                                    .window = Global ? 0 : C.window,
                                    .scale = 1.0f,
                                    .values_are_keys = Global&& C.values_are_keys,
                                    .sharing = Sharing,
                                    .shared_slot = Global ? 1 : 0},
                                   rope<{.theta = Global ? gemma4_global_theta : gemma4_local_theta,
                                         .proportion = Global ? gemma4_global_proportion : 1.0f}>,
                                   rms_norm<{.epsilon = C.epsilon}>, rms_norm<{.epsilon = C.epsilon, .scale = false}>>;

template <gemma4_config C, std::size_t Inner>
struct gemma4_mlp {
  using type = sandwich<rms_norm<{.epsilon = C.epsilon}>, gated_mlp<Inner, gelu_tanh>>;
};
template <gemma4_config C, std::size_t Inner>
  requires(C.experts != 0)
struct gemma4_mlp<C, Inner> {
  using type = dense_and_experts<
      norm_config{.epsilon = C.epsilon}, gated_mlp<Inner, gelu_tanh>,
      moe<{.experts = C.experts, .top_k = C.top_k, .inner = C.expert_inner, .expert_scale = true}, gelu_tanh>>;
};

template <gemma4_config C>
inline constexpr per_layer_config gemma4_per_layer{
    .vocab = C.vocab, .layers = C.layers, .width = C.per_layer_width, .epsilon = C.epsilon};

template <gemma4_config C, class Attention, class Mlp>
struct gemma4_branches {
  using type = branches<Attention, Mlp, stream_scale>;
};
template <gemma4_config C, class Attention, class Mlp>
  requires(C.per_layer_width != 0)
struct gemma4_branches<C, Attention, Mlp> {
  using type = branches<Attention, Mlp, per_layer_input<gemma4_per_layer<C>, gelu_tanh>, stream_scale>;
};

}  // namespace detail

/// One block: with a window or seeing all, with keys and values of its own or borrowed ones.
template <gemma4_config C, bool Global, cache_sharing Sharing = cache_sharing::none>
using gemma4_block = typename detail::gemma4_branches<
    C, sandwich<rms_norm<{.epsilon = C.epsilon}>, detail::gemma4_attention<C, Global, Sharing>>,
    typename detail::gemma4_mlp<C, C.inner*(C.double_inner&& Sharing == cache_sharing::borrows ? 2 : 1)>::type>::type;

namespace detail {

inline constexpr std::array gemma4_rules{
    tensor_rule{"embedding.weight", {"model.embed_tokens.weight"}, {"token_embd.weight"}},
    tensor_rule{"side.embedding.weight", {"model.embed_tokens_per_layer.weight"}, {"per_layer_token_embd.weight"}},
    tensor_rule{"side.projection.weight", {"model.per_layer_model_projection.weight"}, {"per_layer_model_proj.weight"}},
    tensor_rule{"side.norm.weight", {"model.per_layer_projection_norm.weight"}, {"per_layer_proj_norm.weight"}},
    tensor_rule{
        "blocks.#.attention.norm.weight", {"model.layers.#.input_layernorm.weight"}, {"blk.#.attn_norm.weight"}},
    tensor_rule{"blocks.#.attention.q.weight", {"model.layers.#.self_attn.q_proj.weight"}, {"blk.#.attn_q.weight"}},
    tensor_rule{"blocks.#.attention.k.weight", {"model.layers.#.self_attn.k_proj.weight"}, {"blk.#.attn_k.weight"}},
    tensor_rule{"blocks.#.attention.v.weight", {"model.layers.#.self_attn.v_proj.weight"}, {"blk.#.attn_v.weight"}},
    tensor_rule{
        "blocks.#.attention.o.weight", {"model.layers.#.self_attn.o_proj.weight"}, {"blk.#.attn_output.weight"}},
    tensor_rule{
        "blocks.#.attention.q_norm.weight", {"model.layers.#.self_attn.q_norm.weight"}, {"blk.#.attn_q_norm.weight"}},
    tensor_rule{
        "blocks.#.attention.k_norm.weight", {"model.layers.#.self_attn.k_norm.weight"}, {"blk.#.attn_k_norm.weight"}},
    tensor_rule{"blocks.#.attention.post_norm.weight",
                {"model.layers.#.post_attention_layernorm.weight"},
                {"blk.#.post_attention_norm.weight"}},
    tensor_rule{
        "blocks.#.mlp.norm.weight", {"model.layers.#.pre_feedforward_layernorm.weight"}, {"blk.#.ffn_norm.weight"}},
    tensor_rule{"blocks.#.mlp.gate.weight", {"model.layers.#.mlp.gate_proj.weight"}, {"blk.#.ffn_gate.weight"}},
    tensor_rule{"blocks.#.mlp.up.weight", {"model.layers.#.mlp.up_proj.weight"}, {"blk.#.ffn_up.weight"}},
    tensor_rule{"blocks.#.mlp.down.weight", {"model.layers.#.mlp.down_proj.weight"}, {"blk.#.ffn_down.weight"}},
    tensor_rule{"blocks.#.mlp.post_norm.weight",
                {"model.layers.#.post_feedforward_layernorm.weight"},
                {"blk.#.post_ffw_norm.weight"}},
    tensor_rule{"blocks.#.mlp.dense_norm.weight",
                {"model.layers.#.post_feedforward_layernorm_1.weight"},
                {"blk.#.post_ffw_norm_1.weight"}},
    tensor_rule{"blocks.#.mlp.expert_in_norm.weight",
                {"model.layers.#.pre_feedforward_layernorm_2.weight"},
                {"blk.#.pre_ffw_norm_2.weight"}},
    tensor_rule{"blocks.#.mlp.expert_norm.weight",
                {"model.layers.#.post_feedforward_layernorm_2.weight"},
                {"blk.#.post_ffw_norm_2.weight"}},
    tensor_rule{"blocks.#.mlp.router.weight", {"model.layers.#.router.proj.weight"}, {"blk.#.ffn_gate_inp.weight"}},
    tensor_rule{"blocks.#.mlp.router.scale", {"model.layers.#.router.scale"}, {"blk.#.ffn_gate_inp.scale"}},
    tensor_rule{
        "blocks.#.mlp.experts.scale", {"model.layers.#.router.per_expert_scale"}, {"blk.#.ffn_down_exps.scale"}},
    tensor_rule{
        "blocks.#.mlp.experts.gate.weight", {"model.layers.#.experts.gate_up_proj"}, {"blk.#.ffn_gate_up_exps.weight"}},
    tensor_rule{
        "blocks.#.mlp.experts.up.weight", {"model.layers.#.experts.gate_up_proj"}, {"blk.#.ffn_gate_up_exps.weight"}},
    tensor_rule{
        "blocks.#.mlp.experts.down.weight", {"model.layers.#.experts.down_proj"}, {"blk.#.ffn_down_exps.weight"}},
    tensor_rule{
        "blocks.#.per_layer.gate.weight", {"model.layers.#.per_layer_input_gate.weight"}, {"blk.#.inp_gate.weight"}},
    tensor_rule{"blocks.#.per_layer.up.weight", {"model.layers.#.per_layer_projection.weight"}, {"blk.#.proj.weight"}},
    tensor_rule{"blocks.#.per_layer.post_norm.weight",
                {"model.layers.#.post_per_layer_input_norm.weight"},
                {"blk.#.post_norm.weight"}},
    tensor_rule{"blocks.#.scale.weight", {"model.layers.#.layer_scalar"}, {"blk.#.layer_output_scale.weight"}},
    tensor_rule{"norm.weight", {"model.norm.weight"}, {"output_norm.weight"}},
};
inline constexpr std::string_view gemma4_architectures[] = {"gemma4"};
inline constexpr std::string_view gemma4_config_types[] = {"gemma4_text", "gemma4", "gemma4_unified"};
inline constexpr std::string_view gemma4_prefixes[] = {"model.language_model."};
// Layers that borrow may still carry the keys and values they do not use.
inline constexpr std::string_view gemma4_known[] = {"rope_freqs.weight",
                                                    "blk.#.attn_k.weight",
                                                    "blk.#.attn_v.weight",
                                                    "blk.#.attn_k_norm.weight",
                                                    "model.layers.#.self_attn.k_proj.weight",
                                                    "model.layers.#.self_attn.v_proj.weight",
                                                    "model.layers.#.self_attn.k_norm.weight",
                                                    "model.language_model.layers.#.self_attn.k_proj.weight",
                                                    "model.language_model.layers.#.self_attn.v_proj.weight",
                                                    "model.language_model.layers.#.self_attn.k_norm.weight",
                                                    "model.vision_tower.*",
                                                    "model.audio_tower.*",
                                                    "model.embed_vision.*",
                                                    "model.embed_audio.*"};

/// The blocks of the published models: whole periods, the last ones borrowing.
template <gemma4_config C, cache_sharing Sharing = cache_sharing::none>
using gemma4_local = gemma4_block<C, false, Sharing>;
template <gemma4_config C, cache_sharing Sharing = cache_sharing::none>
using gemma4_global = gemma4_block<C, true, Sharing>;

template <gemma4_config C>
struct gemma4_model {
  static_assert(C.layers % C.period == 0);
  using type = causal_lm<
      {.vocab = C.vocab, .width = C.width, .embedding_scale = square_root(C.width), .logit_soft_cap = C.logit_soft_cap},
      repeat<C.layers / C.period, repeat<C.period - 1, gemma4_local<C>>, gemma4_global<C>>,
      rms_norm<{.epsilon = C.epsilon}>, tied_head>;
};
template <gemma4_config C>
  requires(C.shared_layers != 0)
struct gemma4_model<C> {
  static_assert(C.layers % C.period == 0 && C.shared_layers % C.period == 0 && C.per_layer_width != 0);
  using type = causal_lm<
      {.vocab = C.vocab, .width = C.width, .embedding_scale = square_root(C.width), .logit_soft_cap = C.logit_soft_cap},
      per_layer_embedding<gemma4_per_layer<C>>,
      repeat<(C.layers - C.shared_layers) / C.period - 1, repeat<C.period - 1, gemma4_local<C>>, gemma4_global<C>>,
      repeat<C.period - 2, gemma4_local<C>>, gemma4_local<C, cache_sharing::lends>,
      gemma4_global<C, cache_sharing::lends>,
      repeat<C.shared_layers / C.period, repeat<C.period - 1, gemma4_local<C, cache_sharing::borrows>>,
             gemma4_global<C, cache_sharing::borrows>>,
      rms_norm<{.epsilon = C.epsilon}>, tied_head>;
};

template <gemma4_config C>
inline constexpr std::array gemma4_facts{
    checkpoint_fact{"vocab_size", "", double(C.vocab), false},
    checkpoint_fact{"hidden_size", "embedding_length", double(C.width)},
    checkpoint_fact{"num_hidden_layers", "block_count", double(C.layers)},
    checkpoint_fact{"num_attention_heads", "attention.head_count", double(C.heads)},
    checkpoint_fact{"num_key_value_heads", "attention.head_count_kv", double(C.kv_heads), false},
    checkpoint_fact{"head_dim", "attention.key_length_swa", double(C.head_dim), false},
    checkpoint_fact{"global_head_dim", "attention.key_length", double(C.global_head_dim), false},
    checkpoint_fact{"intermediate_size", "feed_forward_length", double(C.inner), false},
    checkpoint_fact{"sliding_window", "attention.sliding_window", double(C.window)},
    checkpoint_fact{"num_kv_shared_layers", "attention.shared_kv_layers", double(C.shared_layers), false},
    checkpoint_fact{"hidden_size_per_layer_input", "embedding_length_per_layer_input", double(C.per_layer_width),
                    false},
    checkpoint_fact{"num_experts", "expert_count", double(C.experts), false},
    checkpoint_fact{"top_k_experts", "expert_used_count", double(C.top_k), false},
    checkpoint_fact{"final_logit_softcapping", "final_logit_softcapping", C.logit_soft_cap, false},
    checkpoint_fact{"rms_norm_eps", "attention.layer_norm_rms_epsilon", C.epsilon},
    checkpoint_fact{"rope_parameters.full_attention.rope_theta", "rope.freq_base", gemma4_global_theta, false},
    checkpoint_fact{"rope_parameters.sliding_attention.rope_theta", "rope.freq_base_swa", gemma4_local_theta, false},
    checkpoint_fact{"", "rope.dimension_count", double(C.global_head_dim), false},
    checkpoint_fact{"", "rope.dimension_count_swa", double(C.head_dim), false},
    checkpoint_fact{C.experts != 0 ? "moe_intermediate_size" : "", C.experts != 0 ? "expert_feed_forward_length" : "",
                    double(C.expert_inner), false},
};
template <gemma4_config C>
inline constexpr std::array gemma4_statements{
    checkpoint_statement{.gguf = "attention.sliding_window_pattern",
                         .what = checkpoint_statement::kind::windows_of_blocks,
                         .text = "attention.q.weight"},
    only_if(C.kv_heads != C.global_kv_heads, {.gguf = "attention.head_count_kv",
                                              .what = checkpoint_statement::kind::heads_of_blocks,
                                              .text = "attention.k.weight"}),
    only_if(
        C.double_inner,
        {.gguf = "feed_forward_length", .what = checkpoint_statement::kind::rows_of_blocks, .text = "mlp.up.weight"}),
    checkpoint_statement{
        .config = "layer_types", .what = checkpoint_statement::kind::names_of_blocks, .names = layer_types_by_window},
    checkpoint_statement{
        .config = "attention_k_eq_v", .what = checkpoint_statement::kind::truth, .number = C.values_are_keys},
    only_if(C.values_are_keys, {.config = "num_global_key_value_heads", .number = double(C.global_kv_heads)}),
    null_if(!C.values_are_keys, "num_global_key_value_heads"),
    checkpoint_statement{
        .config = "use_double_wide_mlp", .what = checkpoint_statement::kind::truth, .number = C.double_inner},
    checkpoint_statement{
        .config = "enable_moe_block", .what = checkpoint_statement::kind::truth, .number = C.experts != 0},
    null_if(C.experts == 0, "num_experts"),
    null_if(C.experts == 0, "top_k_experts"),
    only_if(C.per_layer_width != 0, {.config = "vocab_size_per_layer_input", .number = double(C.vocab)}),
    checkpoint_statement{.config = "rope_parameters.full_attention.rope_type",
                         .what = checkpoint_statement::kind::word,
                         .text = "proportional"},
    checkpoint_statement{.config = "rope_parameters.full_attention.partial_rotary_factor",
                         .number = gemma4_global_proportion},
    checkpoint_statement{.config = "rope_parameters.sliding_attention.rope_type",
                         .what = checkpoint_statement::kind::word,
                         .text = "default"},
};

template <gemma4_config C>
constexpr checkpoint_description describe_gemma4() {
  return {.config_types = gemma4_config_types,
          .architectures = gemma4_architectures,
          .rules = gemma4_rules,
          .facts = gemma4_facts<C>,
          .known = gemma4_known,
          .prefixes = gemma4_prefixes,
          .words = gelu_tanh_words,
          .statements = gemma4_statements<C>,
          .config_class = "Gemma4ForCausalLM"};
}

}  // namespace detail

template <gemma4_config C>
struct gemma4 : detail::gemma4_model<C>::type {
  static constexpr checkpoint_description checkpoint() { return detail::describe_gemma4<C>(); }
};

struct gemma4_e2b : gemma4<{.vocab = 262144,
                            .width = 1536,
                            .layers = 35,
                            .period = 5,
                            .heads = 8,
                            .kv_heads = 1,
                            .global_kv_heads = 1,
                            .inner = 6144,
                            .window = 512,
                            .shared_layers = 20,
                            .per_layer_width = 256,
                            .double_inner = true}> {};
struct gemma4_e4b : gemma4<{.vocab = 262144,
                            .width = 2560,
                            .layers = 42,
                            .period = 6,
                            .heads = 8,
                            .kv_heads = 2,
                            .global_kv_heads = 2,
                            .inner = 10240,
                            .window = 512,
                            .shared_layers = 18,
                            .per_layer_width = 256}> {};
struct gemma4_12b : gemma4<{.vocab = 262144,
                            .width = 3840,
                            .layers = 48,
                            .period = 6,
                            .heads = 16,
                            .kv_heads = 8,
                            .global_kv_heads = 1,
                            .inner = 15360,
                            .window = 1024,
                            .values_are_keys = true}> {};
struct gemma4_26b_a4b : gemma4<{.vocab = 262144,
                                .width = 2816,
                                .layers = 30,
                                .period = 6,
                                .heads = 16,
                                .kv_heads = 8,
                                .global_kv_heads = 2,
                                .inner = 2112,
                                .window = 1024,
                                .values_are_keys = true,
                                .experts = 128,
                                .top_k = 8,
                                .expert_inner = 704}> {};
struct gemma4_31b : gemma4<{.vocab = 262144,
                            .width = 5376,
                            .layers = 60,
                            .period = 6,
                            .heads = 32,
                            .kv_heads = 16,
                            .global_kv_heads = 4,
                            .inner = 21504,
                            .window = 1024,
                            .values_are_keys = true}> {};

}  // namespace inlay::models
