// SPDX-License-Identifier: Apache-2.0
// What the kernels of one CPU target share: vector types, loads from storage types, tails.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using inlay::kernels::activations;
using inlay::kernels::attention_rows;
using inlay::kernels::attention_shape;
using inlay::kernels::kv_span;
using inlay::kernels::layout;
using inlay::kernels::matrix_ref;
using inlay::kernels::panel_rows;

using f32_tag = hn::CappedTag<float, 16>;
using i32_tag = hn::RebindToSigned<f32_tag>;
using u32_tag = hn::RebindToUnsigned<f32_tag>;
using f32s = hn::Vec<f32_tag>;
using i32s = hn::Vec<i32_tag>;

/// Floats in a vector: 4, 8 or 16.
inline constexpr std::size_t lanes = HWY_MAX_BYTES >= 64 ? 16 : HWY_MAX_BYTES / sizeof(float);

HWY_INLINE f32s zero() { return hn::Zero(f32_tag()); }
HWY_INLINE f32s splat(float x) { return hn::Set(f32_tag(), x); }
HWY_INLINE f32s load(const float* x) { return hn::LoadU(f32_tag(), x); }
HWY_INLINE void store(f32s v, float* out) { hn::StoreU(v, f32_tag(), out); }
/// The first n < lanes numbers, then zeros; reads no further.
HWY_INLINE f32s load_tail(const float* x, std::size_t n) { return hn::LoadN(f32_tag(), x, n); }
HWY_INLINE void store_tail(f32s v, float* out, std::size_t n) { hn::StoreN(v, f32_tag(), out, n); }
/// a * b + c.
HWY_INLINE f32s multiply_add(f32s a, f32s b, f32s c) { return hn::MulAdd(a, b, c); }
HWY_INLINE float sum(f32s v) { return hn::ReduceSum(f32_tag(), v); }
HWY_INLINE float highest(f32s v) { return hn::ReduceMax(f32_tag(), v); }

/// A storage type's numbers at `data`, from the i-th on, as floats.
template <dtype Type>
HWY_INLINE f32s load(const std::byte* data, std::size_t i) {
  static_assert(is_float(Type));
  if constexpr (Type == dtype::f32) {
    return hn::LoadU(f32_tag(), reinterpret_cast<const float*>(data) + i);
  } else if constexpr (Type == dtype::bf16) {
    const hn::Rebind<std::uint16_t, f32_tag> half_tag;
    const auto bits = hn::LoadU(half_tag, reinterpret_cast<const std::uint16_t*>(data) + i);
    return hn::BitCast(f32_tag(), hn::ShiftLeft<16>(hn::PromoteTo(u32_tag(), bits)));
  } else {
    const hn::Rebind<hwy::float16_t, f32_tag> half_tag;
    return hn::PromoteTo(f32_tag(), hn::LoadU(half_tag, reinterpret_cast<const hwy::float16_t*>(data) + i));
  }
}
/// The first n < lanes of them, then zeros; reads no further.
template <dtype Type>
HWY_INLINE f32s load_tail(const std::byte* data, std::size_t i, std::size_t n) {
  if constexpr (Type == dtype::f32) {
    return hn::LoadN(f32_tag(), reinterpret_cast<const float*>(data) + i, n);
  } else {
    alignas(64) std::byte whole[lanes * 2] = {};
    std::memcpy(whole, data + i * 2, n * 2);
    return load<Type>(whole, 0);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
