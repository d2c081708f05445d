// SPDX-License-Identifier: Apache-2.0
// Per-layer embeddings (Gemma 3n, Gemma 4): every token has a small vector for every block, mixed with one computed
// from its embedding; each block gates it with what it knows and adds it to the residual stream.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "inlay/layers/activation.hpp"
#include "inlay/layers/context.hpp"
#include "inlay/layers/layer.hpp"
#include "inlay/layers/norm.hpp"
#include "inlay/quant/codec.hpp"

namespace inlay {

struct per_layer_config {
  std::size_t vocab = 0;
  std::size_t layers = 0;
  std::size_t width = 0;  ///< of one block's vector
  float epsilon = 1e-6f;
};

namespace detail {

/// The model's part: fills ctx.side with [rows][layers][width].
template <per_layer_config Config, std::size_t Width>
struct per_layer_embedding_at {
  static constexpr std::size_t in = Width, out = Width;
  static constexpr std::size_t all = Config.layers * Config.width;
  table<Config.vocab, all> embedding;
  matrix<all, Width> projection;
  vector<Config.width> norm;

  static constexpr auto parameters() {
    using self = per_layer_embedding_at;
    return tuple{parameter{"embedding.weight", &self::embedding}, parameter{"projection.weight", &self::projection},
                 parameter{"norm.weight", &self::norm}};
  }
  static constexpr std::size_t side_bytes(std::size_t rows) { return 2 * float_bytes(rows * all); }

  template <class Context>
  void prepare(Context& ctx, std::span<const std::int32_t> tokens, rows<Width> h) const {
    using K = typename Context::kernel;
    const auto side = ctx.template take_rows<all>(h.count);
    const auto looked_up = ctx.template take_rows<all>(h.count);
    ctx.linear(const_rows<Width>(h), into(projection, side));
    const float shrink = 1.0f / std::sqrt(static_cast<float>(Width));
    const float grow = std::sqrt(static_cast<float>(Config.width));
    const std::size_t bytes = row_bytes(embedding.ref.type, all);
    ctx.for_rows(h.count, all * sizeof(float), [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        dequantize_row(embedding.ref.type, embedding.ref.data + static_cast<std::size_t>(tokens[i]) * bytes, all,
                       looked_up[i]);
        float* row = side[i];
        K::map(formula::a * shrink, all, row, static_cast<const float*>(row));
        for (std::size_t l = 0; l < Config.layers; ++l) {
          float* x = row + l * Config.width;
          K::rms_norm(x, norm.data, x, Config.width, Config.epsilon);
        }
        K::map((formula::a + grow * formula::b) * 0.70710678118654752f, all, row, static_cast<const float*>(row),
               static_cast<const float*>(looked_up[i]));
      }
    });
    ctx.side = side.data;
  }
};

/// A block's branch: h += norm(up(act(gate h) * its vector)).
template <per_layer_config Config, class Activation, std::size_t Width>
struct per_layer_input_at {
  static constexpr std::size_t in = Width, out = Width;
  static constexpr std::size_t inner = Config.width;
  matrix<inner, Width> gate;
  matrix<Width, inner> up;
  vector<Width> norm;

  static constexpr auto parameters() {
    using self = per_layer_input_at;
    return tuple{parameter{"gate.weight", &self::gate}, parameter{"up.weight", &self::up},
                 parameter{"post_norm.weight", &self::norm}};
  }
  static constexpr std::size_t scratch_bytes(std::size_t rows) {
    return float_bytes(rows * inner) + float_bytes(rows * Width);
  }

  template <class Context>
  void apply(Context& ctx, no_state&, rows<Width> h) const {
    using K = typename Context::kernel;
    const arena::frame frame(ctx.memory);
    const auto g = ctx.template take_rows<inner>(h.count);
    const auto y = ctx.template take_rows<Width>(h.count);
    ctx.linear(const_rows<Width>(h), into(gate, g));
    const float* side = ctx.side + ctx.block * inner;
    for (std::size_t i = 0; i < h.count; ++i)
      K::map(Activation::of(formula::a) * formula::b, inner, g[i], static_cast<const float*>(g[i]),
             side + i * Config.layers * inner);
    ctx.linear(const_rows<inner>(g), into(up, y));
    ctx.for_rows(h.count, Width * sizeof(float), [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) K::rms_norm(y[i], norm.data, y[i], Width, Config.epsilon);
    });
    ctx.map(formula::a + formula::b, h, h, y);
  }
};

}  // namespace detail

template <per_layer_config Config>
struct per_layer_embedding {
  static constexpr bool is_prelude = true;
  template <std::size_t Width>
  using at = detail::per_layer_embedding_at<Config, Width>;
};

template <per_layer_config Config, class Activation>
struct per_layer_input {
  static constexpr std::string_view name = "per_layer";
  template <std::size_t Width>
  using at = detail::per_layer_input_at<Config, Activation, Width>;
};

}  // namespace inlay
