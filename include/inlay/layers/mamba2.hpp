// SPDX-License-Identifier: Apache-2.0
// Mamba-2 (Dao & Gu 2024): a state-space layer. Every head keeps a state S [state, head_dim] that decays and takes up
// B x^T at each position, and gives S^T C.
#pragma once

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
  static constexpr bool in_place = true;
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
    return float_bytes(rows * projected) + float_bytes(rows * channels) + float_bytes(rows * inner) +
           2 * float_bytes(rows * heads);
  }

  template <class Context>
  void forward(Context& ctx, state& first, const_rows<Width> x, rows<Width> y) const {
    using K = typename Context::kernel;
    const auto p = ctx.template take_rows<projected>(x.count);
    const auto xbc = ctx.template take_rows<channels>(x.count);
    const auto mixed = ctx.template take_rows<inner>(x.count);
    const auto steps = ctx.template take_rows<heads>(x.count);
    const auto decays = ctx.template take_rows<heads>(x.count);
    ctx.linear(x, into(in_projection, p));
    ctx.for_rows(x.count, 4 * heads * sizeof(float), [&](std::size_t begin, std::size_t end) {
      using namespace formula;
      for (std::size_t i = begin; i < end; ++i) {
        const float* dt = p[i] + inner + channels;
        K::map(softplus(a + b), heads, steps[i], dt, dt_bias.data);
        K::map(exp(a * b), heads, decays[i], static_cast<const float*>(steps[i]), decay.data);
      }
    });
    ctx.for_each_sequence(first, [&](state& s, const sequence_rows& seq) {
      conv.forward(ctx, p[seq.first_row] + inner, projected, seq.count, s.values, xbc[seq.first_row]);
      // A head's state stays in the cache of one core.
      float* states = s.values + conv_type::history;
      const std::size_t row = seq.first_row;
      ctx.pool.run(heads, [&](std::size_t h) {
        const float* keys = xbc[row] + inner + h / (heads / groups) * Config.state;
        K::scan(states + h * head_state, {.rows = Config.state,
                                          .columns = head_dim,
                                          .count = seq.count,
                                          .keys = keys,
                                          .queries = keys + groups * Config.state,
                                          .key_stride = channels,
                                          .values = xbc[row] + h * head_dim,
                                          .value_stride = channels,
                                          .out = mixed[row] + h * head_dim,
                                          .out_stride = inner,
                                          .decays = decays[row] + h,
                                          .rates = steps[row] + h,
                                          .factor_stride = heads,
                                          .skip = skip.data[h]});
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
};

}  // namespace detail

template <mamba2_config Config>
struct mamba2 {
  static constexpr std::string_view name = "mamba";
  template <std::size_t Width>
  using at = detail::mamba2_at<Config, Width>;
};

}  // namespace inlay
