// SPDX-License-Identifier: Apache-2.0
// Transcendental functions of vectors. Errors are the largest found against double over every float of the stated
// range (tests/kernels/map_test.cpp), in units in the last place; a little more without fused multiply-add. NaN in,
// NaN out.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

namespace detail {

/// x = n ln 2 + r with |r| <= ln 2 / 2, for |x| < 2^21: exp(r) - 1 as r + r^2 q(r), and n as an integer in the low
/// bits.
struct exp_parts {
  f32s fraction_minus_1;
  i32s exponent;
};
HWY_INLINE exp_parts split_exp(f32s x) {
  const f32s magic = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer, which the low bits then hold
  const f32s shifted = multiply_add(x, splat(1.44269504f), magic);
  const f32s n = hn::Sub(shifted, magic);
  f32s r = hn::NegMulAdd(n, splat(0.693359375f), x);  // ln 2 in two parts: the first product is exact
  r = hn::NegMulAdd(n, splat(-2.12194440e-4f), r);
  f32s q = splat(1.3814539e-3f);
  q = multiply_add(q, r, splat(8.3687457e-3f));
  q = multiply_add(q, r, splat(4.1668391e-2f));
  q = multiply_add(q, r, splat(1.6666520e-1f));
  q = multiply_add(q, r, splat(4.9999993e-1f));
  return {multiply_add(hn::Mul(r, r), q, r), hn::BitCast(i32_tag(), shifted)};
}
/// x * 2^n where the result is a normal number.
HWY_INLINE f32s scale_by_power(f32s x, i32s n) {
  return hn::BitCast(f32_tag(), hn::Add(hn::BitCast(i32_tag(), x), hn::ShiftLeft<23>(n)));
}

}  // namespace detail

/// e^x for x <= 88; 0 below ln 2^-126 (no denormal results). 1.1 ulp.
HWY_INLINE f32s exp_bounded(f32s x) {
  const detail::exp_parts e = detail::split_exp(x);
  const f32s y = detail::scale_by_power(hn::Add(e.fraction_minus_1, splat(1.0f)), e.exponent);
  return hn::IfThenZeroElse(hn::Lt(x, splat(-87.33654f)), y);
}

/// e^x; infinity above ln 2^128, 0 below ln 2^-126 (no denormal results). 1.1 ulp.
HWY_INLINE f32s exp(f32s x) {
  const f32s limit = splat(88.722832f);  // the last float with a finite result
  return hn::IfThenElse(hn::Gt(x, limit), hn::Inf(f32_tag()), exp_bounded(x));
}

/// Natural logarithm; -infinity for 0, NaN below. 1 ulp.
HWY_INLINE f32s log(f32s x) {
  const f32_tag d;
  const i32_tag di;
  const auto tiny = hn::Lt(x, splat(1.17549435e-38f));
  const f32s scaled = hn::IfThenElse(tiny, hn::Mul(x, splat(8388608.0f)), x);
  // x = 2^e m with sqrt(1/2) <= m < sqrt(2)
  const i32s bits = hn::BitCast(di, scaled);
  const i32s e = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(di, 0x3f3504f3)));
  const f32s f = hn::Sub(hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<23>(e))), splat(1.0f));
  const f32s exponent = hn::Sub(hn::ConvertTo(d, e), hn::IfThenElseZero(tiny, splat(23.0f)));
  f32s p = splat(-7.6345072e-2f);
  p = multiply_add(p, f, splat(1.2761582e-1f));
  p = multiply_add(p, f, splat(-1.3160180e-1f));
  p = multiply_add(p, f, splat(1.4201757e-1f));
  p = multiply_add(p, f, splat(-1.6623357e-1f));
  p = multiply_add(p, f, splat(2.0001227e-1f));
  p = multiply_add(p, f, splat(-2.5000821e-1f));
  p = multiply_add(p, f, splat(3.3333332e-1f));
  const f32s f2 = hn::Mul(f, f);
  f32s y = hn::Mul(hn::Mul(p, f2), f);
  y = multiply_add(exponent, splat(-2.12194440e-4f), y);
  y = hn::NegMulAdd(splat(0.5f), f2, y);
  y = multiply_add(exponent, splat(0.693359375f), hn::Add(f, y));
  y = hn::IfThenElse(hn::Lt(x, hn::Inf(d)), y, x);  // infinity and NaN
  y = hn::IfThenElse(hn::Eq(x, zero()), hn::Neg(hn::Inf(d)), y);
  return hn::IfThenElse(hn::Lt(x, zero()), hn::NaN(d), y);
}

/// log(1 + x) for x >= 0. 2 ulp.
HWY_INLINE f32s log_1p(f32s x) {
  const f32s u = hn::Add(x, splat(1.0f));
  const f32s lost = hn::Sub(hn::Sub(u, splat(1.0f)), x);  // by rounding u
  const f32s y = hn::Sub(log(u), hn::Div(lost, u));
  return hn::IfThenElse(hn::Lt(x, splat(16777216.0f)), y, log(x));
}

/// 3 ulp.
HWY_INLINE f32s tanh(f32s x) {
  const f32s magnitude = hn::Abs(x);
  // (e^2a - 1) / (e^2a + 1) with e^2a - 1 = 2^n (e^r - 1) + (2^n - 1)
  const detail::exp_parts e = detail::split_exp(hn::Add(magnitude, magnitude));
  const f32s power = detail::scale_by_power(splat(1.0f), e.exponent);
  const f32s t = multiply_add(power, e.fraction_minus_1, hn::Sub(power, splat(1.0f)));
  const f32s y = hn::Div(t, hn::Add(t, splat(2.0f)));
  return hn::CopySign(hn::IfThenElse(hn::Gt(magnitude, splat(9.02f)), splat(1.0f), y), x);
}

/// 2 ulp.
HWY_INLINE f32s erf(f32s x) {
  const f32s magnitude = hn::Abs(x);
  const f32s x2 = hn::Mul(x, x);
  f32s p = splat(-6.0903681e-4f);
  p = multiply_add(p, x2, splat(5.0119641e-3f));
  p = multiply_add(p, x2, splat(-2.6778910e-2f));
  p = multiply_add(p, x2, splat(1.1282141e-1f));
  p = multiply_add(p, x2, splat(-3.7612523e-1f));
  p = multiply_add(p, x2, splat(1.2837915e-1f));
  const f32s near = multiply_add(p, x, x);
  f32s g = splat(1.9821961e-4f);
  g = multiply_add(g, magnitude, splat(-3.0654899e-3f));
  g = multiply_add(g, magnitude, splat(2.2315211e-2f));
  g = multiply_add(g, magnitude, splat(-1.0411367e-1f));
  g = multiply_add(g, magnitude, splat(-6.3697609e-1f));
  g = multiply_add(g, magnitude, splat(-1.1277972f));
  g = multiply_add(g, magnitude, splat(-1.6644902e-4f));
  f32s far = hn::Sub(splat(1.0f), exp_bounded(g));
  far = hn::CopySign(hn::IfThenElse(hn::Gt(magnitude, splat(3.92f)), splat(1.0f), far), x);
  return hn::IfThenElse(hn::Lt(magnitude, splat(0.9f)), near, far);
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
