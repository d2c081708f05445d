// SPDX-License-Identifier: Apache-2.0
// OpenELM (Mehta et al. 2024): heads and feed-forward widths that grow from layer to layer, so that every block is a
// type of its own; normalised queries and keys; checkpoints hold the projections fused.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <string_view>
#include <utility>

#include "inlay/layers/attention.hpp"
#include "inlay/layers/mlp.hpp"
#include "inlay/models/causal_lm.hpp"
#include "inlay/models/decoder_names.hpp"

namespace inlay::models {

struct openelm_config {
  std::size_t vocab, width, head_dim;
  float theta = 10'000.0f;
  float epsilon = 1e-6f;
};

/// The sizes of one layer.
struct openelm_layer {
  std::size_t heads, kv_heads, inner;
};

/// The rule by which the published models scale their layers, from `first` to `last` in equal steps of depth: widths of
/// queries (a share of the model's) and of the feed-forward layer (a multiple of it).
struct openelm_scaling {
  std::size_t width, head_dim;
  double first_queries = 0.5, last_queries = 1.0;
  double first_inner = 0.5, last_inner = 4.0;
  std::size_t group = 4;            ///< query heads that share a key head
  std::size_t inner_divisor = 256;  ///< of feed-forward widths
};

namespace detail {

/// The multiple of `divisor` that is nearest to `value`, but not less than nine tenths of it.
constexpr std::size_t make_divisible(double value, std::size_t divisor) {
  const auto d = static_cast<double>(divisor);
  const std::size_t near = std::max(divisor, static_cast<std::size_t>((value + d / 2) / d) * divisor);
  return static_cast<double>(near) < 0.9 * value ? near + divisor : near;
}

/// Between `first` and `last`, to two decimals, as the models' configurations state it.
constexpr double openelm_multiplier(double first, double last, std::size_t layer, std::size_t layers) {
  const double exact = first + (last - first) * static_cast<double>(layer) / static_cast<double>(layers - 1);
  // Positive: NOLINTNEXTLINE(bugprone-incorrect-roundings)
  return static_cast<double>(static_cast<std::size_t>(exact * 100.0 + 0.5)) / 100.0;
}

// Rules that name the same tensor share its rows, in this order.
inline constexpr std::array openelm_rules{
    tensor_rule{"embedding.weight", {"transformer.token_embeddings.weight"}, {"token_embd.weight"}},
    tensor_rule{
        "blocks.#.attention.norm.weight", {"transformer.layers.#.attn_norm.weight"}, {"blk.#.attn_norm.weight"}},
    tensor_rule{
        "blocks.#.attention.q.weight", {"transformer.layers.#.attn.qkv_proj.weight"}, {"blk.#.attn_qkv.weight"}},
    tensor_rule{
        "blocks.#.attention.k.weight", {"transformer.layers.#.attn.qkv_proj.weight"}, {"blk.#.attn_qkv.weight"}},
    tensor_rule{
        "blocks.#.attention.v.weight", {"transformer.layers.#.attn.qkv_proj.weight"}, {"blk.#.attn_qkv.weight"}},
    tensor_rule{
        "blocks.#.attention.o.weight", {"transformer.layers.#.attn.out_proj.weight"}, {"blk.#.attn_output.weight"}},
    tensor_rule{
        "blocks.#.attention.q_norm.weight", {"transformer.layers.#.attn.q_norm.weight"}, {"blk.#.attn_q_norm.weight"}},
    tensor_rule{
        "blocks.#.attention.k_norm.weight", {"transformer.layers.#.attn.k_norm.weight"}, {"blk.#.attn_k_norm.weight"}},
    tensor_rule{"blocks.#.mlp.norm.weight", {"transformer.layers.#.ffn_norm.weight"}, {"blk.#.ffn_norm.weight"}},
    tensor_rule{"blocks.#.mlp.gate.weight", {"transformer.layers.#.ffn.proj_1.weight"}, {"blk.#.ffn_gate.weight"}},
    tensor_rule{"blocks.#.mlp.up.weight", {"transformer.layers.#.ffn.proj_1.weight"}, {"blk.#.ffn_up.weight"}},
    tensor_rule{"blocks.#.mlp.down.weight", {"transformer.layers.#.ffn.proj_2.weight"}, {"blk.#.ffn_down.weight"}},
    tensor_rule{"norm.weight", {"transformer.norm.weight"}, {"output_norm.weight"}},
};
/// Of the published rule.
inline constexpr double openelm_queries[] = {openelm_scaling{}.first_queries, openelm_scaling{}.last_queries};
inline constexpr std::array openelm_words{checkpoint_word{"activation_fn_name", "swish|silu"},
                                          checkpoint_word{"normalization_layer_name", "rms_norm"}};
inline constexpr std::string_view openelm_architectures[] = {"openelm"};
inline constexpr std::string_view openelm_config_types[] = {"openelm"};

}  // namespace detail

/// The layers of a model by the published rule.
template <std::size_t Layers>
constexpr std::array<openelm_layer, Layers> scaled_layers(const openelm_scaling& s) {
  std::array<openelm_layer, Layers> all{};
  const auto width = static_cast<double>(s.width);
  for (std::size_t i = 0; i < Layers; ++i) {
    const double queries = detail::openelm_multiplier(s.first_queries, s.last_queries, i, Layers) * width;
    const double inner = detail::openelm_multiplier(s.first_inner, s.last_inner, i, Layers) * width;
    const std::size_t heads = detail::make_divisible(queries, s.head_dim * s.group) / s.head_dim;
    all[i] = {heads, heads / s.group, detail::make_divisible(inner, s.inner_divisor)};
  }
  return all;
}

template <openelm_config C, std::size_t Heads, std::size_t KvHeads, std::size_t Inner>
using openelm_block = residual_block<attention<{.heads = Heads, .kv_heads = KvHeads, .head_dim = C.head_dim},
                                               rope<{.theta = C.theta}>, rms_norm<{.epsilon = C.epsilon}>>,
                                     gated_mlp<Inner, silu>, rms_norm<{.epsilon = C.epsilon}>>;

namespace detail {

template <openelm_config C, auto Layers, class Indices>
struct openelm_shape;
template <openelm_config C, auto Layers, std::size_t... I>
struct openelm_shape<C, Layers, std::index_sequence<I...>> {
  using type = causal_lm<{.vocab = C.vocab, .width = C.width},
                         openelm_block<C, Layers[I].heads, Layers[I].kv_heads, Layers[I].inner>...,
                         rms_norm<{.epsilon = C.epsilon}>, tied_head>;
};

}  // namespace detail

/// `Layers` is a std::array of openelm_layer.
template <openelm_config C, auto Layers>
struct openelm : detail::openelm_shape<C, Layers, std::make_index_sequence<Layers.size()>>::type {
  /// The largest number that divides all feed-forward widths.
  static constexpr std::size_t inner_divisor = [] {
    std::size_t divisor = 0;
    for (const openelm_layer& layer : Layers) divisor = std::gcd(divisor, layer.inner);
    return divisor;
  }();
  /// Whether the heads are those of the published rule.
  static constexpr bool by_rule() {
    if (Layers.size() < 2 || Layers[0].heads % Layers[0].kv_heads != 0) return false;
    const auto rule = scaled_layers<Layers.size()>(
        {.width = C.width, .head_dim = C.head_dim, .group = Layers[0].heads / Layers[0].kv_heads});
    for (std::size_t i = 0; i < Layers.size(); ++i)
      if (rule[i].heads != Layers[i].heads || rule[i].kv_heads != Layers[i].kv_heads) return false;
    return true;
  }
  static constexpr std::array facts{
      checkpoint_fact{"vocab_size", "vocab_size", double(C.vocab), false},
      checkpoint_fact{"model_dim", "embedding_length", double(C.width)},
      checkpoint_fact{"num_transformer_layers", "block_count", double(Layers.size())},
      checkpoint_fact{"head_dim", "attention.key_length", double(C.head_dim)},
      checkpoint_fact{"rope_freq_constant", "rope.freq_base", C.theta, false},
      checkpoint_fact{"", "attention.layer_norm_rms_epsilon", C.epsilon},
      checkpoint_fact{"", "rope.dimension_count", double(C.head_dim), false},
  };
  static constexpr std::array statements{
      checkpoint_statement{
          .gguf = "feed_forward_length", .what = checkpoint_statement::kind::rows_of_blocks, .text = "mlp.up.weight"},
      checkpoint_statement{.config = "num_query_heads",
                           .gguf = "attention.head_count",
                           .what = checkpoint_statement::kind::heads_of_blocks,
                           .text = "attention.q.weight"},
      checkpoint_statement{.config = "num_kv_heads",
                           .gguf = "attention.head_count_kv",
                           .what = checkpoint_statement::kind::heads_of_blocks,
                           .text = "attention.k.weight"},
      checkpoint_statement{.config = "ffn_multipliers",
                           .what = checkpoint_statement::kind::rows_of_blocks,
                           .number = double(C.width),
                           .text = "mlp.up.weight"},
      // Its readers derive the heads from these, where they are stated.
      only_if(
          by_rule(),
          {.config = "qkv_multipliers", .what = checkpoint_statement::kind::reals, .reals = detail::openelm_queries}),
      checkpoint_statement{.config = "ffn_dim_divisor", .number = double(inner_divisor)},
      checkpoint_statement{.config = "num_gqa_groups", .number = double(Layers[0].heads) / Layers[0].kv_heads},
      checkpoint_statement{.config = "ffn_with_glu", .what = checkpoint_statement::kind::truth, .number = 1},
      checkpoint_statement{
          .config = "normalize_qk_projections", .what = checkpoint_statement::kind::truth, .number = 1},
      checkpoint_statement{
          .config = "share_input_output_layers", .what = checkpoint_statement::kind::truth, .number = 1},
  };
  static constexpr checkpoint_description checkpoint() {
    return {.config_types = detail::openelm_config_types,
            .architectures = detail::openelm_architectures,
            .rules = detail::openelm_rules,
            .facts = facts,
            .known = {},
            .words = detail::openelm_words,
            .statements = statements,
            .context_key = "max_context_length",
            .config_class = "OpenELMForCausalLM"};
  }
};

struct openelm_270m
    : openelm<{.vocab = 32000, .width = 1280, .head_dim = 64}, scaled_layers<16>({.width = 1280, .head_dim = 64})> {};
struct openelm_450m
    : openelm<{.vocab = 32000, .width = 1536, .head_dim = 64}, scaled_layers<20>({.width = 1536, .head_dim = 64})> {};
struct openelm_1_1b
    : openelm<{.vocab = 32000, .width = 2048, .head_dim = 64}, scaled_layers<28>({.width = 2048, .head_dim = 64})> {};
struct openelm_3b
    : openelm<{.vocab = 32000, .width = 3072, .head_dim = 128}, scaled_layers<36>({.width = 3072, .head_dim = 128})> {};

}  // namespace inlay::models
