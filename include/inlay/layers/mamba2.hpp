// SPDX-License-Identifier: Apache-2.0
// Mamba-2 (Dao & Gu 2024): a state-space layer. Every head keeps a state S [head_dim, state] that decays and takes up
// x B^T at each position, and gives S C.
#pragma once

#include <cmath>
#include <cstddef>
#include <string_view>

#include "inlay/layers/causal_conv.hpp"
#include "inlay/layers/context.hpp"
#include "inlay/layers/layer.hpp"

namespace inlay {

struct mamba2_config {
  std::size_t heads = 0;
  std::size_t head_dim = 0;
  std::size_t groups = 1;  ///< heads of a group share B and C, and the norm
  std::size_t state = 128;
  std::size_t taps = 4;  ///< of the convolution
  float epsilon = 1e-5f;
};

namespace detail {

template <mamba2_config Config, std::size_t Width>
struct mamba2_at {
  static constexpr std::size_t in = Width, out = Width;
  static constexpr std::size_t heads = Config.heads, head_dim = Config.head_dim, groups = Config.groups;
  static_assert(heads > 0 && head_dim > 0 && heads % groups == 0,
                "inlay: mamba2: .heads must be a multiple of .groups");
  static constexpr std::size_t inner = heads * head_dim;
  static constexpr std::size_t channels = inner + 2 * groups * Config.state;  ///< x, B and C, which are convolved
  static constexpr std::size_t projected = inner + channels + heads;          ///< z, those, and dt
  using conv_type = causal_conv<channels, Config.taps, true>;
  static constexpr std::size_t head_state = head_dim * Config.state;
  using state = recurrent_state<conv_type::history + heads * head_state>;

  matrix<projected, Width> in_projection;
  conv_type conv;
  vector<heads> dt_bias;
  vector<heads> decay;  ///< A, negative
  vector<heads> skip;   ///< D
  vector<inner> norm;
  matrix<Width, inner> out_projection;

  static constexpr auto parameters() {
    using self = mamba2_at;
    return tuple{parameter{"in.weight", &self::in_projection},
                 parameter{"dt.bias", &self::dt_bias},
                 parameter{"decay", &self::decay},
                 parameter{"skip", &self::skip},
                 parameter{"gated_norm.weight", &self::norm, inner / groups},
                 parameter{"out.weight", &self::out_projection}};
  }
  static constexpr auto children() { return tuple{child{"conv", &mamba2_at::conv}}; }
  static constexpr std::size_t scratch_bytes(std::size_t rows) {
    return float_bytes(rows * projected) + float_bytes(rows * channels) + float_bytes(rows * inner);
  }

  template <class Context>
  void forward(Context& ctx, state& first, const_rows<Width> x, rows<Width> y) const {
    using K = typename Context::kernel;
    const auto p = ctx.template take_rows<projected>(x.count);
    const auto xbc = ctx.template take_rows<channels>(x.count);
    const auto mixed = ctx.template take_rows<inner>(x.count);
    ctx.linear(x, into(in_projection, p));
    ctx.for_each_sequence(first, [&](state& s, const sequence_rows& seq) {
      conv.forward(ctx, p[seq.first_row] + inner, projected, seq.count, s.values, xbc[seq.first_row]);
      float* states = s.values + conv_type::history;
      ctx.pool.run(heads, [&](std::size_t h) {
        scan<K>(h, seq.count, p[seq.first_row], xbc[seq.first_row], states + h * head_state, mixed[seq.first_row]);
      });
    });
    // Gate first, then the norm of every group.
    ctx.for_rows(x.count, 3 * inner * sizeof(float), [&](std::size_t begin, std::size_t end) {
      constexpr std::size_t group = inner / groups;
      for (std::size_t i = begin; i < end; ++i) {
        float* row = mixed[i];
        K::map(formula::a * formula::silu(formula::b), inner, row, static_cast<const float*>(row),
               static_cast<const float*>(p[i]));
        for (std::size_t g = 0; g < groups; ++g)
          K::rms_norm(row + g * group, norm.data + g * group, row + g * group, group, Config.epsilon);
      }
    });
    ctx.linear(const_rows<inner>(mixed), into(out_projection, y));
  }

 private:
  /// One head over the positions of a sequence; its state stays in the cache of one core.
  template <class K>
  void scan(std::size_t h, std::size_t count, const float* p, const float* xbc, float* s, float* y) const {
    const std::size_t group = h / (heads / groups);
    for (std::size_t t = 0; t < count; ++t) {
      const float* row = xbc + t * channels;
      const float* b = row + inner + group * Config.state;
      const float* c = b + groups * Config.state;
      const float raw = p[t * projected + inner + channels + h] + dt_bias.data[h];
      const float dt = raw > 20.0f ? raw : std::log1p(std::exp(raw));
      K::state_step(s, head_dim, Config.state, std::exp(dt * decay.data[h]), dt, row + h * head_dim, b, c,
                    y + t * inner + h * head_dim);
      const float* u = row + h * head_dim;
      for (std::size_t i = 0; i < head_dim; ++i) y[t * inner + h * head_dim + i] += skip.data[h] * u[i];
    }
  }
};

}  // namespace detail

template <mamba2_config Config>
struct mamba2 {
  static constexpr std::string_view name = "mamba";
  template <std::size_t Width>
  using at = detail::mamba2_at<Config, Width>;
};

}  // namespace inlay
