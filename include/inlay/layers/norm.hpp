// SPDX-License-Identifier: Apache-2.0
// Normalisation of each row: root mean square (Zhang & Sennrich 2019) and mean and variance (Ba et al. 2016). And what
// stands in its place where a model wants no statistics (MobileBERT's NoNorm, Sun et al. 2020).
#pragma once

#include <cstddef>

#include "inlay/kernels/formula.hpp"
#include "inlay/layers/layer.hpp"

namespace inlay {

struct norm_config {
  float epsilon = 1e-5f;
  bool scale = true;  ///< multiplied by a learned weight
  bool shift = true;  ///< and a learned bias is added (layer_norm only)
};

namespace detail {

template <norm_config Config, std::size_t Width>
struct rms_norm_at {
  static constexpr std::size_t in = Width, out = Width;
  [[no_unique_address]] optional_parameter<Config.scale, vector<Width>> weight;

  static constexpr auto parameters() { return tuple{parameter{"weight", &rms_norm_at::weight}}; }

  /// One row; y may be x. For layers that normalise parts of their rows (heads).
  template <class K>
  void normalise(const float* x, float* y) const {
    if constexpr (Config.scale)
      K::rms_norm(x, weight.data, y, Width, Config.epsilon);
    else
      K::rms_norm(x, nullptr, y, Width, Config.epsilon);
  }

  template <class Context>
  void forward(Context& ctx, const_rows<Width> x, rows<Width> y) const {
    ctx.for_rows(x.count, Width * sizeof(float), [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) normalise<typename Context::kernel>(x[i], y[i]);
    });
  }
};

template <norm_config Config, std::size_t Width>
struct layer_norm_at {
  static constexpr std::size_t in = Width, out = Width;
  [[no_unique_address]] optional_parameter<Config.scale, vector<Width>> weight;
  [[no_unique_address]] optional_parameter<Config.shift, vector<Width>> bias;

  static constexpr auto parameters() {
    return tuple{parameter{"weight", &layer_norm_at::weight}, parameter{"bias", &layer_norm_at::bias}};
  }

  template <class K>
  void normalise(const float* x, float* y) const {
    const float* w = nullptr;
    const float* b = nullptr;
    if constexpr (Config.scale) w = weight.data;
    if constexpr (Config.shift) b = bias.data;
    K::layer_norm(x, w, b, y, Width, Config.epsilon);
  }

  template <class Context>
  void forward(Context& ctx, const_rows<Width> x, rows<Width> y) const {
    ctx.for_rows(x.count, Width * sizeof(float), [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) normalise<typename Context::kernel>(x[i], y[i]);
    });
  }
};

template <std::size_t Width>
struct scale_shift_at {
  static constexpr std::size_t in = Width, out = Width;
  vector<Width> weight, bias;

  static constexpr auto parameters() {
    return tuple{parameter{"weight", &scale_shift_at::weight}, parameter{"bias", &scale_shift_at::bias}};
  }

  template <class K>
  void normalise(const float* x, float* y) const {
    K::map(formula::a * formula::b + formula::c, Width, y, x, weight.data, bias.data);
  }

  template <class Context>
  void forward(Context& ctx, const_rows<Width> x, rows<Width> y) const {
    ctx.for_rows(x.count, Width * sizeof(float), [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) normalise<typename Context::kernel>(x[i], y[i]);
    });
  }
};

}  // namespace detail

/// x / sqrt(mean(x^2) + epsilon) * weight.
template <norm_config Config = norm_config{}>
struct rms_norm {
  template <std::size_t Width>
  using at = detail::rms_norm_at<Config, Width>;
};

/// (x - mean(x)) / sqrt(variance(x) + epsilon) * weight + bias.
template <norm_config Config = norm_config{}>
struct layer_norm {
  template <std::size_t Width>
  using at = detail::layer_norm_at<Config, Width>;
};

/// x * weight + bias, nothing more.
struct scale_shift {
  template <std::size_t Width>
  using at = detail::scale_shift_at<Width>;
};

/// No normalisation and no parameters: where a composition asks for a norm and the model has none.
struct no_norm {};

}  // namespace inlay
