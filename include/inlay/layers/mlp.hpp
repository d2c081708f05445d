// SPDX-License-Identifier: Apache-2.0
// Feed-forward layers: down(act(up x)), and the gated form down(act(gate x) * up x) (Shazeer 2020).
#pragma once

#include <cstddef>

#include "inlay/layers/activation.hpp"
#include "inlay/layers/context.hpp"
#include "inlay/layers/layer.hpp"

namespace inlay {

namespace detail {

template <std::size_t Inner, class Activation, bool Bias, std::size_t Width>
struct gated_mlp_at {
  static constexpr std::size_t in = Width, out = Width;
  matrix<Inner, Width> gate, up;
  matrix<Width, Inner> down;
  [[no_unique_address]] optional_parameter<Bias, vector<Inner>> gate_bias;
  [[no_unique_address]] optional_parameter<Bias, vector<Inner>> up_bias;
  [[no_unique_address]] optional_parameter<Bias, vector<Width>> down_bias;

  static constexpr auto parameters() {
    using self = gated_mlp_at;
    return tuple{parameter{"gate.weight", &self::gate}, parameter{"gate.bias", &self::gate_bias},
                 parameter{"up.weight", &self::up},     parameter{"up.bias", &self::up_bias},
                 parameter{"down.weight", &self::down}, parameter{"down.bias", &self::down_bias}};
  }
  static constexpr std::size_t scratch_bytes(std::size_t rows) { return 2 * float_bytes(rows * Inner); }

  template <class Context>
  void forward(Context& ctx, const_rows<Width> x, rows<Width> y) const {
    const arena::frame frame(ctx.memory);
    const auto g = ctx.template take_rows<Inner>(x.count);
    const auto u = ctx.template take_rows<Inner>(x.count);
    ctx.linear(x, into(gate, gate_bias, g), into(up, up_bias, u));
    ctx.map(Activation::of(formula::a) * formula::b, g, g, u);
    ctx.linear(const_rows<Inner>(g), into(down, down_bias, y));
  }
};

template <std::size_t Inner, class Activation, bool Bias, std::size_t Width>
struct mlp_at {
  static constexpr std::size_t in = Width, out = Width;
  matrix<Inner, Width> up;
  matrix<Width, Inner> down;
  [[no_unique_address]] optional_parameter<Bias, vector<Inner>> up_bias;
  [[no_unique_address]] optional_parameter<Bias, vector<Width>> down_bias;

  static constexpr auto parameters() {
    using self = mlp_at;
    return tuple{parameter{"up.weight", &self::up}, parameter{"up.bias", &self::up_bias},
                 parameter{"down.weight", &self::down}, parameter{"down.bias", &self::down_bias}};
  }
  static constexpr std::size_t scratch_bytes(std::size_t rows) { return float_bytes(rows * Inner); }

  template <class Context>
  void forward(Context& ctx, const_rows<Width> x, rows<Width> y) const {
    const arena::frame frame(ctx.memory);
    const auto u = ctx.template take_rows<Inner>(x.count);
    ctx.linear(x, into(up, up_bias, u));
    ctx.map(Activation::of(formula::a), u, u);
    ctx.linear(const_rows<Inner>(u), into(down, down_bias, y));
  }
};

}  // namespace detail

template <std::size_t Inner, class Activation, bool Bias = false>
struct gated_mlp {
  static constexpr std::string_view name = "mlp";
  template <std::size_t Width>
  using at = detail::gated_mlp_at<Inner, Activation, Bias, Width>;
};

template <std::size_t Inner, class Activation, bool Bias = false>
struct mlp {
  static constexpr std::string_view name = "mlp";
  template <std::size_t Width>
  using at = detail::mlp_at<Inner, Activation, Bias, Width>;
};

}  // namespace inlay
