// SPDX-License-Identifier: Apache-2.0
// y = W x, or W x + b; and the same with an activation behind it.
#pragma once

#include <cstddef>

#include "inlay/layers/activation.hpp"
#include "inlay/layers/context.hpp"
#include "inlay/layers/layer.hpp"

namespace inlay {

namespace detail {

template <std::size_t Out, bool Bias, std::size_t Width>
struct linear_at {
  static constexpr std::size_t in = Width, out = Out;
  matrix<Out, Width> weight;
  [[no_unique_address]] optional_parameter<Bias, vector<Out>> bias;

  static constexpr auto parameters() {
    return tuple{parameter{"weight", &linear_at::weight}, parameter{"bias", &linear_at::bias}};
  }

  template <class Context>
  void forward(Context& ctx, const_rows<Width> x, rows<Out> y) const {
    ctx.linear(x, into(weight, bias, y));
  }
};

template <std::size_t Out, class Activation, bool Bias, std::size_t Width>
struct dense_at : linear_at<Out, Bias, Width> {
  template <class Context>
  void forward(Context& ctx, const_rows<Width> x, rows<Out> y) const {
    linear_at<Out, Bias, Width>::forward(ctx, x, y);
    ctx.map(Activation::of(formula::a), y, y);
  }
};

}  // namespace detail

template <std::size_t Out, bool Bias = false>
struct linear {
  template <std::size_t Width>
  using at = detail::linear_at<Out, Bias, Width>;
};

/// act(W x + b).
template <std::size_t Out, class Activation, bool Bias = true>
struct dense {
  template <std::size_t Width>
  using at = detail::dense_at<Out, Activation, Bias, Width>;
};

}  // namespace inlay
