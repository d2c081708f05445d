// SPDX-License-Identifier: Apache-2.0
// Types of checkpoints in tests/data/models: one of every family.
#pragma once

#include "inlay/models/gemma3.hpp"
#include "inlay/models/gemma4.hpp"
#include "inlay/models/llama.hpp"
#include "inlay/models/mistral.hpp"
#include "inlay/models/nemotron_h.hpp"
#include "inlay/models/openelm.hpp"
#include "inlay/models/phi3.hpp"
#include "inlay/models/qwen2.hpp"
#include "inlay/models/qwen3.hpp"
#include "inlay/models/qwen3_5.hpp"

namespace tiny {

using namespace inlay::models;

struct llama_tied : llama<{.vocab = 272,
                           .width = 64,
                           .layers = 2,
                           .heads = 4,
                           .kv_heads = 2,
                           .head_dim = 16,
                           .inner = 96,
                           .rope = {.theta = 100'000.0f},
                           .tied = true}> {};
struct llama_scaled : llama<{.vocab = 261,
                             .width = 64,
                             .layers = 2,
                             .heads = 2,
                             .kv_heads = 1,
                             .head_dim = 32,
                             .inner = 96,
                             .rope = {.theta = 500'000.0f, .llama3 = {.factor = 32.0f, .original_context = 64.0f}}}> {};
struct llama_bias : llama<{.vocab = 272,
                           .width = 64,
                           .layers = 2,
                           .heads = 4,
                           .kv_heads = 2,
                           .head_dim = 16,
                           .inner = 96,
                           .attention_bias = true,
                           .mlp_bias = true}> {};
struct mistral_window : mistral<{.vocab = 272,
                                 .width = 64,
                                 .layers = 2,
                                 .heads = 4,
                                 .kv_heads = 2,
                                 .head_dim = 16,
                                 .inner = 96,
                                 .window = 9}> {};
struct qwen2_tied : qwen2<{.vocab = 272,
                           .width = 48,
                           .layers = 2,
                           .heads = 6,
                           .kv_heads = 2,
                           .head_dim = 8,
                           .inner = 80,
                           .rope = {.theta = 1e6f},
                           .epsilon = 1e-6f,
                           .tied = true}> {};
struct qwen3_untied
    : qwen3<{.vocab = 272, .width = 48, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 16, .inner = 96}> {};
struct qwen3_moe : qwen3<{.vocab = 272,
                          .width = 64,
                          .layers = 2,
                          .heads = 4,
                          .kv_heads = 2,
                          .head_dim = 16,
                          .inner = 32,
                          .experts = 5,
                          .top_k = 2}> {};
struct gemma3_local_global : gemma3<{.vocab = 272,
                                     .width = 32,
                                     .layers = 7,
                                     .heads = 4,
                                     .kv_heads = 1,
                                     .head_dim = 16,
                                     .inner = 48,
                                     .window = 8,
                                     .query_scale = 16.0f}> {};
struct gemma4_moe : gemma4<{.vocab = 272,
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
struct phi3_plain : phi3<{.vocab = 272,
                          .width = 64,
                          .layers = 2,
                          .heads = 4,
                          .kv_heads = 1,
                          .head_dim = 16,
                          .inner = 64,
                          .rope = {.theta = 250'000.0f}}> {};
struct phi3_long : phi3<{.vocab = 272,
                         .width = 64,
                         .layers = 2,
                         .heads = 4,
                         .kv_heads = 2,
                         .head_dim = 16,
                         .inner = 64,
                         .rope = {.dim = 12, .longrope = {.original_context = 40.0f, .context = 1280.0f}},
                         .tied = true}> {};
struct nemotron_moe : nemotron_h<{.vocab = 272,
                                  .width = 48,
                                  .heads = 4,
                                  .kv_heads = 2,
                                  .head_dim = 16,
                                  .inner = 80,
                                  .mamba_heads = 8,
                                  .mamba_head_dim = 8,
                                  .mamba_groups = 2,
                                  .mamba_state = 16,
                                  .experts = 5,
                                  .top_k = 2,
                                  .expert_inner = 32,
                                  .shared_inner = 48},
                                 "MEM*E"> {};
struct qwen35_even : qwen3_5<{.vocab = 272,
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
struct qwen35_grouped : qwen3_5<{.vocab = 272,
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
struct openelm_tiny : openelm<{.vocab = 272, .width = 64, .head_dim = 16},
                              std::array{openelm_layer{2, 1, 32}, openelm_layer{4, 2, 80}, openelm_layer{6, 3, 128}}> {
};
struct llama_wide : llama<{.vocab = 272,
                           .width = 256,
                           .layers = 1,
                           .heads = 4,
                           .kv_heads = 1,
                           .head_dim = 64,
                           .inner = 512,
                           .tied = true}> {};

}  // namespace tiny
