// SPDX-License-Identifier: Apache-2.0
// Something that is no layer where a layer belongs.
#include "inlay/models/causal_lm.hpp"

struct nothing {
#ifdef INLAY_COMPILE_FAIL_MENDED
  static constexpr std::size_t in = 64, out = 64;
#endif
};
using block = inlay::branches<inlay::residual<inlay::rms_norm<>, nothing>>;
using model = inlay::causal_lm<{.vocab = 100, .width = 64}, block, inlay::rms_norm<>, inlay::tied_head>;

static_assert(model::parameter_count > 0);
