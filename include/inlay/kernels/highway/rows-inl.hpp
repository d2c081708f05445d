// SPDX-License-Identifier: Apache-2.0
// Kernels on rows of floats. No alignment asked; out may be an input.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

inline float dot(const float* a, const float* b, std::size_t n) {
  f32s sum0 = zero();
  f32s sum1 = zero();
  f32s sum2 = zero();
  f32s sum3 = zero();
  std::size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    sum0 = multiply_add(load(a + i), load(b + i), sum0);
    sum1 = multiply_add(load(a + i + lanes), load(b + i + lanes), sum1);
    sum2 = multiply_add(load(a + i + 2 * lanes), load(b + i + 2 * lanes), sum2);
    sum3 = multiply_add(load(a + i + 3 * lanes), load(b + i + 3 * lanes), sum3);
  }
  for (; i + lanes <= n; i += lanes) sum0 = multiply_add(load(a + i), load(b + i), sum0);
  if (i < n) sum1 = multiply_add(load_tail(a + i, n - i), load_tail(b + i, n - i), sum1);
  return sum(hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3)));
}

inline void rms_norm(const float* x, const float* w, float* y, std::size_t n, float epsilon) {
  const f32s scale = splat(1.0f / std::sqrt(dot(x, x, n) / static_cast<float>(n) + epsilon));
  std::size_t i = 0;
  if (w != nullptr) {
    for (; i + lanes <= n; i += lanes) store(hn::Mul(hn::Mul(load(x + i), scale), load(w + i)), y + i);
    if (i < n) store_tail(hn::Mul(hn::Mul(load_tail(x + i, n - i), scale), load_tail(w + i, n - i)), y + i, n - i);
  } else {
    for (; i + lanes <= n; i += lanes) store(hn::Mul(load(x + i), scale), y + i);
    if (i < n) store_tail(hn::Mul(load_tail(x + i, n - i), scale), y + i, n - i);
  }
}

inline void layer_norm(const float* x, const float* w, const float* b, float* y, std::size_t n, float epsilon) {
  f32s total = zero();
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) total = hn::Add(total, load(x + i));
  if (i < n) total = hn::Add(total, load_tail(x + i, n - i));
  const f32s mean = splat(sum(total) / static_cast<float>(n));
  f32s squares = zero();
  for (i = 0; i + lanes <= n; i += lanes) {
    const f32s v = hn::Sub(load(x + i), mean);
    squares = multiply_add(v, v, squares);
  }
  if (i < n) {
    const f32s v = hn::IfThenElseZero(hn::FirstN(f32_tag(), n - i), hn::Sub(load_tail(x + i, n - i), mean));
    squares = multiply_add(v, v, squares);
  }
  const f32s scale = splat(1.0f / std::sqrt(sum(squares) / static_cast<float>(n) + epsilon));
  for (i = 0; i + lanes <= n; i += lanes) {
    f32s v = hn::Mul(hn::Sub(load(x + i), mean), scale);
    if (w != nullptr) v = hn::Mul(v, load(w + i));
    if (b != nullptr) v = hn::Add(v, load(b + i));
    store(v, y + i);
  }
  if (i < n) {
    f32s v = hn::Mul(hn::Sub(load_tail(x + i, n - i), mean), scale);
    if (w != nullptr) v = hn::Mul(v, load_tail(w + i, n - i));
    if (b != nullptr) v = hn::Add(v, load_tail(b + i, n - i));
    store_tail(v, y + i, n - i);
  }
}

inline void softmax(float* x, std::size_t n) {
  if (n == 0) return;
  f32s top = splat(x[0]);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) top = hn::Max(top, load(x + i));
  if (i < n) top = hn::Max(top, hn::LoadNOr(top, f32_tag(), x + i, n - i));
  const f32s shift = splat(highest(top));
  f32s total = zero();
  for (i = 0; i + lanes <= n; i += lanes) {
    const f32s e = exp_bounded(hn::Sub(load(x + i), shift));
    total = hn::Add(total, e);
    store(e, x + i);
  }
  if (i < n) {
    const f32s e = exp_bounded(hn::Sub(load_tail(x + i, n - i), shift));
    total = hn::Add(total, hn::IfThenElseZero(hn::FirstN(f32_tag(), n - i), e));
    store_tail(e, x + i, n - i);
  }
  const f32s scale = splat(1.0f / sum(total));
  for (i = 0; i + lanes <= n; i += lanes) store(hn::Mul(load(x + i), scale), x + i);
  if (i < n) store_tail(hn::Mul(load_tail(x + i, n - i), scale), x + i, n - i);
}

inline void rope_half(float* x, const float* cosines, const float* sines, std::size_t pairs, std::size_t distance) {
  std::size_t i = 0;
  for (; i + lanes <= pairs; i += lanes) {
    const f32s a = load(x + i);
    const f32s b = load(x + i + distance);
    const f32s c = load(cosines + i);
    const f32s s = load(sines + i);
    store(hn::MulSub(a, c, hn::Mul(b, s)), x + i);
    store(hn::MulAdd(a, s, hn::Mul(b, c)), x + i + distance);
  }
  if (i < pairs) {
    const std::size_t rest = pairs - i;
    const f32s a = load_tail(x + i, rest);
    const f32s b = load_tail(x + i + distance, rest);
    const f32s c = load_tail(cosines + i, rest);
    const f32s s = load_tail(sines + i, rest);
    store_tail(hn::MulSub(a, c, hn::Mul(b, s)), x + i, rest);
    store_tail(hn::MulAdd(a, s, hn::Mul(b, c)), x + i + distance, rest);
  }
}

inline void rope_interleaved(float* x, const float* cosines, const float* sines, std::size_t pairs) {
  const f32_tag d;
  std::size_t i = 0;
  for (; i + lanes <= pairs; i += lanes) {
    f32s a;
    f32s b;
    hn::LoadInterleaved2(d, x + 2 * i, a, b);
    const f32s c = load(cosines + i);
    const f32s s = load(sines + i);
    hn::StoreInterleaved2(hn::MulSub(a, c, hn::Mul(b, s)), hn::MulAdd(a, s, hn::Mul(b, c)), d, x + 2 * i);
  }
  for (; i < pairs; ++i) {
    const float a = x[2 * i];
    const float b = x[2 * i + 1];
    x[2 * i] = a * cosines[i] - b * sines[i];
    x[2 * i + 1] = a * sines[i] + b * cosines[i];
  }
}

HWY_INLINE void store_f16(f32s v, std::byte* out) {
  const hn::Rebind<hwy::float16_t, f32_tag> half_tag;
  hn::StoreU(hn::DemoteTo(half_tag, v), half_tag, reinterpret_cast<hwy::float16_t*>(out));
}
HWY_INLINE void store_bf16(f32s v, std::byte* out) {
  const u32_tag du;
  const hn::Rebind<std::uint16_t, f32_tag> half_tag;
  const auto bits = hn::BitCast(du, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7fff)));
  const auto quiet = hn::Or(bits, hn::Set(du, 0x400000));
  const auto result = hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(v)), quiet, rounded);
  hn::StoreU(hn::TruncateTo(half_tag, hn::ShiftRight<16>(result)), half_tag, reinterpret_cast<std::uint16_t*>(out));
}

/// Converts to a cache's storage type, to nearest even.
inline void store_row(dtype type, const float* x, std::size_t n, std::byte* out) {
  if (type == dtype::f32) {
    if (n != 0) std::memcpy(out, x, n * sizeof(float));
    return;
  }
  if (type != dtype::f16 && type != dtype::bf16) return store_cache_row(type, x, n, out);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    if (type == dtype::f16)
      store_f16(load(x + i), out + 2 * i);
    else
      store_bf16(load(x + i), out + 2 * i);
  }
  if (i < n) {
    alignas(64) std::byte whole[2 * lanes];
    if (type == dtype::f16)
      store_f16(load_tail(x + i, n - i), whole);
    else
      store_bf16(load_tail(x + i, n - i), whole);
    std::memcpy(out + 2 * i, whole, 2 * (n - i));
  }
}

// Formulas (kernels/formula.hpp), evaluated on vectors.
template <std::size_t I>
HWY_INLINE f32s evaluate(formula::input<I>, const f32s* x) {
  return x[I];
}
HWY_INLINE f32s evaluate(formula::constant c, const f32s*) { return splat(c.value); }
template <formula::unary Op, class A>
HWY_INLINE f32s evaluate(const formula::unary_node<Op, A>& e, const f32s* x);
template <formula::binary Op, class A, class B>
HWY_INLINE f32s evaluate(const formula::binary_node<Op, A, B>& e, const f32s* x) {
  const f32s left = evaluate(e.left, x);
  const f32s right = evaluate(e.right, x);
  if constexpr (Op == formula::binary::add) return hn::Add(left, right);
  if constexpr (Op == formula::binary::subtract) return hn::Sub(left, right);
  if constexpr (Op == formula::binary::multiply) return hn::Mul(left, right);
  if constexpr (Op == formula::binary::divide) return hn::Div(left, right);
  if constexpr (Op == formula::binary::maximum) return hn::Max(left, right);
  if constexpr (Op == formula::binary::minimum) return hn::Min(left, right);
}
template <formula::unary Op, class A>
HWY_INLINE f32s evaluate(const formula::unary_node<Op, A>& e, const f32s* x) {
  const f32s v = evaluate(e.operand, x);
  if constexpr (Op == formula::unary::negate) return hn::Neg(v);
  if constexpr (Op == formula::unary::absolute) return hn::Abs(v);
  if constexpr (Op == formula::unary::square_root) return hn::Sqrt(v);
  if constexpr (Op == formula::unary::exponential) return exp(v);
  if constexpr (Op == formula::unary::logarithm) return log(v);
  if constexpr (Op == formula::unary::logarithm_1p) return log_1p(v);
  if constexpr (Op == formula::unary::hyperbolic_tangent) return tanh(v);
  if constexpr (Op == formula::unary::error_function) return erf(v);
}

template <class F, class... More>
void map(F f, std::size_t n, float* out, const float* first, const More*... more) {
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const f32s inputs[] = {load(first + i), load(more + i)...};
    store(evaluate(f, inputs), out + i);
  }
  if (i < n) {
    const f32s inputs[] = {load_tail(first + i, n - i), load_tail(more + i, n - i)...};
    store_tail(evaluate(f, inputs), out + i, n - i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
