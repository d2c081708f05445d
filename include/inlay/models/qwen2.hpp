// SPDX-License-Identifier: Apache-2.0
// Qwen2.5 (Yang et al. 2024): Llama's shape with biases on queries, keys and values.
#pragma once

#include <array>
#include <string_view>

#include "inlay/models/llama.hpp"

namespace inlay::models {

namespace detail {

inline constexpr auto qwen2_rules = decoder_rules(row_order::same);
inline constexpr std::string_view qwen2_architectures[] = {"qwen2"};
inline constexpr std::string_view qwen2_config_types[] = {"qwen2"};

consteval llama_config with_qkv_bias(llama_config c) {
  c.qkv_bias = true;
  return c;
}

}  // namespace detail

template <llama_config C>
struct qwen2 : llama_shape<detail::with_qkv_bias(C)> {
  static_assert(C.window == 0, "inlay: Qwen2.5 checkpoints state a window that is not used");
  static constexpr std::array facts = join(
      decoder_facts({C.vocab, C.width, C.layers, C.heads, C.kv_heads, C.head_dim, C.inner, C.epsilon, C.rope.theta}),
      std::array{checkpoint_fact{rope_factor_key, "rope.scaling.factor", C.rope.yarn.factor, C.rope.yarn.factor != 1.0f,
                                 C.rope.yarn.factor != 1.0f}});
  static constexpr auto statements = yarn_statements(C.rope.yarn);
  static constexpr checkpoint_description checkpoint() {
    return {.config_types = detail::qwen2_config_types,
            .architectures = detail::qwen2_architectures,
            .rules = detail::qwen2_rules,
            .facts = facts,
            .known = {},
            .words = silu_words,
            .statements = statements,
            .config_class = "Qwen2ForCausalLM"};
  }
};

inline constexpr rope_config qwen2_rope{.theta = 1e6f};
struct qwen2_5_0_5b : qwen2<{.vocab = 151936,
                             .width = 896,
                             .layers = 24,
                             .heads = 14,
                             .kv_heads = 2,
                             .head_dim = 64,
                             .inner = 4864,
                             .rope = qwen2_rope,
                             .epsilon = 1e-6f,
                             .tied = true}> {};
struct qwen2_5_1_5b : qwen2<{.vocab = 151936,
                             .width = 1536,
                             .layers = 28,
                             .heads = 12,
                             .kv_heads = 2,
                             .head_dim = 128,
                             .inner = 8960,
                             .rope = qwen2_rope,
                             .epsilon = 1e-6f,
                             .tied = true}> {};
struct qwen2_5_3b : qwen2<{.vocab = 151936,
                           .width = 2048,
                           .layers = 36,
                           .heads = 16,
                           .kv_heads = 2,
                           .head_dim = 128,
                           .inner = 11008,
                           .rope = qwen2_rope,
                           .epsilon = 1e-6f,
                           .tied = true}> {};

}  // namespace inlay::models
