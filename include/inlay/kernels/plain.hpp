// SPDX-License-Identifier: Apache-2.0
// The kernel policy in plain C++: the oracle of every kernel test, and the build for microcontrollers. Weights are read
// as they are in the checkpoint, one block at a time; activations are never quantized.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "inlay/config/macros.hpp"
#include "inlay/kernels/decoded_products.hpp"
#include "inlay/kernels/policy.hpp"
#include "inlay/quant/cache_row.hpp"
#include "inlay/quant/codec.hpp"

namespace inlay::kernels {

namespace detail {

template <std::size_t I>
float evaluate(formula::input<I>, const float* x) {
  return x[I];
}
inline float evaluate(formula::constant c, const float*) { return c.value; }
template <formula::unary Op, class A>
float evaluate(const formula::unary_node<Op, A>& e, const float* x);
template <formula::binary Op, class A, class B>
float evaluate(const formula::binary_node<Op, A, B>& e, const float* x) {
  const float left = evaluate(e.left, x);
  const float right = evaluate(e.right, x);
  if constexpr (Op == formula::binary::add) return left + right;
  if constexpr (Op == formula::binary::subtract) return left - right;
  if constexpr (Op == formula::binary::multiply) return left * right;
  if constexpr (Op == formula::binary::divide) return left / right;
  if constexpr (Op == formula::binary::maximum) return std::max(left, right);
  if constexpr (Op == formula::binary::minimum) return std::min(left, right);
}
template <formula::unary Op, class A>
float evaluate(const formula::unary_node<Op, A>& e, const float* x) {
  const float v = evaluate(e.operand, x);
  if constexpr (Op == formula::unary::negate) return -v;
  if constexpr (Op == formula::unary::absolute) return std::fabs(v);
  if constexpr (Op == formula::unary::square_root) return std::sqrt(v);
  if constexpr (Op == formula::unary::exponential) return std::exp(v);
  if constexpr (Op == formula::unary::logarithm) return std::log(v);
  if constexpr (Op == formula::unary::logarithm_1p) return std::log1p(v);
  if constexpr (Op == formula::unary::hyperbolic_tangent) return std::tanh(v);
  if constexpr (Op == formula::unary::error_function) return std::erf(v);
}

}  // namespace detail

struct plain : detail::decoded_products<plain, 256> {
  static float dot(const float* a, const float* b, std::size_t n) {
    float sum = 0.0f;
    for (std::size_t i = 0; i < n; ++i) sum += a[i] * b[i];
    return sum;
  }

  static void rms_norm(const float* x, const float* w, float* y, std::size_t n, float epsilon) {
    const float scale = 1.0f / std::sqrt(dot(x, x, n) / static_cast<float>(n) + epsilon);
    for (std::size_t i = 0; i < n; ++i) y[i] = x[i] * scale * (w != nullptr ? w[i] : 1.0f);
  }

  /// w and b may be null: no scale, no shift.
  static void layer_norm(const float* x, const float* w, const float* b, float* y, std::size_t n, float epsilon) {
    float mean = 0.0f;
    for (std::size_t i = 0; i < n; ++i) mean += x[i];
    mean /= static_cast<float>(n);
    float variance = 0.0f;
    for (std::size_t i = 0; i < n; ++i) variance += (x[i] - mean) * (x[i] - mean);
    const float scale = 1.0f / std::sqrt(variance / static_cast<float>(n) + epsilon);
    for (std::size_t i = 0; i < n; ++i)
      y[i] = (x[i] - mean) * scale * (w != nullptr ? w[i] : 1.0f) + (b != nullptr ? b[i] : 0.0f);
  }

  static void softmax(float* x, std::size_t n) {
    if (n == 0) return;
    const float highest = *std::max_element(x, x + n);
    float sum = 0.0f;
    for (std::size_t i = 0; i < n; ++i) sum += x[i] = std::exp(x[i] - highest);
    for (std::size_t i = 0; i < n; ++i) x[i] /= sum;
  }

  /// Rotates the pairs (x[i], x[i + distance]) for i < pairs.
  static void rope_half(float* x, const float* cosines, const float* sines, std::size_t pairs, std::size_t distance) {
    for (std::size_t i = 0; i < pairs; ++i) {
      const float a = x[i];
      const float b = x[i + distance];
      x[i] = a * cosines[i] - b * sines[i];
      x[i + distance] = a * sines[i] + b * cosines[i];
    }
  }

  /// Rotates the pairs (x[2 i], x[2 i + 1]) for i < pairs.
  static void rope_interleaved(float* x, const float* cosines, const float* sines, std::size_t pairs) {
    for (std::size_t i = 0; i < pairs; ++i) {
      const float a = x[2 * i];
      const float b = x[2 * i + 1];
      x[2 * i] = a * cosines[i] - b * sines[i];
      x[2 * i + 1] = a * sines[i] + b * cosines[i];
    }
  }

  template <formula::formula F, class... More>
  static void map(F f, std::size_t n, float* out, const float* first, const More*... more) {
    for (std::size_t i = 0; i < n; ++i) {
      const float inputs[] = {first[i], more[i]...};
      out[i] = detail::evaluate(f, inputs);
    }
  }

  static void store(dtype type, const float* x, std::size_t n, std::byte* out) { store_cache_row(type, x, n, out); }

  static void scan(float* state, const recurrence& r) {
    for (std::size_t t = 0; t < r.count; ++t) {
      const float* key = r.keys + t * r.key_stride;
      const float* query = r.queries + t * r.key_stride;
      const float decay = r.decays[t * r.factor_stride];
      for (std::size_t i = 0; i < r.columns; ++i) {
        const float value = r.values[t * r.value_stride + i];
        float read = 0.0f;
        if (r.delta_rule)
          for (std::size_t j = 0; j < r.rows; ++j) read += key[j] * state[j * r.columns + i];
        const float learned = r.rates[t * r.factor_stride] * (value - decay * read);
        float out = 0.0f;
        for (std::size_t j = 0; j < r.rows; ++j) {
          float& s = state[j * r.columns + i];
          s = s * decay + key[j] * learned;
          out += query[j] * s;
        }
        r.out[t * r.out_stride + i] = out + r.skip * value;
      }
    }
  }

  /// One pass with a running maximum (Milakov & Gimelshein 2018; FlashAttention's recurrence): no score buffer.
  static void attention(const attention_shape& shape, const attention_rows& rows, std::size_t kv_head,
                        std::size_t begin, std::size_t end) {
    constexpr std::size_t max_head_dim = 512;
    const std::size_t dim = shape.head_dim;
    INLAY_ASSERT(dim <= max_head_dim);
    const std::size_t group = shape.heads / shape.kv_heads;
    const std::size_t stride = row_bytes(shape.cache, dim);
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t position = rows.first_position + i;
      const std::size_t oldest = shape.window != 0 && position + 1 > shape.window ? position + 1 - shape.window : 0;
      for (std::size_t h = kv_head * group; h < (kv_head + 1) * group; ++h) {
        const float* q = rows.queries + i * rows.query_stride + h * dim;
        float* out = rows.out + i * rows.out_stride + h * dim;
        float cached[max_head_dim];
        float sums[max_head_dim] = {};
        float highest = -INFINITY;
        float total = 0.0f;
        for (const kv_span& span : rows.cache)
          for (std::size_t t = 0; t < span.count; ++t) {
            const std::size_t p = span.first_position + t;
            if (p < oldest || (shape.causal && p > position)) continue;
            const std::size_t offset = kv_head * span.head_stride + t * stride;
            dequantize_row(shape.cache, span.keys + offset, dim, cached);
            float score = dot(q, cached, dim) * shape.scale;
            if (shape.soft_cap != 0.0f) score = shape.soft_cap * std::tanh(score / shape.soft_cap);
            dequantize_row(shape.cache, span.values + offset, dim, cached);
            const float next = std::max(highest, score);
            const float keep = std::exp(highest - next);
            const float weight = std::exp(score - next);
            for (std::size_t j = 0; j < dim; ++j) sums[j] = sums[j] * keep + weight * cached[j];
            total = total * keep + weight;
            highest = next;
          }
        for (std::size_t j = 0; j < dim; ++j) out[j] = sums[j] / total;
        if (rows.weights != nullptr) rows.weights[i * shape.heads + h] = {highest, total};
      }
    }
  }
};

static_assert(kernel_policy<plain>);

}  // namespace inlay::kernels
