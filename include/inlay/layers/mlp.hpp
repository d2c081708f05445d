// SPDX-License-Identifier: Apache-2.0
// Feed-forward layers: down(act(up x)), and the gated form down(act(gate x) * up x) (Shazeer 2020).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "inlay/layers/activation.hpp"
#include "inlay/layers/context.hpp"
#include "inlay/layers/layer.hpp"

namespace inlay {

namespace detail {

/// A feed-forward layer's inner rows. Of many rows, strips of columns are made one after another, and kept in the form
/// that the last product wants: as floats, all of them would be most of a model's scratch memory.
template <std::size_t Inner>
struct inner_rows {
  static constexpr std::size_t strip = std::min<std::size_t>(Inner, 512);  ///< columns
  static constexpr std::size_t few = 128 << 10;                            ///< floats that need no strips

  /// Where weights stay in a cache, more rows read them again: a multiple of what kernels take at a time.
  static constexpr std::size_t rows_at_once(std::size_t width, std::size_t products) {
    if ((products + 1) * width * Inner > std::size_t{16} << 20) return SIZE_MAX;
    return std::max<std::size_t>((std::size_t{5} << 18) / Inner, 260) / 20 * 20;
  }

  static constexpr std::size_t scratch_bytes(std::size_t rows, std::size_t width, std::size_t products) {
    rows = std::min(rows, rows_at_once(width, products));
    return align_up(rows * quantized_room(width)) + float_bytes(rows * Inner) +
           products * float_bytes(std::max(rows * strip, std::min(rows * Inner, few)));
  }

  /// down(act(products of x)).
  template <class Context, std::size_t Width, class Formula, std::size_t Products>
  static void forward(Context& ctx, const_rows<Width> x, const product (&products)[Products], Formula act,
                      const product& down) {
    constexpr std::size_t most = rows_at_once(Width, Products);
    if (x.count > most) {
      forward(ctx, const_rows<Width>(x.data, most), products, act, down);
      product rest = down;
      rest.out += most * rest.stride;
      return forward(ctx, const_rows<Width>(x[most], x.count - most), products, act, rest);
    }
    using K = typename Context::kernel;
    const arena::frame frame(ctx.memory);
    const std::size_t width = x.count * Inner <= few ? Inner : strip;
    kernels::activations input{x.data, x.count, Width, Width, nullptr};
    if (std::any_of(products, products + Products, [](const product& p) { return K::wants_quantized(p.weight.type); }))
      ctx.quantize(input);
    float* parts[Products];
    for (float*& part : parts) part = ctx.memory.template take<float>(x.count * width);
    float* const hidden = ctx.memory.template take<float>(x.count * Inner);
    auto* const codes = reinterpret_cast<std::byte*>(hidden);
    const bool quantized = K::wants_quantized(down.weight.type) && !ctx.needs_values();
    const kernels::activation_form form = K::form_for(x.count);
    const std::size_t row = K::quantized_row_bytes(Inner);
    for (std::size_t begin = 0; begin < Inner; begin += width) {
      const std::size_t columns = std::min(width, Inner - begin);
      product_of some[Products];
      for (std::size_t p = 0; p < Products; ++p)
        some[p] = {input, part_of<K>(products[p], begin, begin + columns, parts[p])};
      ctx.linear(std::span<const product_of>(some));
      const std::size_t blocks = (columns + strip - 1) / strip;
      ctx.for_rows(x.count * blocks, strip * sizeof(float), [&](std::size_t first, std::size_t last) {
        for (std::size_t b = first; b < last; ++b) {
          const std::size_t i = b / blocks, from = b % blocks * strip, count = std::min(strip, columns - from);
          float* const values = parts[0] + i * columns + from;
          float* const to = quantized ? values : hidden + i * Inner + begin + from;
          if constexpr (Products == 1)
            K::map(act, count, to, static_cast<const float*>(values));
          else
            K::map(act, count, to, static_cast<const float*>(values),
                   static_cast<const float*>(parts[1] + i * columns + from));
          if (quantized)
            K::quantize_rows({values, 1, count, count, nullptr, form},
                             codes + i * row + K::quantized_row_bytes(begin + from) - K::quantized_row_bytes(0));
        }
      });
    }
    kernels::activations all{hidden, x.count, Inner, Inner, nullptr, form};
    if (!quantized) return ctx.linear(all, {&down, 1});
    all.quantized = codes;
    const product_of last[] = {{all, down}};
    ctx.linear(std::span<const product_of>(last));
  }
};

template <std::size_t Inner, class Activation, bool Bias, std::size_t Width>
struct gated_mlp_at {
  static constexpr std::size_t in = Width, out = Width;
  static constexpr bool in_place = true;
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
  static constexpr std::size_t scratch_bytes(std::size_t rows) {
    return inner_rows<Inner>::scratch_bytes(rows, Width, 2);
  }

  template <class Context>
  void forward(Context& ctx, const_rows<Width> x, rows<Width> y) const {
    constexpr rows<Inner> in_strips;
    inner_rows<Inner>::forward(ctx, x, {into(gate, gate_bias, in_strips), into(up, up_bias, in_strips)},
                               Activation::of(formula::a) * formula::b, into(down, down_bias, y));
  }
};

template <std::size_t Inner, class Activation, bool Bias, std::size_t Width>
struct mlp_at {
  static constexpr std::size_t in = Width, out = Width;
  static constexpr bool in_place = true;
  matrix<Inner, Width> up;
  matrix<Width, Inner> down;
  [[no_unique_address]] optional_parameter<Bias, vector<Inner>> up_bias;
  [[no_unique_address]] optional_parameter<Bias, vector<Width>> down_bias;

  static constexpr auto parameters() {
    using self = mlp_at;
    return tuple{parameter{"up.weight", &self::up}, parameter{"up.bias", &self::up_bias},
                 parameter{"down.weight", &self::down}, parameter{"down.bias", &self::down_bias}};
  }
  static constexpr std::size_t scratch_bytes(std::size_t rows) {
    return inner_rows<Inner>::scratch_bytes(rows, Width, 1);
  }

  template <class Context>
  void forward(Context& ctx, const_rows<Width> x, rows<Width> y) const {
    constexpr rows<Inner> in_strips;
    inner_rows<Inner>::forward(ctx, x, {into(up, up_bias, in_strips)}, Activation::of(formula::a),
                               into(down, down_bias, y));
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
