// SPDX-License-Identifier: Apache-2.0
// A layer of a fixed width in a stream of another: the message names the layer and both widths.
#include "inlay/models/causal_lm.hpp"

struct fixed_mixer {
  static constexpr std::size_t in = 64, out = 64;
  template <class Context>
  void forward(Context&, inlay::const_rows<64>, inlay::rows<64>) const {}
};

#ifdef INLAY_COMPILE_FAIL_MENDED
constexpr std::size_t width = 64;
#else
constexpr std::size_t width = 576;
#endif
using block = inlay::branches<inlay::residual<inlay::rms_norm<>, fixed_mixer>>;
using model = inlay::causal_lm<{.vocab = 100, .width = width}, block, inlay::rms_norm<>, inlay::tied_head>;

static_assert(model::parameter_count > 0);
