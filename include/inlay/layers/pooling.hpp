// SPDX-License-Identifier: Apache-2.0
// From the rows of a sequence to what is said about it: poolings (rows of tokens to rows of sequences), and what
// embeddings are finished with.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "inlay/layers/context.hpp"
#include "inlay/layers/layer.hpp"

namespace inlay {

/// The mean of a sequence's rows.
struct mean_pooling {
  static constexpr bool is_pooling = true, per_token = false;

  template <class Context, std::size_t Width>
  static void pool(Context& ctx, const_rows<Width> h, rows<Width> out) {
    using K = typename Context::kernel;
    ctx.for_rows(out.count, h.count * Width * sizeof(float) / out.count, [&](std::size_t begin, std::size_t end) {
      for (std::size_t n = begin; n < end; ++n) {
        const sequence_rows& s = ctx.sequences[n];
        std::copy_n(h[s.first_row], Width, out[n]);
        for (std::size_t i = 1; i < s.count; ++i)
          K::map(formula::a + formula::b, Width, out[n], static_cast<const float*>(out[n]), h[s.first_row + i]);
        K::map(formula::a * (1.0f / static_cast<float>(s.count)), Width, out[n], static_cast<const float*>(out[n]));
      }
    });
  }
};

/// The row of a sequence's first token ([CLS]).
struct first_token {
  static constexpr bool is_pooling = true, per_token = false;

  template <class Context, std::size_t Width>
  static void pool(Context& ctx, const_rows<Width> h, rows<Width> out) {
    for (std::size_t n = 0; n < out.count; ++n) std::copy_n(h[ctx.sequences[n].first_row], Width, out[n]);
  }
};

/// No pooling: every token's row is an answer of its own.
struct every_token {
  static constexpr bool is_pooling = true, per_token = true;
};

namespace detail {

template <std::size_t Width>
struct unit_length_at {
  static constexpr std::size_t in = Width, out = Width;

  template <class Context>
  void forward(Context&, const_rows<Width> x, rows<Width> y) const {
    using K = typename Context::kernel;
    for (std::size_t i = 0; i < x.count; ++i) {
      const float length = std::sqrt(K::dot(x[i], x[i], Width));
      K::map(formula::a * (1.0f / std::max(length, 1e-12f)), Width, y[i], x[i]);
    }
  }
};

}  // namespace detail

/// x / |x|.
struct unit_length {
  template <std::size_t Width>
  using at = detail::unit_length_at<Width>;
};

}  // namespace inlay
