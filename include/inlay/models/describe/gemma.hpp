// SPDX-License-Identifier: Apache-2.0
// The types of checkpoints of Gemma 3 and Gemma 4.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/models/describe/type_text.hpp"

namespace inlay::models {

namespace detail {

/// Which layers see all, from whatever states it; empty if nothing does.
inline std::vector<bool> global_layers(const checkpoint_header& header, std::size_t layers) {
  std::vector<bool> out;
  for (const std::string& type : header.words("layer_types", "")) out.push_back(type == "full_attention");
  if (out.empty())
    for (const double window : header.numbers("", "attention.sliding_window_pattern")) out.push_back(window == 0.0);
  out.resize(out.empty() ? 0 : layers);
  return out;
}

}  // namespace detail

inline result<std::string> describe_gemma3(const checkpoint_header& header, std::string_view name) {
  using namespace detail;
  header_reader r(header);
  const std::size_t vocab = r.vocab("embed_tokens.weight"), width = r.whole("hidden_size", "embedding_length");
  const std::size_t layers = r.layers("num_hidden_layers", "block_count");
  const std::size_t head_dim = r.whole("head_dim", "attention.key_length", 256);
  const float epsilon = r.real("rms_norm_eps", "attention.layer_norm_rms_epsilon", 1e-6f);
  // A GGUF does not state the scale of queries; converters expect the head's dimension, but for the 27B model.
  const float query_scale = r.real("query_pre_attn_scalar", "", static_cast<float>(head_dim));
  std::size_t period =
      std::max<std::size_t>(1, r.whole("sliding_window_pattern", "attention.sliding_window_pattern", 6));
  const std::vector<bool> global = global_layers(header, layers);
  std::optional<std::size_t> regular = period;
  if (!global.empty()) {
    const bool as_usual = [&] {
      for (std::size_t i = 0; i < layers; ++i)
        if (global[i] != ((i + 1) % period == 0)) return false;
      return true;
    }();
    if (!as_usual) regular = period_of(global, true);
  }
  if (layers < regular.value_or(0)) regular.reset();
  period = regular.value_or(period);
  initializers members;
  members.add("vocab", vocab)
      .add("width", width)
      .add("layers", layers)
      .add("heads", r.whole("num_attention_heads", "attention.head_count"))
      .add("kv_heads", r.whole("num_key_value_heads", "attention.head_count_kv", 1))
      .add("head_dim", head_dim)
      .add("inner", r.whole("intermediate_size", "feed_forward_length"))
      .add("window", r.whole("sliding_window", "attention.sliding_window"))
      .unless(256.0f, "query_scale", query_scale)
      .unless(1.0f, "global_linear_factor",
              r.real("rope_scaling.factor|rope_parameters.full_attention.factor", "rope.scaling.factor", 1.0f))
      .unless(1e-6f, "epsilon", epsilon)
      .unless(6, "period", period);
  if (regular) return described(r, declare(name, concat("gemma3<", members.braces(), ">")));
  std::vector<std::string> blocks;
  for (std::size_t i = 0; i < layers; ++i) {
    const bool sees_all = global.empty() ? (i + 1) % period == 0 : global[i];
    blocks.push_back(concat("inlay::models::detail::gemma3_", sees_all ? "global<" : "local<", name, "_config>"));
  }
  return described(
      r, concat("inline constexpr inlay::models::gemma3_config ", name, "_config", members.braces(), ";\n",
                declare_blocks(name,
                               initializers()
                                   .add("vocab", vocab)
                                   .add("width", width)
                                   .add("embedding_scale", concat("inlay::models::detail::square_root(", width, ")")),
                               "", blocks, epsilon, true, concat("gemma3<", name, "_config>::checkpoint()"))));
}

inline result<std::string> describe_gemma4(const checkpoint_header& header, std::string_view name) {
  using namespace detail;
  header_reader r(header);
  const std::size_t vocab = r.vocab("embed_tokens.weight"), width = r.whole("hidden_size", "embedding_length");
  const std::size_t layers = r.layers("num_hidden_layers", "block_count");
  const std::size_t shared = std::min(layers, r.whole("num_kv_shared_layers", "attention.shared_kv_layers", 0));
  const float epsilon = r.real("rms_norm_eps", "attention.layer_norm_rms_epsilon", 1e-6f);
  const float cap = r.real("final_logit_softcapping", "final_logit_softcapping", 0.0f);
  const std::size_t per_layer = r.whole("hidden_size_per_layer_input", "embedding_length_per_layer_input", 0);
  const std::size_t experts = r.whole("num_experts", "expert_count", 0);
  std::vector<bool> global = global_layers(header, layers);
  if (global.empty()) {
    r.fail_with("The file does not state which layers see all.");
    global.resize(layers);
  }
  // The sizes of both kinds of layers, from one of each.
  const auto kind = [&](bool sees_all) {
    return static_cast<std::size_t>(std::find(global.begin(), global.end(), sees_all) - global.begin()) % layers;
  };
  const std::size_t local = kind(false), first_global = kind(true);
  const auto kv_heads = r.each("num_key_value_heads", "attention.head_count_kv", layers, 1);
  std::size_t global_kv_heads = kv_heads[first_global];
  if (!header.is_gguf()) global_kv_heads = r.whole("num_global_key_value_heads", "", kv_heads[0]);
  const std::size_t head_dim = r.whole("head_dim", "attention.key_length_swa", 256);
  const std::size_t global_head_dim =
      r.whole(concat("global_head_dim|per_layer_config.", first_global, ".head_dim"), "attention.key_length", 512);
  const auto inner = r.each("intermediate_size", "feed_forward_length", layers);
  const bool double_inner = header.is_gguf() ? inner.back() == 2 * inner[0] : r.flag("use_double_wide_mlp", "");
  const std::string layer = concat(first_global, ".");
  const bool values_are_keys =
      !header.has(concat("layers.", layer, "self_attn.v_proj.weight"), concat("blk.", layer, "attn_v.weight"));
  initializers members;
  const auto period = period_of(global, false);
  members.add("vocab", vocab)
      .add("width", width)
      .add("layers", layers)
      .add("period", period.value_or(first_global + 1))
      .add("heads", r.whole("num_attention_heads", "attention.head_count"))
      .add("kv_heads", kv_heads[local])
      .add("global_kv_heads", global_kv_heads)
      .unless(256, "head_dim", head_dim)
      .unless(512, "global_head_dim", global_head_dim)
      .add("inner", inner[0])
      .add("window", r.whole("sliding_window", "attention.sliding_window"))
      .unless(0, "shared_layers", shared)
      .unless(0, "per_layer_width", per_layer)
      .flag("double_inner", double_inner)
      .flag("values_are_keys", values_are_keys);
  if (experts != 0)
    members.add("experts", experts)
        .add("top_k", r.whole("top_k_experts", "expert_used_count"))
        .add("expert_inner", r.whole("moe_intermediate_size", "expert_feed_forward_length"));
  members.unless(30.0f, "logit_soft_cap", cap).unless(1e-6f, "epsilon", epsilon);
  // The family's template has whole periods, those that borrow as well, and lending layers of both kinds before them.
  if (period && *period >= 3 && shared % *period == 0 && layers > shared && (shared == 0 || per_layer != 0))
    return described(r, declare(name, concat("gemma4<", members.braces(), ">")));
  if (period && shared == 0 && *period >= 2 && per_layer == 0)
    return described(r, declare(name, concat("gemma4<", members.braces(), ">")));

  // Of the layers with keys and values of their own, the last of either kind lends.
  const std::size_t own = layers - shared;
  std::vector<std::string> blocks;
  for (std::size_t i = 0; i < layers; ++i) {
    const bool lends = shared != 0 && i < own &&
                       std::find(global.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                 global.begin() + static_cast<std::ptrdiff_t>(own),
                                 bool(global[i])) == global.begin() + static_cast<std::ptrdiff_t>(own);
    const std::string_view sharing = i >= own ? ", inlay::cache_sharing::borrows"
                                     : lends  ? ", inlay::cache_sharing::lends"
                                              : "";
    blocks.push_back(
        concat("inlay::models::gemma4_block<", name, "_config, ", global[i] ? "true" : "false", sharing, ">"));
  }
  initializers model;
  model.add("vocab", vocab)
      .add("width", width)
      .add("embedding_scale", concat("inlay::models::detail::square_root(", width, ")"))
      .unless(0.0f, "logit_soft_cap", cap);
  const std::string prelude =
      per_layer == 0
          ? std::string()
          : concat("inlay::per_layer_embedding<inlay::models::detail::gemma4_per_layer<", name, "_config>>,");
  return described(r, concat("inline constexpr inlay::models::gemma4_config ", name, "_config", members.braces(), ";\n",
                             declare_blocks(name, model, prelude, blocks, epsilon, true,
                                            concat("detail::describe_gemma4<", name, "_config>()"))));
}

}  // namespace inlay::models
