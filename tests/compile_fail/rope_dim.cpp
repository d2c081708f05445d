// SPDX-License-Identifier: Apache-2.0
// More rotated components than a head has.
#include "inlay/layers/attention.hpp"

#ifdef INLAY_COMPILE_FAIL_MENDED
constexpr std::size_t dim = 64;
#else
constexpr std::size_t dim = 96;
#endif
using layer = inlay::bound<inlay::attention<{.heads = 9, .head_dim = 64}, inlay::rope<{.dim = dim}>>, 576>;

static_assert(layer::rotary::pairs == 32);
