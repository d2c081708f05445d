// SPDX-License-Identifier: Apache-2.0
// Loops over rows of floats with xsimd's vectors, for the architecture that the compiler's flags name. A loop's body is
// a generic lambda on batches; the tail goes through a padded copy, so nothing is read or written past the end.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <xsimd/xsimd.hpp>

#include "inlay/kernels/formula.hpp"

namespace inlay::kernels::detail {

// Vectors carry the architecture in their type: parts of a program with different flags do not meet.
template <class Arch>
using floats = xsimd::batch<float, Arch>;

/// The first n < floats::size numbers, then `fill`.
template <class Arch>
floats<Arch> load_padded(const float* x, std::size_t n, float fill) {
  alignas(64) float whole[floats<Arch>::size];
  for (std::size_t i = 0; i < floats<Arch>::size; ++i) whole[i] = i < n ? x[i] : fill;
  return floats<Arch>::load_aligned(whole);
}

/// total = f(total, x[i...], ...) over all numbers; tails are filled up with `fill`.
template <class Arch, class F, class... Inputs>
floats<Arch> fold(floats<Arch> total, float fill, std::size_t n, F f, const Inputs*... x) {
  constexpr std::size_t lanes = floats<Arch>::size;
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) total = f(total, floats<Arch>::load_unaligned(x + i)...);
  if (i < n) total = f(total, load_padded<Arch>(x + i, n - i, fill)...);
  return total;
}

/// out[i] = f(x[i], ...); out may be an input.
template <class Arch, class F, class... Inputs>
void transform(std::size_t n, float* out, F f, const Inputs*... x) {
  constexpr std::size_t lanes = floats<Arch>::size;
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) f(floats<Arch>::load_unaligned(x + i)...).store_unaligned(out + i);
  if (i < n) {
    alignas(64) float whole[lanes];
    f(load_padded<Arch>(x + i, n - i, 0.0f)...).store_aligned(whole);
    std::memcpy(out + i, whole, (n - i) * sizeof(float));
  }
}

template <class Arch>
float sum_of_products(const float* a, const float* b, std::size_t n) {
  using batch = floats<Arch>;
  constexpr std::size_t lanes = batch::size;
  batch sums[4] = {batch(0.0f), batch(0.0f), batch(0.0f), batch(0.0f)};
  std::size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes)
    for (std::size_t j = 0; j < 4; ++j)
      sums[j] = xsimd::fma(batch::load_unaligned(a + i + j * lanes), batch::load_unaligned(b + i + j * lanes), sums[j]);
  const batch rest = fold<Arch>(
      sums[0], 0.0f, n - i, [](batch total, batch p, batch q) { return xsimd::fma(p, q, total); }, a + i, b + i);
  return xsimd::reduce_add((rest + sums[1]) + (sums[2] + sums[3]));
}

// Formulas (kernels/formula.hpp), evaluated on vectors.
template <std::size_t I, class Batch>
Batch evaluate(formula::input<I>, const Batch* x) {
  return x[I];
}
template <class Batch>
Batch evaluate(formula::constant c, const Batch*) {
  return Batch(c.value);
}
template <formula::unary Op, class A, class Batch>
Batch evaluate(const formula::unary_node<Op, A>& e, const Batch* x);
template <formula::binary Op, class A, class B, class Batch>
Batch evaluate(const formula::binary_node<Op, A, B>& e, const Batch* x) {
  const Batch left = evaluate(e.left, x);
  const Batch right = evaluate(e.right, x);
  if constexpr (Op == formula::binary::add) return left + right;
  if constexpr (Op == formula::binary::subtract) return left - right;
  if constexpr (Op == formula::binary::multiply) return left * right;
  if constexpr (Op == formula::binary::divide) return left / right;
  if constexpr (Op == formula::binary::maximum) return xsimd::max(left, right);
  if constexpr (Op == formula::binary::minimum) return xsimd::min(left, right);
}
template <formula::unary Op, class A, class Batch>
Batch evaluate(const formula::unary_node<Op, A>& e, const Batch* x) {
  const Batch v = evaluate(e.operand, x);
  if constexpr (Op == formula::unary::negate) return -v;
  if constexpr (Op == formula::unary::absolute) return xsimd::abs(v);
  if constexpr (Op == formula::unary::square_root) return xsimd::sqrt(v);
  if constexpr (Op == formula::unary::exponential) return xsimd::exp(v);
  if constexpr (Op == formula::unary::logarithm) return xsimd::log(v);
  if constexpr (Op == formula::unary::logarithm_1p) return xsimd::log1p(v);
  if constexpr (Op == formula::unary::hyperbolic_tangent) return xsimd::tanh(v);
  if constexpr (Op == formula::unary::error_function) return xsimd::erf(v);
}

}  // namespace inlay::kernels::detail
