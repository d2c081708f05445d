// SPDX-License-Identifier: Apache-2.0
// A short causal convolution of every channel by itself, followed by SiLU: what state-space and linear-attention layers
// do to their inputs. The inputs of the last positions are the state.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>

#include "inlay/layers/context.hpp"
#include "inlay/layers/layer.hpp"

namespace inlay {

namespace detail {

template <std::size_t Channels, std::size_t Taps, bool Bias>
struct causal_conv {
  static constexpr std::size_t in = Channels, out = Channels;
  static constexpr std::size_t history = (Taps - 1) * Channels;  ///< floats of state
  vector<Taps * Channels> weight;                                ///< [tap][channel], the newest position's tap last
  [[no_unique_address]] optional_parameter<Bias, vector<Channels>> bias;

  static constexpr auto parameters() {
    return tuple{parameter{"weight", &causal_conv::weight, Taps}, parameter{"bias", &causal_conv::bias}};
  }

  /// out[t] = silu(sum of taps), for `count` rows of x that are `stride` floats apart; out is [count, Channels].
  /// `past` [Taps - 1][Channels] holds the inputs before the first row and is moved on.
  template <class Context>
  void forward(Context& ctx, const float* x, std::size_t stride, std::size_t count, float* past,
               float* out_rows) const {
    ctx.for_rows(count, Taps * Channels * sizeof(float), [&](std::size_t begin, std::size_t end) {
      for (std::size_t t = begin; t < end; ++t)
        row<typename Context::kernel>(x, stride, past, t, out_rows + t * Channels, std::make_index_sequence<Taps>{});
    });
    // The last Taps - 1 inputs of past and x together; those that stay in past move to its front.
    const std::size_t fresh = std::min(count, Taps - 1);
    std::copy(past + fresh * Channels, past + history, past);
    for (std::size_t i = 0; i < fresh; ++i)
      std::copy_n(x + (count - fresh + i) * stride, Channels, past + (Taps - 1 - fresh + i) * Channels);
  }

 private:
  template <class K, std::size_t... J>
  void row(const float* x, std::size_t stride, const float* past, std::size_t t, float* y,
           std::index_sequence<J...>) const {
    using namespace formula;
    const float* taps[] = {t + J < Taps - 1 ? past + (t + J) * Channels : x + (t + J + 1 - Taps) * stride...};
    const auto sum = (... + (input<J>{} * input<Taps + J>{}));
    if constexpr (Bias)
      K::map(formula::silu(sum + input<2 * Taps>{}), Channels, y, taps[J]..., (weight.data + J * Channels)...,
             bias.data);
    else
      K::map(formula::silu(sum), Channels, y, taps[J]..., (weight.data + J * Channels)...);
  }
};

}  // namespace detail
}  // namespace inlay
