// SPDX-License-Identifier: Apache-2.0
// Nemotron-H (Blakeman et al. 2025): blocks of one layer each, Mamba-2 for the most part, some feed-forward or experts,
// a few attention without positions.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "inlay/layers/attention.hpp"
#include "inlay/layers/mamba2.hpp"
#include "inlay/layers/mlp.hpp"
#include "inlay/layers/moe.hpp"
#include "inlay/models/causal_lm.hpp"
#include "inlay/models/decoder_names.hpp"

namespace inlay::models {

struct nemotron_h_config {
  std::size_t vocab, width;
  std::size_t heads, kv_heads, head_dim;
  std::size_t inner = 0;  ///< of feed-forward layers
  std::size_t mamba_heads, mamba_head_dim, mamba_groups = 8, mamba_state = 128;
  std::size_t experts = 0, top_k = 0, expert_inner = 0, shared_inner = 0;
  std::size_t expert_groups = 1, top_expert_groups = 1;
  bool normalise = true;
  float expert_scaling = 2.5f;
  float epsilon = 1e-5f;
};

namespace detail {

template <nemotron_h_config C, class Layer>
using nemotron_h_block = branches<residual<rms_norm<{.epsilon = C.epsilon}>, Layer>>;

template <nemotron_h_config C>
using nemotron_h_mamba = nemotron_h_block<C, mamba2<{.heads = C.mamba_heads,
                                                     .head_dim = C.mamba_head_dim,
                                                     .groups = C.mamba_groups,
                                                     .state = C.mamba_state,
                                                     .epsilon = C.epsilon}>>;
template <nemotron_h_config C>
using nemotron_h_attention =
    nemotron_h_block<C, attention<{.heads = C.heads, .kv_heads = C.kv_heads, .head_dim = C.head_dim}>>;
template <nemotron_h_config C>
using nemotron_h_mlp = nemotron_h_block<C, mlp<C.inner, relu_squared>>;
template <nemotron_h_config C>
using nemotron_h_moe = nemotron_h_block<C, moe<{.experts = C.experts,
                                                .top_k = C.top_k,
                                                .inner = C.expert_inner,
                                                .router = moe_router::sigmoid,
                                                .normalise = C.normalise,
                                                .scaling = C.expert_scaling,
                                                .selection_bias = true,
                                                .groups = C.expert_groups,
                                                .top_groups = C.top_expert_groups,
                                                .gated = false,
                                                .shared_inner = C.shared_inner},
                                               relu_squared>>;

inline constexpr std::array nemotron_h_rules{
    tensor_rule{"embedding.weight", {"model.embeddings.weight|model.embed_tokens.weight"}, {"token_embd.weight"}},
    tensor_rule{"blocks.#.mamba.norm.weight", {"model.layers.#.norm.weight"}, {"blk.#.attn_norm.weight"}},
    tensor_rule{"blocks.#.mamba.in.weight", {"model.layers.#.mixer.in_proj.weight"}, {"blk.#.ssm_in.weight"}},
    tensor_rule{"blocks.#.mamba.conv.weight",
                {"model.layers.#.mixer.conv1d.weight", row_order::taps_last},
                {"blk.#.ssm_conv1d.weight", row_order::taps_last}},
    tensor_rule{"blocks.#.mamba.conv.bias", {"model.layers.#.mixer.conv1d.bias"}, {"blk.#.ssm_conv1d.bias"}},
    tensor_rule{"blocks.#.mamba.dt.bias", {"model.layers.#.mixer.dt_bias"}, {"blk.#.ssm_dt.bias"}},
    tensor_rule{"blocks.#.mamba.decay",
                {"model.layers.#.mixer.A_log", row_order::same, value_change::negative_exp},
                {"blk.#.ssm_a", row_order::same, value_change::none, true}},
    tensor_rule{
        "blocks.#.mamba.skip", {"model.layers.#.mixer.D"}, {"blk.#.ssm_d", row_order::same, value_change::none, true}},
    tensor_rule{"blocks.#.mamba.gated_norm.weight",
                {"model.layers.#.mixer.norm.weight"},
                {"blk.#.ssm_norm.weight", row_order::same, value_change::none, true}},
    tensor_rule{"blocks.#.mamba.out.weight", {"model.layers.#.mixer.out_proj.weight"}, {"blk.#.ssm_out.weight"}},
    tensor_rule{"blocks.#.attention.norm.weight", {"model.layers.#.norm.weight"}, {"blk.#.attn_norm.weight"}},
    tensor_rule{"blocks.#.attention.q.weight", {"model.layers.#.mixer.q_proj.weight"}, {"blk.#.attn_q.weight"}},
    tensor_rule{"blocks.#.attention.k.weight", {"model.layers.#.mixer.k_proj.weight"}, {"blk.#.attn_k.weight"}},
    tensor_rule{"blocks.#.attention.v.weight", {"model.layers.#.mixer.v_proj.weight"}, {"blk.#.attn_v.weight"}},
    tensor_rule{"blocks.#.attention.o.weight", {"model.layers.#.mixer.o_proj.weight"}, {"blk.#.attn_output.weight"}},
    tensor_rule{"blocks.#.mlp.norm.weight", {"model.layers.#.norm.weight"}, {"blk.#.attn_norm.weight"}},
    tensor_rule{"blocks.#.mlp.up.weight", {"model.layers.#.mixer.up_proj.weight"}, {"blk.#.ffn_up.weight"}},
    tensor_rule{"blocks.#.mlp.down.weight", {"model.layers.#.mixer.down_proj.weight"}, {"blk.#.ffn_down.weight"}},
    tensor_rule{"blocks.#.mlp.router.weight", {"model.layers.#.mixer.gate.weight"}, {"blk.#.ffn_gate_inp.weight"}},
    tensor_rule{
        "blocks.#.mlp.router.bias", {"model.layers.#.mixer.gate.e_score_correction_bias"}, {"blk.#.exp_probs_b.bias"}},
    tensor_rule{"blocks.#.mlp.experts.up.weight",
                {"model.layers.#.mixer.experts.@.up_proj.weight|model.layers.#.mixer.experts.up_proj"},
                {"blk.#.ffn_up_exps.weight"}},
    tensor_rule{"blocks.#.mlp.experts.down.weight",
                {"model.layers.#.mixer.experts.@.down_proj.weight|model.layers.#.mixer.experts.down_proj"},
                {"blk.#.ffn_down_exps.weight"}},
    tensor_rule{"blocks.#.mlp.shared.up.weight",
                {"model.layers.#.mixer.shared_experts.up_proj.weight"},
                {"blk.#.ffn_up_shexp.weight"}},
    tensor_rule{"blocks.#.mlp.shared.down.weight",
                {"model.layers.#.mixer.shared_experts.down_proj.weight"},
                {"blk.#.ffn_down_shexp.weight"}},
    tensor_rule{"norm.weight", {"model.norm_f.weight|model.norm.weight"}, {"output_norm.weight"}},
    tensor_rule{"head.weight", {"lm_head.weight"}, {"output.weight"}},
};
inline constexpr std::string_view nemotron_h_architectures[] = {"nemotron_h", "nemotron_h_moe"};
inline constexpr std::string_view nemotron_h_config_types[] = {"nemotron_h"};
inline constexpr block_name nemotron_h_letters[] = {
    {"mamba.in.weight", "M"}, {"attention.q.weight", "*"}, {"mlp.experts.up.weight", "E"}, {"mlp.up.weight", "-"}};
inline constexpr std::array nemotron_h_words{checkpoint_word{"mlp_hidden_act", "relu2"}};
inline constexpr std::string_view nemotron_h_known[] = {"mtp.*"};
inline constexpr std::string_view nemotron_h_prefixes[] = {"backbone."};

}  // namespace detail

/// `Pattern` has a letter a block, as in the published configs: M Mamba-2, * attention, - feed-forward, E experts.
template <nemotron_h_config C, fixed_string Pattern>
struct nemotron_h
    : causal_lm<{.vocab = C.vocab, .width = C.width},
                pattern<Pattern, kind<'M', detail::nemotron_h_mamba<C>>, kind<'*', detail::nemotron_h_attention<C>>,
                        kind<'-', detail::nemotron_h_mlp<C>>, kind<'E', detail::nemotron_h_moe<C>>>,
                rms_norm<{.epsilon = C.epsilon}>, own_head> {
  /// A key that only models with experts have.
  static consteval std::string_view of_experts(std::string_view key) {
    return C.experts != 0 ? key : std::string_view();
  }
  static constexpr std::array facts{
      checkpoint_fact{"vocab_size", "vocab_size", double(C.vocab), false},
      checkpoint_fact{"hidden_size", "embedding_length", double(C.width)},
      checkpoint_fact{"num_hidden_layers", "block_count", double(std::string_view(Pattern).size()), false},
      checkpoint_fact{"num_attention_heads", "attention.head_count", double(C.heads)},
      checkpoint_fact{"num_key_value_heads", "", double(C.kv_heads)},
      checkpoint_fact{"head_dim", "attention.key_length", double(C.head_dim), false},
      checkpoint_fact{"mamba_num_heads", "ssm.time_step_rank", double(C.mamba_heads)},
      checkpoint_fact{"mamba_head_dim", "", double(C.mamba_head_dim)},
      checkpoint_fact{"", "ssm.inner_size", double(C.mamba_heads* C.mamba_head_dim)},
      checkpoint_fact{"n_groups", "ssm.group_count", double(C.mamba_groups)},
      checkpoint_fact{"ssm_state_size", "ssm.state_size", double(C.mamba_state)},
      checkpoint_fact{of_experts("n_routed_experts"), of_experts("expert_count"), double(C.experts)},
      checkpoint_fact{of_experts("num_experts_per_tok"), of_experts("expert_used_count"), double(C.top_k)},
      checkpoint_fact{of_experts("routed_scaling_factor"), of_experts("expert_weights_scale"), C.expert_scaling},
      checkpoint_fact{"layer_norm_epsilon|norm_eps", "attention.layer_norm_rms_epsilon", C.epsilon},
      checkpoint_fact{"", "attention.layer_norm_epsilon", C.epsilon, false},
      checkpoint_fact{"conv_kernel", "ssm.conv_kernel", double(mamba2_config{}.taps), false},
      checkpoint_fact{of_experts("moe_intermediate_size"), of_experts("expert_feed_forward_length"),
                      double(C.expert_inner), false},
      checkpoint_fact{of_experts("moe_shared_expert_intermediate_size"),
                      of_experts("expert_shared_feed_forward_length"), double(C.shared_inner), false},
      checkpoint_fact{of_experts("n_group"), of_experts("expert_group_count"), double(C.expert_groups), false},
      checkpoint_fact{of_experts("topk_group"), of_experts("expert_group_used_count"), double(C.top_expert_groups),
                      false},
  };
  static constexpr std::array statements{
      checkpoint_statement{.gguf = "feed_forward_length",
                           .what = checkpoint_statement::kind::rows_of_blocks,
                           .text = "mlp.up.weight|mlp.experts.up.weight"},
      checkpoint_statement{.gguf = "attention.head_count_kv",
                           .what = checkpoint_statement::kind::heads_of_blocks,
                           .text = "attention.k.weight"},
      checkpoint_statement{.config = of_experts("n_shared_experts"),
                           .gguf = of_experts("expert_shared_count"),
                           .number = C.shared_inner != 0},
      checkpoint_statement{.config = of_experts("norm_topk_prob"),
                           .gguf = of_experts("expert_weights_norm"),
                           .what = checkpoint_statement::kind::truth,
                           .number = C.normalise},
      checkpoint_statement{.config = "hybrid_override_pattern",
                           .what = checkpoint_statement::kind::letters_of_blocks,
                           .names = detail::nemotron_h_letters},
      checkpoint_statement{
          .config = "intermediate_size", .what = checkpoint_statement::kind::rows, .text = "mlp.up.weight"},
      checkpoint_statement{
          .config = "use_conv_bias", .what = checkpoint_statement::kind::presence, .text = "mamba.conv.bias"},
  };
  static constexpr checkpoint_description checkpoint() {
    return {.config_types = detail::nemotron_h_config_types,
            .architectures = detail::nemotron_h_architectures,
            .rules = detail::nemotron_h_rules,
            .facts = facts,
            .known = detail::nemotron_h_known,
            .prefixes = detail::nemotron_h_prefixes,
            .words = detail::nemotron_h_words,
            .statements = statements,
            .config_class = "NemotronHForCausalLM"};
  }
};

struct nemotron3_nano_4b : nemotron_h<{.vocab = 131072,
                                       .width = 3136,
                                       .heads = 40,
                                       .kv_heads = 8,
                                       .head_dim = 128,
                                       .inner = 12544,
                                       .mamba_heads = 96,
                                       .mamba_head_dim = 80},
                                      "M-M-M-MM-M-M*-M-M*-M-M-M*-M-M-MM*-MMM-M-M-"> {};
struct nemotron_nano_9b_v2 : nemotron_h<{.vocab = 131072,
                                         .width = 4480,
                                         .heads = 40,
                                         .kv_heads = 8,
                                         .head_dim = 128,
                                         .inner = 15680,
                                         .mamba_heads = 128,
                                         .mamba_head_dim = 80},
                                        "M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-"> {};
struct nemotron3_nano_30b_a3b : nemotron_h<{.vocab = 131072,
                                            .width = 2688,
                                            .heads = 32,
                                            .kv_heads = 2,
                                            .head_dim = 128,
                                            .mamba_heads = 64,
                                            .mamba_head_dim = 64,
                                            .experts = 128,
                                            .top_k = 6,
                                            .expert_inner = 1856,
                                            .shared_inner = 3712},
                                           "MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME"> {};

}  // namespace inlay::models
