// SPDX-License-Identifier: Apache-2.0
// Query heads that cannot be shared out among the key/value heads.
#include "inlay/layers/attention.hpp"

#ifdef INLAY_COMPILE_FAIL_MENDED
constexpr std::size_t kv_heads = 3;
#else
constexpr std::size_t kv_heads = 4;
#endif
using layer = inlay::bound<inlay::attention<{.heads = 9, .kv_heads = kv_heads, .head_dim = 64}, inlay::rope<>>, 576>;

static_assert(layer::out == 576);
