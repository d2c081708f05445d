// SPDX-License-Identifier: Apache-2.0
// A branch whose layer does not give back the width of the stream it is added to.
#include "inlay/layers/linear.hpp"
#include "inlay/models/causal_lm.hpp"

#ifdef INLAY_COMPILE_FAIL_MENDED
constexpr std::size_t out = 576;
#else
constexpr std::size_t out = 512;
#endif
using block = inlay::branches<inlay::residual<inlay::rms_norm<>, inlay::linear<out>>>;
using model = inlay::causal_lm<{.vocab = 100, .width = 576}, block, inlay::rms_norm<>, inlay::tied_head>;

static_assert(model::parameter_count > 0);
