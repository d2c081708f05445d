// SPDX-License-Identifier: Apache-2.0
// The types of checkpoints of Nemotron-H.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/models/describe/type_text.hpp"

namespace inlay::models {

namespace detail {

/// A letter a block, as nemotron_h has them.
inline std::string nemotron_h_pattern(header_reader& r) {
  const checkpoint_header& header = r.header();
  std::string pattern;
  if (!header.is_gguf()) {
    const auto stated = header.words("hybrid_override_pattern", "");
    if (stated.size() == 1) pattern = stated[0];
    if (pattern.empty())
      for (const std::string& type : header.words("layers_block_type", ""))
        pattern += type == "full_attention" || type == "attention" ? '*'
                   : type == "moe"                                 ? 'E'
                   : type == "mlp"                                 ? '-'
                                                                   : 'M';
  } else {
    const std::size_t layers = r.layers("", "block_count");
    for (std::size_t i = 0; i < layers; ++i) {
      const auto has = [&](std::string_view tensor) { return header.has("", concat("blk.", i, ".", tensor)); };
      pattern += has("ssm_in.weight") ? 'M' : has("attn_q.weight") ? '*' : has("ffn_gate_inp.weight") ? 'E' : '-';
    }
  }
  if (pattern.empty() || pattern.size() > 1000 || pattern.find_first_not_of("M*-E") != pattern.npos)
    r.fail_with("The file does not state a pattern of layers that is known.");
  return r.failure() ? std::string("M") : pattern;
}

}  // namespace detail

inline result<std::string> describe_nemotron_h(const checkpoint_header& header, std::string_view name) {
  using namespace detail;
  header_reader r(header);
  const std::string pattern = nemotron_h_pattern(r);
  const auto has = [&](char letter) { return pattern.find(letter) != pattern.npos; };
  const std::size_t blocks = pattern.size();
  const auto largest = [](const std::vector<std::size_t>& list) { return *std::max_element(list.begin(), list.end()); };
  const std::size_t heads = r.whole("num_attention_heads", "attention.head_count");
  const std::size_t mamba_heads = std::max<std::size_t>(1, r.whole("mamba_num_heads", "ssm.time_step_rank"));
  const std::size_t mamba_head_dim =
      header.is_gguf() ? r.whole("", "ssm.inner_size") / mamba_heads : r.whole("mamba_head_dim", "");
  initializers members;
  members.add("vocab", r.vocab("embeddings.weight"))
      .add("width", r.whole("hidden_size", "embedding_length"))
      .add("heads", heads)
      .add("kv_heads", largest(r.each("num_key_value_heads", "attention.head_count_kv", blocks, heads)))
      .add("head_dim", r.whole("head_dim|attention_head_dim", "attention.key_length"));
  if (has('-')) members.add("inner", largest(r.each("intermediate_size", "feed_forward_length", blocks)));
  members.add("mamba_heads", mamba_heads)
      .add("mamba_head_dim", mamba_head_dim)
      .unless(8, "mamba_groups", r.whole("n_groups", "ssm.group_count"))
      .unless(128, "mamba_state", r.whole("ssm_state_size", "ssm.state_size"));
  if (has('E'))
    members.add("experts", r.whole("n_routed_experts", "expert_count"))
        .add("top_k", r.whole("num_experts_per_tok", "expert_used_count"))
        .add("expert_inner", r.whole("moe_intermediate_size", "expert_feed_forward_length"))
        .add("shared_inner", r.whole("moe_shared_expert_intermediate_size", "expert_shared_feed_forward_length"))
        .unless(1, "expert_groups", r.whole("n_group", "expert_group_count", 1))
        .unless(1, "top_expert_groups", r.whole("topk_group", "expert_group_used_count", 1))
        .flag("normalise", r.whole("norm_topk_prob", "expert_weights_norm", 1) != 0, true)
        .unless(2.5f, "expert_scaling", r.real("routed_scaling_factor", "expert_weights_scale", 1.0f));
  members.unless(1e-5f, "epsilon", r.real("layer_norm_epsilon|norm_eps", "attention.layer_norm_rms_epsilon"));
  return described(r, declare(name, concat("nemotron_h<", members.braces(), ", \"", pattern, "\">")));
}

}  // namespace inlay::models
