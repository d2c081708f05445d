// SPDX-License-Identifier: Apache-2.0
// Layers one after another: chain<dense<512, relu>, linear<3, true>>. An empty chain copies.
#pragma once

#include <algorithm>
#include <cstddef>

#include "inlay/layers/context.hpp"
#include "inlay/layers/layer.hpp"
#include "inlay/layers/residual.hpp"

namespace inlay {

namespace detail {

template <std::size_t Width, class... Layers>
struct chain_at {
  static constexpr std::size_t in = Width, out = Width;

  template <class Context>
  void forward(Context&, const_rows<Width> x, rows<Width> y) const {
    std::copy_n(x.data, x.count * Width, y.data);
  }
};

template <std::size_t Width, class Last>
struct chain_at<Width, Last> {
  using layer = bound<Last, Width>;
  static constexpr std::size_t in = Width, out = layer::out;
  layer last;

  static constexpr auto children() { return tuple{child{layer_name<Last>(), &chain_at::last}}; }
  static constexpr std::size_t scratch_bytes(std::size_t rows) { return inlay::scratch_bytes<layer>(rows); }

  template <class Context>
  void forward(Context& ctx, const_rows<Width> x, rows<out> y) const {
    last.forward(ctx, x, y);
  }
};

template <std::size_t Width, class First, class Second, class... More>
struct chain_at<Width, First, Second, More...> {
  using layer = bound<First, Width>;
  using others = chain_at<layer::out, Second, More...>;
  static constexpr std::size_t in = Width, out = others::out;
  layer first;
  others rest;

  static constexpr auto children() {
    return tuple{child{layer_name<First>(), &chain_at::first}, child{"", &chain_at::rest}};
  }
  static constexpr std::size_t scratch_bytes(std::size_t rows) {
    return float_bytes(rows * layer::out) + std::max(inlay::scratch_bytes<layer>(rows), others::scratch_bytes(rows));
  }

  template <class Context>
  void forward(Context& ctx, const_rows<Width> x, rows<out> y) const {
    const arena::frame frame(ctx.memory);
    const auto between = ctx.template take_rows<layer::out>(x.count);
    first.forward(ctx, x, between);
    rest.forward(ctx, const_rows<layer::out>(between), y);
  }
};

}  // namespace detail

/// Layers without a state, named as in a block.
template <class... Layers>
struct chain {
  template <std::size_t Width>
  using at = detail::chain_at<Width, Layers...>;
};

}  // namespace inlay
