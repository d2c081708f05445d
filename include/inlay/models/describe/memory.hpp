// SPDX-License-Identifier: Apache-2.0
// What a sequence takes of memory, told from a checkpoint's header: the same numbers as the type's state_bytes has, but
// for the rounding of each part to whole cache lines.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/core/dtype.hpp"
#include "inlay/models/describe/gemma.hpp"
#include "inlay/models/describe/type_text.hpp"

namespace inlay::models {

/// What one layer remembers.
struct layer_memory {
  std::size_t kv_heads = 0, head_dim = 0;
  std::size_t window = 0;            ///< 0: all positions
  bool lent = false;                 ///< keeps a whole batch beside the window
  std::size_t recurrent_floats = 0;  ///< whatever the context
};

inline std::size_t bytes(const layer_memory& m, std::size_t context, dtype kv_type, std::size_t batch) {
  const std::size_t positions = m.window == 0 ? context : std::min(context, m.window + (m.lent ? batch : 0));
  return 2 * m.kv_heads * positions * row_bytes(kv_type, m.head_dim) + m.recurrent_floats * sizeof(float);
}

/// Of every layer of a decoder; empty for encoders, which remember nothing.
inline result<std::vector<layer_memory>> describe_memory(const checkpoint_header& header) {
  using namespace detail;
  header_reader r(header);
  if (header.kind() == "bert" || header.kind() == "mobilebert") return std::vector<layer_memory>();
  std::vector<layer_memory> out;
  const std::size_t layers = header.words("layers_block_type", "").empty()
                                 ? r.layers("num_hidden_layers|num_transformer_layers", "block_count")
                                 : header.words("layers_block_type", "").size();
  const auto heads = r.each("num_attention_heads|num_query_heads", "attention.head_count", layers);
  const auto kv_heads = r.each("num_key_value_heads|num_kv_heads", "attention.head_count_kv", layers, heads[0]);
  const std::size_t width = r.whole("hidden_size|model_dim", "embedding_length");
  const std::size_t head_dim = r.whole("head_dim", "attention.key_length", width / std::max<std::size_t>(1, heads[0]));
  const std::size_t local_head_dim = header.is_gguf() ? r.whole("", "attention.key_length_swa", head_dim) : head_dim;
  const std::size_t shared = std::min(layers, r.whole("num_kv_shared_layers", "attention.shared_kv_layers", 0));
  std::size_t window = r.whole("sliding_window", "attention.sliding_window", 0);
  if (header.kind() == "phi3" && window >= r.whole("max_position_embeddings", "context_length")) window = 0;
  if (header.kind().starts_with("qwen")) window = 0;
  std::vector<bool> global = global_layers(header, layers);
  if (global.empty() && header.kind().starts_with("gemma3")) {
    const std::size_t period =
        std::max<std::size_t>(1, r.whole("sliding_window_pattern", "attention.sliding_window_pattern", 6));
    for (std::size_t i = 0; i < layers; ++i) global.push_back((i + 1) % period == 0);
  }
  if (global.empty()) global.assign(layers, window == 0);

  const std::size_t own = layers - shared;
  for (std::size_t i = 0; i < layers; ++i) {
    layer_memory& m = out.emplace_back();
    const auto has = [&](std::string_view safetensors, std::string_view gguf) {
      return header.has(concat("layers.", i, ".", safetensors), concat("blk.", i, ".", gguf));
    };
    if (has("linear_attn.A_log", "ssm_alpha.weight")) {
      const std::size_t value_heads = std::max<std::size_t>(1, r.whole("linear_num_value_heads", "ssm.time_step_rank"));
      const std::size_t key_dim = r.whole("linear_key_head_dim", "ssm.state_size");
      const std::size_t value_dim =
          header.is_gguf() ? r.whole("", "ssm.inner_size") / value_heads : r.whole("linear_value_head_dim", "");
      const std::size_t channels =
          2 * r.whole("linear_num_key_heads", "ssm.group_count") * key_dim + value_heads * value_dim;
      m.recurrent_floats =
          value_heads * key_dim * value_dim +
          (std::max<std::size_t>(1, r.whole("linear_conv_kernel_dim", "ssm.conv_kernel")) - 1) * channels;
    } else if (has("mixer.A_log", "ssm_in.weight")) {
      const std::size_t inner = header.is_gguf() ? r.whole("", "ssm.inner_size")
                                                 : r.whole("mamba_num_heads", "") * r.whole("mamba_head_dim", "");
      const std::size_t state = r.whole("ssm_state_size", "ssm.state_size");
      const std::size_t channels = inner + 2 * r.whole("n_groups", "ssm.group_count") * state;
      m.recurrent_floats =
          inner * state + (std::max<std::size_t>(1, r.whole("conv_kernel", "ssm.conv_kernel", 4)) - 1) * channels;
    } else if (i < own && (has("self_attn.o_proj.weight", "attn_output.weight") || has("mixer.o_proj.weight", "") ||
                           has("attn.out_proj.weight", ""))) {
      m.window = global[i] ? 0 : window;
      m.kv_heads = kv_heads[i];
      m.head_dim = global[i] ? head_dim : local_head_dim;
      if (header.kind().starts_with("gemma4") && !header.is_gguf() && global[i]) {
        m.kv_heads = r.whole("num_global_key_value_heads", "", kv_heads[i]);
        m.head_dim = r.whole(concat("global_head_dim|per_layer_config.", i, ".head_dim"), "", 512);
      }
      const auto last = [&](bool kind) {
        for (std::size_t j = i + 1; j < own; ++j)
          if (global[j] == kind) return false;
        return true;
      };
      m.lent = shared != 0 && last(global[i]);
    }
  }
  if (r.failure()) return unexpected<error>(*r.failure());
  return out;
}

}  // namespace inlay::models
