// SPDX-License-Identifier: Apache-2.0
// Llama (Touvron et al. 2023) and the many models of its shape.
#pragma once

#include "inlay/layers/attention.hpp"
#include "inlay/layers/mlp.hpp"
#include "inlay/models/causal_lm.hpp"

namespace inlay::models {

struct llama_config {
  std::size_t vocab, width, layers, heads, kv_heads, head_dim, inner;
  rope_config rope = {};
  float epsilon = 1e-5f;
  bool tied = false;
};

template <llama_config C>
using llama_block = residual_block<attention<{.heads = C.heads, .kv_heads = C.kv_heads, .head_dim = C.head_dim}, rope<C.rope>>,
                                   gated_mlp<C.inner, silu>, rms_norm<{.epsilon = C.epsilon}>>;

template <llama_config C>
struct llama : causal_lm<{.vocab = C.vocab, .width = C.width}, repeat<C.layers, llama_block<C>>,
                         rms_norm<{.epsilon = C.epsilon}>, std::conditional_t<C.tied, tied_head, own_head>> {};

struct smollm2_135m : llama<{.vocab = 49152, .width = 576, .layers = 30, .heads = 9, .kv_heads = 3, .head_dim = 64, .inner = 1536, .rope = {.theta = 100'000.0f}, .tied = true}> {};
static_assert(smollm2_135m::parameter_count == 134'515'008);

}  // namespace inlay::models
