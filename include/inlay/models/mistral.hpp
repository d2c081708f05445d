// SPDX-License-Identifier: Apache-2.0
// Mistral 7B (Jiang et al. 2023), Nemo, Small, Ministral and Ministral 3: Llama's shape, some with a sliding window,
// some with YaRN and queries that grow with the position.
#pragma once

#include <array>
#include <string_view>

#include "inlay/models/llama.hpp"

namespace inlay::models {

namespace detail {

inline constexpr std::string_view mistral_config_types[] = {"mistral", "ministral", "ministral3", "mistral3"};
// The same kinds, the first that of the models that are made.
inline constexpr std::string_view ministral_config_types[] = {"ministral", "mistral", "ministral3", "mistral3"};
inline constexpr std::string_view ministral3_config_types[] = {"ministral3", "mistral3", "mistral", "ministral"};
inline constexpr std::string_view mistral_architectures[] = {"llama", "mistral3"};
inline constexpr std::string_view mistral3_architectures[] = {"mistral3", "llama"};
inline constexpr std::string_view mistral_known[] = {"rope_freqs.weight", "vision_tower.*", "multi_modal_projector.*",
                                                     "model.vision_tower.*", "model.multi_modal_projector.*"};
inline constexpr std::string_view mistral_prefixes[] = {"language_model.model.", "model.language_model."};

}  // namespace detail

template <llama_config C>
struct mistral : llama_shape<C> {
  /// Whether it is Ministral 3, which converters to GGUF give an architecture of its own.
  static constexpr bool is_third = C.temperature_beta != 0.0f || C.rope.yarn.factor != 1.0f;
  static constexpr std::array facts = join(
      decoder_facts({C.vocab, C.width, C.layers, C.heads, C.kv_heads, C.head_dim, C.inner, C.epsilon, 0.0f, C.window}),
      std::array{
          checkpoint_fact{is_third ? new_rope_theta_key : rope_theta_key, "rope.freq_base", C.rope.theta, false},
          checkpoint_fact{is_third ? new_rope_factor_key : rope_factor_key, "rope.scaling.factor", C.rope.yarn.factor,
                          C.rope.yarn.factor != 1.0f, C.rope.yarn.factor != 1.0f},
          checkpoint_fact{"rope_parameters.llama_4_scaling_beta|llama_4_scaling_beta", "attention.temperature_scale",
                          C.temperature_beta, C.temperature_beta != 0.0f, C.temperature_beta != 0.0f},
          checkpoint_fact{"", "rope.dimension_count", double(C.head_dim), false},
      });
  static constexpr std::array statements =
      join(yarn_statements(C.rope.yarn, is_third), std::array{null_if(C.window == 0, "sliding_window")});
  static constexpr checkpoint_description checkpoint() {
    return {.config_types = is_third ? detail::ministral3_config_types : detail::mistral_config_types,
            .architectures = is_third ? detail::mistral3_architectures : detail::mistral_architectures,
            .rules = detail::llama_rules,
            .facts = facts,
            .known = detail::mistral_known,
            .prefixes = detail::mistral_prefixes,
            .words = silu_words,
            .statements = statements,
            .config_class = is_third ? "Ministral3ForCausalLM" : "MistralForCausalLM"};
  }
};

/// Of a model with windows in some of its layers, `C` the configuration of those: what it states beside.
template <llama_config C>
struct ministral {
  static constexpr std::array statements =
      join(mistral<C>::statements, std::array{checkpoint_statement{.config = "layer_types",
                                                                   .what = checkpoint_statement::kind::names_of_blocks,
                                                                   .names = layer_types_by_window}});
  static constexpr checkpoint_description checkpoint() {
    checkpoint_description d = mistral<C>::checkpoint();
    d.config_types = detail::ministral_config_types;
    d.statements = statements;
    d.config_class = "MinistralForCausalLM";
    return d;
  }
};

struct mistral_7b_v0_1 : mistral<{.vocab = 32000,
                                  .width = 4096,
                                  .layers = 32,
                                  .heads = 32,
                                  .kv_heads = 8,
                                  .head_dim = 128,
                                  .inner = 14336,
                                  .window = 4096}> {};
struct mistral_7b_v0_3 : mistral<{.vocab = 32768,
                                  .width = 4096,
                                  .layers = 32,
                                  .heads = 32,
                                  .kv_heads = 8,
                                  .head_dim = 128,
                                  .inner = 14336,
                                  .rope = {.theta = 1e6f}}> {};
struct mistral_nemo_12b : mistral<{.vocab = 131072,
                                   .width = 5120,
                                   .layers = 40,
                                   .heads = 32,
                                   .kv_heads = 8,
                                   .head_dim = 128,
                                   .inner = 14336,
                                   .rope = {.theta = 1e6f}}> {};
struct mistral_small_24b : mistral<{.vocab = 131072,
                                    .width = 5120,
                                    .layers = 40,
                                    .heads = 32,
                                    .kv_heads = 8,
                                    .head_dim = 128,
                                    .inner = 32768,
                                    .rope = {.theta = 1e8f}}> {};
struct ministral_8b : mistral<{.vocab = 131072,
                               .width = 4096,
                               .layers = 36,
                               .heads = 32,
                               .kv_heads = 8,
                               .head_dim = 128,
                               .inner = 12288,
                               .rope = {.theta = 1e8f}}> {};

inline constexpr rope_config ministral3_rope{
    .theta = 1e6f, .yarn = {.factor = 16.0f, .original_context = 16384.0f, .attention_factor = 1.0f}};
struct ministral3_3b : mistral<{.vocab = 131072,
                                .width = 3072,
                                .layers = 26,
                                .heads = 32,
                                .kv_heads = 8,
                                .head_dim = 128,
                                .inner = 9216,
                                .rope = ministral3_rope,
                                .tied = true,
                                .temperature_beta = 0.1f,
                                .temperature_period = 16384.0f}> {};
struct ministral3_8b : mistral<{.vocab = 131072,
                                .width = 4096,
                                .layers = 34,
                                .heads = 32,
                                .kv_heads = 8,
                                .head_dim = 128,
                                .inner = 14336,
                                .rope = ministral3_rope,
                                .temperature_beta = 0.1f,
                                .temperature_period = 16384.0f}> {};

}  // namespace inlay::models
