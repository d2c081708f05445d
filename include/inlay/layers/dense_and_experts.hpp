// SPDX-License-Identifier: Apache-2.0
// A dense feed-forward layer and experts side by side (Gemma 4 26B-A4B), each with norms of its own, added:
//   h += post_norm( dense_norm(dense(norm h)) + expert_norm(experts(expert_in_norm h)) )
// The router looks at h through a norm without weight and a learned scale.
#pragma once

#include <cmath>
#include <cstddef>
#include <string_view>

#include "inlay/layers/context.hpp"
#include "inlay/layers/layer.hpp"
#include "inlay/layers/mlp.hpp"
#include "inlay/layers/moe.hpp"
#include "inlay/layers/norm.hpp"

namespace inlay {

namespace detail {

template <norm_config Norm, class Dense, class Experts, std::size_t Width>
struct dense_and_experts_at {
  static constexpr std::size_t in = Width, out = Width;
  using norm_type = rms_norm_at<Norm, Width>;
  using dense_type = bound<Dense, Width>;
  using experts_type = bound<Experts, Width>;

  norm_type norm;
  dense_type dense;
  norm_type dense_norm;
  vector<Width> router_scale;
  norm_type expert_in_norm;
  experts_type experts;
  norm_type expert_norm;
  norm_type post_norm;

  static constexpr auto parameters() { return tuple{parameter{"router.scale", &dense_and_experts_at::router_scale}}; }
  static constexpr auto children() {
    using self = dense_and_experts_at;
    return tuple{child{"norm", &self::norm},
                 child{"", &self::dense},
                 child{"dense_norm", &self::dense_norm},
                 child{"expert_in_norm", &self::expert_in_norm},
                 child{"", &self::experts},
                 child{"expert_norm", &self::expert_norm},
                 child{"post_norm", &self::post_norm}};
  }
  static constexpr std::size_t scratch_bytes(std::size_t rows) {
    return 4 * float_bytes(rows * Width) +
           std::max(inlay::scratch_bytes<dense_type>(rows), inlay::scratch_bytes<experts_type>(rows));
  }

  template <class Context>
  void apply(Context& ctx, no_state&, rows<Width> h) const {
    using K = typename Context::kernel;
    const arena::frame frame(ctx.memory);
    const auto x = ctx.template take_rows<Width>(h.count);
    const auto y = ctx.template take_rows<Width>(h.count);
    const auto routed_by = ctx.template take_rows<Width>(h.count);
    const auto z = ctx.template take_rows<Width>(h.count);
    norm.forward(ctx, h, x);
    dense.forward(ctx, x, y);
    dense_norm.forward(ctx, y, y);

    const float shrink = 1.0f / std::sqrt(static_cast<float>(Width));
    ctx.for_rows(h.count, Width * sizeof(float), [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        K::rms_norm(h[i], nullptr, routed_by[i], Width, Norm.epsilon);
        K::map(formula::a * formula::b * shrink, Width, routed_by[i], static_cast<const float*>(routed_by[i]),
               router_scale.data);
      }
    });
    expert_in_norm.forward(ctx, h, x);
    experts.forward(ctx, routed_by, x, z);
    expert_norm.forward(ctx, z, z);
    ctx.map(formula::a + formula::b, y, y, z);
    post_norm.forward(ctx, y, y);
    ctx.map(formula::a + formula::b, h, h, y);
  }
};

}  // namespace detail

template <norm_config Norm, class Dense, class Experts>
struct dense_and_experts {
  static constexpr std::string_view name = "mlp";
  template <std::size_t Width>
  using at = detail::dense_and_experts_at<Norm, Dense, Experts, Width>;
};

}  // namespace inlay
