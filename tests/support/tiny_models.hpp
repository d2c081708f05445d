// SPDX-License-Identifier: Apache-2.0
// The types of the tiny checkpoints of tests/data/models, each as `model` in a namespace of the checkpoint's name, just
// as `inspect --type model` prints them: tests/generate/describe_type_test.cpp compares the two.
#pragma once

#include <array>
#include <type_traits>

#include "inlay/models/bert.hpp"
#include "inlay/models/gemma3.hpp"
#include "inlay/models/gemma4.hpp"
#include "inlay/models/llama.hpp"
#include "inlay/models/mistral.hpp"
#include "inlay/models/mobilebert.hpp"
#include "inlay/models/nemotron_h.hpp"
#include "inlay/models/openelm.hpp"
#include "inlay/models/phi3.hpp"
#include "inlay/models/qwen2.hpp"
#include "inlay/models/qwen3.hpp"
#include "inlay/models/qwen3_5.hpp"

namespace tiny {

namespace bert_classifier {
struct model
    : inlay::models::bert_classifier<{.vocab = 136, .width = 40, .layers = 2, .heads = 4, .inner = 64, .positions = 40},
                                     3, inlay::gelu_tanh> {};
}  // namespace bert_classifier

namespace bert_embedding {
struct model
    : inlay::models::bert_embedder<{.vocab = 136, .width = 48, .layers = 2, .heads = 4, .inner = 96, .positions = 40}> {
};
}  // namespace bert_embedding

namespace gemma3_linear {
struct model : inlay::models::gemma3<{.vocab = 272,
                                      .width = 32,
                                      .layers = 6,
                                      .heads = 2,
                                      .kv_heads = 2,
                                      .head_dim = 16,
                                      .inner = 48,
                                      .window = 8,
                                      .query_scale = 16.0f,
                                      .global_linear_factor = 8.0f}> {};
}  // namespace gemma3_linear

namespace gemma3_local_global {
struct model : inlay::models::gemma3<{.vocab = 272,
                                      .width = 32,
                                      .layers = 7,
                                      .heads = 4,
                                      .kv_heads = 1,
                                      .head_dim = 16,
                                      .inner = 48,
                                      .window = 8,
                                      .query_scale = 16.0f}> {};
}  // namespace gemma3_local_global

namespace gemma3_query_scalar {
inline constexpr inlay::models::gemma3_config model_config{.vocab = 272,
                                                           .width = 48,
                                                           .layers = 3,
                                                           .heads = 4,
                                                           .kv_heads = 1,
                                                           .head_dim = 16,
                                                           .inner = 48,
                                                           .window = 8,
                                                           .query_scale = 29.0f};
struct model
    : inlay::causal_lm<
          {.vocab = 272, .width = 48, .embedding_scale = inlay::models::detail::square_root(48)},
          inlay::models::detail::gemma3_global<model_config>, inlay::models::detail::gemma3_local<model_config>,
          inlay::models::detail::gemma3_global<model_config>, inlay::rms_norm<{.epsilon = 1e-6f}>, inlay::tied_head> {
  static constexpr inlay::checkpoint_description checkpoint() {
    return inlay::models::gemma3<model_config>::checkpoint();
  }
};
}  // namespace gemma3_query_scalar

namespace gemma4_dense {
struct model : inlay::models::gemma4<{.vocab = 272,
                                      .width = 48,
                                      .layers = 4,
                                      .period = 4,
                                      .heads = 4,
                                      .kv_heads = 4,
                                      .global_kv_heads = 2,
                                      .head_dim = 16,
                                      .global_head_dim = 32,
                                      .inner = 48,
                                      .window = 8,
                                      .values_are_keys = true}> {};
}  // namespace gemma4_dense

namespace gemma4_e2b {
inline constexpr inlay::models::gemma4_config model_config{.vocab = 272,
                                                           .width = 32,
                                                           .layers = 7,
                                                           .period = 2,
                                                           .heads = 4,
                                                           .kv_heads = 1,
                                                           .global_kv_heads = 1,
                                                           .head_dim = 16,
                                                           .global_head_dim = 32,
                                                           .inner = 48,
                                                           .window = 8,
                                                           .shared_layers = 3,
                                                           .per_layer_width = 8,
                                                           .double_inner = true};
struct model : inlay::causal_lm<{.vocab = 272,
                                 .width = 32,
                                 .embedding_scale = inlay::models::detail::square_root(32),
                                 .logit_soft_cap = 30.0f},
                                inlay::per_layer_embedding<inlay::models::detail::gemma4_per_layer<model_config>>,
                                inlay::models::gemma4_block<model_config, false>,
                                inlay::models::gemma4_block<model_config, true>,
                                inlay::models::gemma4_block<model_config, false, inlay::cache_sharing::lends>,
                                inlay::models::gemma4_block<model_config, true, inlay::cache_sharing::lends>,
                                inlay::models::gemma4_block<model_config, true, inlay::cache_sharing::borrows>,
                                inlay::models::gemma4_block<model_config, false, inlay::cache_sharing::borrows>,
                                inlay::models::gemma4_block<model_config, true, inlay::cache_sharing::borrows>,
                                inlay::rms_norm<{.epsilon = 1e-6f}>, inlay::tied_head> {
  static constexpr inlay::checkpoint_description checkpoint() {
    return inlay::models::detail::describe_gemma4<model_config>();
  }
};
}  // namespace gemma4_e2b

namespace gemma4_e4b {
inline constexpr inlay::models::gemma4_config model_config{.vocab = 272,
                                                           .width = 32,
                                                           .layers = 5,
                                                           .period = 3,
                                                           .heads = 4,
                                                           .kv_heads = 2,
                                                           .global_kv_heads = 2,
                                                           .head_dim = 16,
                                                           .global_head_dim = 32,
                                                           .inner = 48,
                                                           .window = 8,
                                                           .shared_layers = 2,
                                                           .per_layer_width = 16,
                                                           .logit_soft_cap = 2.0f};
struct model : inlay::causal_lm<{.vocab = 272,
                                 .width = 32,
                                 .embedding_scale = inlay::models::detail::square_root(32),
                                 .logit_soft_cap = 2.0f},
                                inlay::per_layer_embedding<inlay::models::detail::gemma4_per_layer<model_config>>,
                                inlay::models::gemma4_block<model_config, false>,
                                inlay::models::gemma4_block<model_config, false, inlay::cache_sharing::lends>,
                                inlay::models::gemma4_block<model_config, true, inlay::cache_sharing::lends>,
                                inlay::models::gemma4_block<model_config, false, inlay::cache_sharing::borrows>,
                                inlay::models::gemma4_block<model_config, true, inlay::cache_sharing::borrows>,
                                inlay::rms_norm<{.epsilon = 1e-6f}>, inlay::tied_head> {
  static constexpr inlay::checkpoint_description checkpoint() {
    return inlay::models::detail::describe_gemma4<model_config>();
  }
};
}  // namespace gemma4_e4b

namespace gemma4_moe {
struct model : inlay::models::gemma4<{.vocab = 272,
                                      .width = 32,
                                      .layers = 4,
                                      .period = 2,
                                      .heads = 4,
                                      .kv_heads = 2,
                                      .global_kv_heads = 1,
                                      .head_dim = 16,
                                      .global_head_dim = 32,
                                      .inner = 48,
                                      .window = 8,
                                      .values_are_keys = true,
                                      .experts = 5,
                                      .top_k = 2,
                                      .expert_inner = 32}> {};
}  // namespace gemma4_moe

namespace llama_bias {
struct model : inlay::models::llama<{.vocab = 272,
                                     .width = 64,
                                     .layers = 2,
                                     .heads = 4,
                                     .kv_heads = 2,
                                     .head_dim = 16,
                                     .inner = 96,
                                     .attention_bias = true,
                                     .mlp_bias = true}> {};
}  // namespace llama_bias

namespace llama_mha {
struct model : inlay::models::llama<{.vocab = 272,
                                     .width = 64,
                                     .layers = 2,
                                     .heads = 4,
                                     .kv_heads = 4,
                                     .head_dim = 16,
                                     .inner = 104,
                                     .tied = true}> {};
}  // namespace llama_mha

namespace llama_rope_scaled {
struct model
    : inlay::models::llama<{.vocab = 261,
                            .width = 64,
                            .layers = 2,
                            .heads = 2,
                            .kv_heads = 1,
                            .head_dim = 32,
                            .inner = 96,
                            .rope = {.theta = 500000.0f, .llama3 = {.factor = 32.0f, .original_context = 64.0f}}}> {};
}  // namespace llama_rope_scaled

namespace llama_tied {
struct model : inlay::models::llama<{.vocab = 272,
                                     .width = 64,
                                     .layers = 2,
                                     .heads = 4,
                                     .kv_heads = 2,
                                     .head_dim = 16,
                                     .inner = 96,
                                     .rope = {.theta = 100000.0f},
                                     .tied = true}> {};
}  // namespace llama_tied

namespace llama_tied_sharded {
struct model : inlay::models::llama<{.vocab = 272,
                                     .width = 64,
                                     .layers = 2,
                                     .heads = 4,
                                     .kv_heads = 2,
                                     .head_dim = 16,
                                     .inner = 96,
                                     .rope = {.theta = 100000.0f},
                                     .tied = true}> {};
}  // namespace llama_tied_sharded

namespace llama_wide {
struct model : inlay::models::llama<{.vocab = 272,
                                     .width = 256,
                                     .layers = 1,
                                     .heads = 4,
                                     .kv_heads = 1,
                                     .head_dim = 64,
                                     .inner = 512,
                                     .tied = true}> {};
}  // namespace llama_wide

namespace ministral3_yarn {
struct model
    : inlay::models::mistral<{.vocab = 272,
                              .width = 48,
                              .layers = 2,
                              .heads = 2,
                              .kv_heads = 1,
                              .head_dim = 32,
                              .inner = 96,
                              .rope = {.yarn = {.factor = 16.0f, .original_context = 32.0f, .attention_factor = 1.0f}},
                              .tied = true,
                              .temperature_beta = 0.1f,
                              .temperature_period = 32.0f}> {};
}  // namespace ministral3_yarn

namespace ministral_alternating {
inline constexpr inlay::models::llama_config model_window{
    .vocab = 272, .width = 48, .layers = 3, .heads = 3, .kv_heads = 1, .head_dim = 16, .inner = 96, .window = 6};
inline constexpr inlay::models::llama_config model_full{
    .vocab = 272, .width = 48, .layers = 3, .heads = 3, .kv_heads = 1, .head_dim = 16, .inner = 96};
struct model : inlay::causal_lm<{.vocab = 272, .width = 48}, inlay::models::llama_block<model_full>,
                                inlay::repeat<2, inlay::models::llama_block<model_window>>,
                                inlay::rms_norm<{.epsilon = 1e-5f}>, inlay::own_head> {
  static constexpr inlay::checkpoint_description checkpoint() {
    return inlay::models::ministral<model_window>::checkpoint();
  }
};
}  // namespace ministral_alternating

namespace mistral_head_dim {
struct model : inlay::models::mistral<{.vocab = 272,
                                       .width = 64,
                                       .layers = 2,
                                       .heads = 3,
                                       .kv_heads = 1,
                                       .head_dim = 16,
                                       .inner = 96,
                                       .rope = {.theta = 100000000.0f}}> {};
}  // namespace mistral_head_dim

namespace mistral_window {
struct model : inlay::models::mistral<{.vocab = 272,
                                       .width = 64,
                                       .layers = 2,
                                       .heads = 4,
                                       .kv_heads = 2,
                                       .head_dim = 16,
                                       .inner = 96,
                                       .window = 9}> {};
}  // namespace mistral_window

namespace mobilebert_classifier {
struct model : inlay::models::mobilebert_classifier<3, inlay::models::mobilebert_config{.vocab = 136,
                                                                                        .embedding_width = 24,
                                                                                        .width = 64,
                                                                                        .layers = 2,
                                                                                        .bottleneck = 32,
                                                                                        .inner = 48,
                                                                                        .positions = 40}> {};
}  // namespace mobilebert_classifier

namespace nemotron_h_dense {
struct model : inlay::models::nemotron_h<{.vocab = 272,
                                          .width = 48,
                                          .heads = 4,
                                          .kv_heads = 2,
                                          .head_dim = 16,
                                          .inner = 80,
                                          .mamba_heads = 8,
                                          .mamba_head_dim = 8,
                                          .mamba_groups = 2,
                                          .mamba_state = 16},
                                         "M-M*-M"> {};
}  // namespace nemotron_h_dense

namespace nemotron_h_groups {
struct model : inlay::models::nemotron_h<{.vocab = 272,
                                          .width = 48,
                                          .heads = 4,
                                          .kv_heads = 1,
                                          .head_dim = 16,
                                          .mamba_heads = 4,
                                          .mamba_head_dim = 16,
                                          .mamba_groups = 4,
                                          .mamba_state = 16,
                                          .experts = 6,
                                          .top_k = 2,
                                          .expert_inner = 32,
                                          .shared_inner = 48,
                                          .expert_groups = 2,
                                          .normalise = false},
                                         "*EM"> {};
}  // namespace nemotron_h_groups

namespace nemotron_h_moe {
struct model : inlay::models::nemotron_h<{.vocab = 272,
                                          .width = 48,
                                          .heads = 4,
                                          .kv_heads = 2,
                                          .head_dim = 16,
                                          .mamba_heads = 8,
                                          .mamba_head_dim = 8,
                                          .mamba_groups = 2,
                                          .mamba_state = 16,
                                          .experts = 5,
                                          .top_k = 2,
                                          .expert_inner = 32,
                                          .shared_inner = 48},
                                         "MEM*E"> {};
}  // namespace nemotron_h_moe

namespace openelm {
struct model
    : inlay::models::openelm<{.vocab = 272, .width = 64, .head_dim = 16},
                             std::array{inlay::models::openelm_layer{2, 1, 32}, inlay::models::openelm_layer{4, 2, 80},
                                        inlay::models::openelm_layer{6, 3, 128}}> {};
}  // namespace openelm

namespace phi3_longrope {
struct model : inlay::models::phi3<{.vocab = 272,
                                    .width = 48,
                                    .layers = 2,
                                    .heads = 4,
                                    .kv_heads = 4,
                                    .head_dim = 12,
                                    .inner = 64,
                                    .rope = {.longrope = {.original_context = 40.0f, .context = 1280.0f}}}> {};
}  // namespace phi3_longrope

namespace phi3_partial_longrope {
struct model : inlay::models::phi3<{.vocab = 272,
                                    .width = 64,
                                    .layers = 2,
                                    .heads = 4,
                                    .kv_heads = 2,
                                    .head_dim = 16,
                                    .inner = 64,
                                    .rope = {.dim = 12, .longrope = {.original_context = 40.0f, .context = 1280.0f}},
                                    .tied = true}> {};
}  // namespace phi3_partial_longrope

namespace phi3_plain {
struct model : inlay::models::phi3<{.vocab = 272,
                                    .width = 64,
                                    .layers = 2,
                                    .heads = 4,
                                    .kv_heads = 1,
                                    .head_dim = 16,
                                    .inner = 64,
                                    .rope = {.theta = 250000.0f}}> {};
}  // namespace phi3_plain

namespace phi3_window {
struct model : inlay::models::phi3<{.vocab = 272,
                                    .width = 48,
                                    .layers = 2,
                                    .heads = 4,
                                    .kv_heads = 4,
                                    .head_dim = 12,
                                    .inner = 64,
                                    .window = 7}> {};
}  // namespace phi3_window

namespace qwen2_tied {
struct model : inlay::models::qwen2<{.vocab = 272,
                                     .width = 48,
                                     .layers = 2,
                                     .heads = 6,
                                     .kv_heads = 2,
                                     .head_dim = 8,
                                     .inner = 80,
                                     .rope = {.theta = 1000000.0f},
                                     .epsilon = 1e-6f,
                                     .tied = true}> {};
}  // namespace qwen2_tied

namespace qwen2_yarn {
struct model : inlay::models::qwen2<{.vocab = 272,
                                     .width = 48,
                                     .layers = 2,
                                     .heads = 3,
                                     .kv_heads = 1,
                                     .head_dim = 16,
                                     .inner = 80,
                                     .rope = {.yarn = {.factor = 4.0f, .original_context = 128.0f}},
                                     .epsilon = 1e-6f}> {};
}  // namespace qwen2_yarn

namespace qwen35_chunks {
struct model : inlay::models::qwen3_5<{.vocab = 272,
                                       .width = 48,
                                       .layers = 3,
                                       .period = 3,
                                       .heads = 2,
                                       .kv_heads = 1,
                                       .head_dim = 32,
                                       .rope_dim = 8,
                                       .key_heads = 2,
                                       .value_heads = 4,
                                       .key_dim = 16,
                                       .value_dim = 24,
                                       .taps = 3,
                                       .inner = 64}> {};
}  // namespace qwen35_chunks

namespace qwen35_grouped {
struct model : inlay::models::qwen3_5<{.vocab = 272,
                                       .width = 48,
                                       .layers = 4,
                                       .period = 2,
                                       .heads = 2,
                                       .kv_heads = 1,
                                       .head_dim = 32,
                                       .rope_dim = 8,
                                       .key_heads = 2,
                                       .value_heads = 6,
                                       .key_dim = 16,
                                       .value_dim = 16,
                                       .inner = 64,
                                       .tied = false}> {};
}  // namespace qwen35_grouped

namespace qwen35_multimodal {
struct model : inlay::models::qwen3_5<{.vocab = 272,
                                       .width = 48,
                                       .layers = 4,
                                       .heads = 4,
                                       .kv_heads = 2,
                                       .head_dim = 32,
                                       .rope_dim = 8,
                                       .key_heads = 2,
                                       .value_heads = 2,
                                       .key_dim = 16,
                                       .value_dim = 16,
                                       .inner = 64}> {};
}  // namespace qwen35_multimodal

namespace qwen3_moe {
struct model : inlay::models::qwen3<{.vocab = 272,
                                     .width = 64,
                                     .layers = 2,
                                     .heads = 4,
                                     .kv_heads = 2,
                                     .head_dim = 16,
                                     .inner = 32,
                                     .experts = 5,
                                     .top_k = 2}> {};
}  // namespace qwen3_moe

namespace qwen3_moe_mixed {
inline constexpr inlay::models::qwen3_config model_experts{.vocab = 272,
                                                           .width = 48,
                                                           .layers = 3,
                                                           .heads = 4,
                                                           .kv_heads = 2,
                                                           .head_dim = 16,
                                                           .inner = 32,
                                                           .experts = 4,
                                                           .top_k = 3,
                                                           .normalise = false,
                                                           .tied = true};
inline constexpr inlay::models::qwen3_config model_dense{
    .vocab = 272, .width = 48, .layers = 3, .heads = 4, .kv_heads = 2, .head_dim = 16, .inner = 96, .tied = true};
struct model : inlay::causal_lm<{.vocab = 272, .width = 48}, inlay::models::qwen3_block<model_experts>,
                                inlay::models::qwen3_block<model_dense>, inlay::models::qwen3_block<model_experts>,
                                inlay::rms_norm<{.epsilon = 1e-6f}>, inlay::tied_head> {
  static constexpr inlay::checkpoint_description checkpoint() {
    return inlay::models::qwen3<model_experts>::checkpoint();
  }
};
}  // namespace qwen3_moe_mixed

namespace qwen3_tied {
struct model : inlay::models::qwen3<{.vocab = 272,
                                     .width = 48,
                                     .layers = 2,
                                     .heads = 4,
                                     .kv_heads = 2,
                                     .head_dim = 32,
                                     .inner = 96,
                                     .tied = true}> {};
}  // namespace qwen3_tied

namespace qwen3_untied {
struct model : inlay::models::qwen3<{
                   .vocab = 272, .width = 48, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 16, .inner = 96}> {};
}  // namespace qwen3_untied

/// f.operator()<Model>(name) for every checkpoint that gives logits.
template <class F>
constexpr void for_each_decoder(const F& f) {
  f.template operator()<gemma3_linear::model>("gemma3_linear");
  f.template operator()<gemma3_local_global::model>("gemma3_local_global");
  f.template operator()<gemma3_query_scalar::model>("gemma3_query_scalar");
  f.template operator()<gemma4_dense::model>("gemma4_dense");
  f.template operator()<gemma4_e2b::model>("gemma4_e2b");
  f.template operator()<gemma4_e4b::model>("gemma4_e4b");
  f.template operator()<gemma4_moe::model>("gemma4_moe");
  f.template operator()<llama_bias::model>("llama_bias");
  f.template operator()<llama_mha::model>("llama_mha");
  f.template operator()<llama_rope_scaled::model>("llama_rope_scaled");
  f.template operator()<llama_tied::model>("llama_tied");
  f.template operator()<llama_tied_sharded::model>("llama_tied_sharded");
  f.template operator()<llama_wide::model>("llama_wide");
  f.template operator()<ministral3_yarn::model>("ministral3_yarn");
  f.template operator()<ministral_alternating::model>("ministral_alternating");
  f.template operator()<mistral_head_dim::model>("mistral_head_dim");
  f.template operator()<mistral_window::model>("mistral_window");
  f.template operator()<nemotron_h_dense::model>("nemotron_h_dense");
  f.template operator()<nemotron_h_groups::model>("nemotron_h_groups");
  f.template operator()<nemotron_h_moe::model>("nemotron_h_moe");
  f.template operator()<openelm::model>("openelm");
  f.template operator()<phi3_longrope::model>("phi3_longrope");
  f.template operator()<phi3_partial_longrope::model>("phi3_partial_longrope");
  f.template operator()<phi3_plain::model>("phi3_plain");
  f.template operator()<phi3_window::model>("phi3_window");
  f.template operator()<qwen2_tied::model>("qwen2_tied");
  f.template operator()<qwen2_yarn::model>("qwen2_yarn");
  f.template operator()<qwen35_chunks::model>("qwen35_chunks");
  f.template operator()<qwen35_grouped::model>("qwen35_grouped");
  f.template operator()<qwen35_multimodal::model>("qwen35_multimodal");
  f.template operator()<qwen3_moe::model>("qwen3_moe");
  f.template operator()<qwen3_moe_mixed::model>("qwen3_moe_mixed");
  f.template operator()<qwen3_tied::model>("qwen3_tied");
  f.template operator()<qwen3_untied::model>("qwen3_untied");
}

/// The name of the checkpoint of a type that gives logits.
template <class Model>
constexpr const char* name_of() {
  const char* found = nullptr;
  for_each_decoder([&]<class One>(const char* name) {
    if constexpr (std::is_same_v<One, Model>) found = name;
  });
  return found;
}

}  // namespace tiny
