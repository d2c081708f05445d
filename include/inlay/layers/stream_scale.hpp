// SPDX-License-Identifier: Apache-2.0
// A branch that multiplies the whole residual stream by one learned number: h *= s.
#pragma once

#include <cstddef>

#include "inlay/layers/context.hpp"
#include "inlay/layers/layer.hpp"

namespace inlay {

namespace detail {

template <std::size_t Width>
struct stream_scale_at {
  static constexpr std::size_t in = Width, out = Width;
  vector<1> scale;

  static constexpr auto parameters() { return tuple{parameter{"weight", &stream_scale_at::scale}}; }

  template <class Context>
  void apply(Context& ctx, no_state&, rows<Width> h) const {
    ctx.map(formula::a * scale.data[0], h, h);
  }
};

}  // namespace detail

struct stream_scale {
  static constexpr std::string_view name = "scale";
  template <std::size_t Width>
  using at = detail::stream_scale_at<Width>;
};

}  // namespace inlay
