// SPDX-License-Identifier: Apache-2.0
// A model whose last part is not a head.
#include "inlay/models/llama.hpp"

using block = inlay::models::llama_block<{
    .vocab = 100, .width = 64, .layers = 1, .heads = 4, .kv_heads = 2, .head_dim = 16, .inner = 96}>;
#ifdef INLAY_COMPILE_FAIL_MENDED
using model = inlay::causal_lm<{.vocab = 100, .width = 64}, block, inlay::rms_norm<>, inlay::tied_head>;
#else
using model = inlay::causal_lm<{.vocab = 100, .width = 64}, block, block, inlay::rms_norm<> >;
#endif

static_assert(model::parameter_count > 0);
