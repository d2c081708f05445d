// SPDX-License-Identifier: Apache-2.0
// The kernel policy for builds with one known CPU target, which the compiler's flags (-march=...) name: f32 kernels
// with xsimd, weights of all types, no dispatch and little code. Quantized weights are decoded and multiplied as
// floats.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string_view>

#include "inlay/kernels/decoded_products.hpp"
#include "inlay/kernels/policy.hpp"
#include "inlay/kernels/xsimd/attention.hpp"
#include "inlay/kernels/xsimd/vectors.hpp"
#include "inlay/quant/cache_row.hpp"

namespace inlay::kernels {

namespace detail {

template <class Arch>
struct fixed_for : decoded_products<fixed_for<Arch>, 1024> {
  using batch = floats<Arch>;
  static constexpr std::string_view name = "xsimd";
  static constexpr std::size_t vector_floats = batch::size;

  static float dot(const float* a, const float* b, std::size_t n) { return sum_of_products<Arch>(a, b, n); }

  static void rms_norm(const float* x, const float* w, float* y, std::size_t n, float epsilon) {
    const float scale = 1.0f / std::sqrt(dot(x, x, n) / static_cast<float>(n) + epsilon);
    if (w != nullptr)
      transform<Arch>(n, y, [=](batch v, batch weight) { return v * scale * weight; }, x, w);
    else
      transform<Arch>(n, y, [=](batch v) { return v * scale; }, x);
  }

  /// w and b may be null: no scale, no shift.
  static void layer_norm(const float* x, const float* w, const float* b, float* y, std::size_t n, float epsilon) {
    const batch total = fold<Arch>(batch(0.0f), 0.0f, n, [](batch sum, batch v) { return sum + v; }, x);
    const float mean = xsimd::reduce_add(total) / static_cast<float>(n);
    transform<Arch>(n, y, [=](batch v) { return v - mean; }, x);
    const float scale = 1.0f / std::sqrt(dot(y, y, n) / static_cast<float>(n) + epsilon);
    transform<Arch>(n, y, [=](batch v) { return v * scale; }, y);
    if (w != nullptr) transform<Arch>(n, y, [](batch v, batch weight) { return v * weight; }, y, w);
    if (b != nullptr) transform<Arch>(n, y, [](batch v, batch shift) { return v + shift; }, y, b);
  }

  static void softmax(float* x, std::size_t n) {
    if (n == 0) return;
    const batch top = fold<Arch>(batch(x[0]), x[0], n, [](batch a, batch b) { return xsimd::max(a, b); }, x);
    const float highest = xsimd::reduce_max(top);
    transform<Arch>(n, x, [=](batch v) { return xsimd::exp(v - highest); }, x);
    const batch total = fold<Arch>(batch(0.0f), 0.0f, n, [](batch sum, batch v) { return sum + v; }, x);
    const float scale = 1.0f / xsimd::reduce_add(total);
    transform<Arch>(n, x, [=](batch v) { return v * scale; }, x);
  }

  static void rope_half(float* x, const float* cosines, const float* sines, std::size_t pairs, std::size_t distance) {
    std::size_t i = 0;
    for (; i + batch::size <= pairs; i += batch::size) {
      const batch a = batch::load_unaligned(x + i);
      const batch b = batch::load_unaligned(x + i + distance);
      const batch c = batch::load_unaligned(cosines + i);
      const batch s = batch::load_unaligned(sines + i);
      xsimd::fms(a, c, b * s).store_unaligned(x + i);
      xsimd::fma(a, s, b * c).store_unaligned(x + i + distance);
    }
    for (; i < pairs; ++i) rotate(x[i], x[i + distance], cosines[i], sines[i]);
  }

  static void rope_interleaved(float* x, const float* cosines, const float* sines, std::size_t pairs) {
    for (std::size_t i = 0; i < pairs; ++i) rotate(x[2 * i], x[2 * i + 1], cosines[i], sines[i]);
  }

  template <formula::formula F, class... More>
  static void map(F f, std::size_t n, float* out, const float* first, const More*... more) {
    const auto body = [&](auto... v) {
      const batch inputs[] = {v...};
      return evaluate(f, inputs);
    };
    transform<Arch>(n, out, body, first, more...);
  }

  /// Between, the output row holds what is learned.
  static void scan(float* state, const recurrence& r) {
    for (std::size_t t = 0; t < r.count; ++t) {
      const float* key = r.keys + t * r.key_stride;
      const float* query = r.queries + t * r.key_stride;
      const float* value = r.values + t * r.value_stride;
      float* y = r.out + t * r.out_stride;
      const float decay = r.decays[t * r.factor_stride];
      const float rate = r.rates[t * r.factor_stride];
      const auto ask = [&](const float* by) {
        for (std::size_t j = 0; j < r.rows; ++j)
          transform<Arch>(
              r.columns, y, [w = by[j]](batch sum, batch s) { return xsimd::fma(s, batch(w), sum); }, y,
              state + j * r.columns);
      };
      std::fill_n(y, r.columns, 0.0f);
      if (r.delta_rule) ask(key);
      transform<Arch>(
          r.columns, y, [=](batch given, batch wanted) { return (wanted - given * decay) * rate; }, y, value);
      for (std::size_t j = 0; j < r.rows; ++j)
        transform<Arch>(
            r.columns, state + j * r.columns,
            [=, w = key[j]](batch s, batch learned) { return xsimd::fma(s, batch(decay), learned * w); },
            state + j * r.columns, y);
      transform<Arch>(r.columns, y, [w = r.skip](batch v) { return v * w; }, value);
      ask(query);
    }
  }

  static void store(dtype type, const float* x, std::size_t n, std::byte* out) { store_cache_row(type, x, n, out); }

  static void attention(const attention_shape& shape, const attention_rows& rows, std::size_t kv_head,
                        std::size_t begin, std::size_t end) {
    fixed_attention<Arch>(shape, rows, kv_head, begin, end);
  }

 private:
  static void rotate(float& a, float& b, float cosine, float sine) {
    const float first = a;
    a = first * cosine - b * sine;
    b = first * sine + b * cosine;
  }
};

}  // namespace detail

/// The kernels of the architecture this translation unit is compiled for.
using fixed = detail::fixed_for<xsimd::default_arch>;
static_assert(kernel_policy<fixed>);

}  // namespace inlay::kernels
