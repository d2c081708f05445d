// SPDX-License-Identifier: Apache-2.0
// The types of checkpoints of Qwen3 and Qwen3.5.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/models/decoder_names.hpp"
#include "inlay/models/describe/type_text.hpp"

namespace inlay::models {

inline result<std::string> describe_qwen3(const checkpoint_header& header, std::string_view name) {
  using namespace detail;
  header_reader r(header);
  const bool gguf = header.is_gguf();
  const std::size_t vocab = r.vocab("embed_tokens.weight"), width = r.whole("hidden_size", "embedding_length");
  const std::size_t layers = r.layers("num_hidden_layers", "block_count");
  const std::size_t heads = std::max<std::size_t>(1, r.whole("num_attention_heads", "attention.head_count"));
  const std::size_t experts = r.whole("num_experts|num_local_experts", "expert_count", 0);
  const std::size_t inner =
      r.whole("intermediate_size", "feed_forward_length", experts != 0 ? 0 : std::optional<std::size_t>());
  const float epsilon = r.real("rms_norm_eps", "attention.layer_norm_rms_epsilon");
  const bool tied = r.tied();
  // Layers without a router are dense.
  std::vector<bool> sparse(layers, false);
  for (std::size_t i = 0; i < layers && experts != 0; ++i)
    sparse[i] = header.has(concat("layers.", i, ".mlp.gate.weight"), concat("blk.", i, ".ffn_gate_inp.weight"));

  initializers common, experts_only, rest;
  common.add("vocab", vocab)
      .add("width", width)
      .add("layers", layers)
      .add("heads", heads)
      .add("kv_heads", r.whole("num_key_value_heads", "attention.head_count_kv", heads))
      .add("head_dim", r.whole("head_dim", "attention.key_length", width / heads));
  if (experts != 0)
    experts_only.add("inner", r.whole("moe_intermediate_size", "expert_feed_forward_length"))
        .add("experts", experts)
        .add("top_k", r.whole("num_experts_per_tok", "expert_used_count"))
        .flag("normalise", gguf || r.flag("norm_topk_prob", ""), true);
  rest.unless(1'000'000.0f, "theta", r.real(rope_theta_key, "rope.freq_base", 10'000.0f))
      .unless(1e-6f, "epsilon", epsilon)
      .flag("tied", tied);
  initializers dense = common, with_experts = common;
  dense.add("inner", inner).append(rest);
  with_experts.append(experts_only).append(rest);

  const auto first_dense = std::find(sparse.begin(), sparse.end(), false);
  if (experts == 0 || first_dense == sparse.end())
    return described(r, declare(name, concat("qwen3<", (experts == 0 ? dense : with_experts).braces(), ">")));
  std::vector<std::string> blocks;
  blocks.reserve(sparse.size());
  for (const bool s : sparse)
    blocks.push_back(concat("inlay::models::qwen3_block<", name, s ? "_experts" : "_dense", ">"));
  return described(
      r, concat("inline constexpr inlay::models::qwen3_config ", name, "_experts", with_experts.braces(), ";\n",
                "inline constexpr inlay::models::qwen3_config ", name, "_dense", dense.braces(), ";\n",
                declare_blocks(name, initializers().add("vocab", vocab).add("width", width), "", blocks, epsilon, tied,
                               concat("qwen3<", name, "_experts>::checkpoint()"))));
}

inline result<std::string> describe_qwen3_5(const checkpoint_header& header, std::string_view name) {
  using namespace detail;
  header_reader r(header);
  const std::size_t layers = r.layers("num_hidden_layers", "block_count");
  const std::size_t head_dim = r.whole("head_dim", "attention.key_length");
  const std::size_t value_heads = std::max<std::size_t>(1, r.whole("linear_num_value_heads", "ssm.time_step_rank"));
  const std::size_t rope_dim = r.rotated(head_dim, 0.25f);
  const std::size_t value_dim =
      header.is_gguf() ? r.whole("", "ssm.inner_size") / value_heads : r.whole("linear_value_head_dim", "");
  // A GGUF counts the layers that predict further tokens, which the type does not have.
  const std::size_t own_layers =
      layers - std::min(layers - 1, header.is_gguf() ? r.whole("", "nextn_predict_layers", 0) : 0);
  std::size_t period = r.whole("full_attention_interval", "full_attention_interval", 4);
  std::vector<bool> full;
  for (const std::string& type : header.words("layer_types", "")) full.push_back(type == "full_attention");
  if (!full.empty()) {
    const auto found = period_of(full, false);
    if (!found) r.fail_with("The attention layers do not follow a period.");
    period = found.value_or(period);
  }
  if (period == 0 || own_layers % period != 0) r.fail_with("The layers are not whole periods of attention.");
  initializers members;
  members.unless(248320, "vocab", r.vocab("embed_tokens.weight"))
      .add("width", r.whole("hidden_size", "embedding_length"))
      .add("layers", own_layers)
      .unless(4, "period", period)
      .add("heads", r.whole("num_attention_heads", "attention.head_count"))
      .add("kv_heads", r.each("num_key_value_heads", "attention.head_count_kv", layers).back())
      .unless(256, "head_dim", head_dim)
      .unless(64, "rope_dim", rope_dim)
      .unless(16, "key_heads", r.whole("linear_num_key_heads", "ssm.group_count"))
      .unless(16, "value_heads", value_heads)
      .unless(128, "key_dim", r.whole("linear_key_head_dim", "ssm.state_size"))
      .unless(128, "value_dim", value_dim)
      .unless(4, "taps", r.whole("linear_conv_kernel_dim", "ssm.conv_kernel"))
      .add("inner", r.whole("intermediate_size", "feed_forward_length"))
      .unless(1e7f, "theta", r.real(rope_theta_key, "rope.freq_base"))
      .unless(1e-6f, "epsilon", r.real("rms_norm_eps", "attention.layer_norm_rms_epsilon"))
      .flag("tied", r.tied(), true);
  return described(r, declare(name, concat("qwen3_5<", members.braces(), ">")));
}

}  // namespace inlay::models
