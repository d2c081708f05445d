// SPDX-License-Identifier: Apache-2.0
// What the kernels of one CPU target share: vector types, loads from storage types, tails.
#include "hwy/cache_control.h"

HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using inlay::kernels::activation_form;
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

/// Asks for memory that will be read after some thousand bytes more: it need not crowd the first cache.
HWY_INLINE void prefetch_far(const std::byte* p) {
#if HWY_ARCH_X86
  _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T1);
#else
  hwy::Prefetch(p);
#endif
}

/// Asks for memory that will be read soon.
HWY_INLINE void prefetch(const std::byte* p, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += 64) hwy::Prefetch(p + i);
}

/// How far ahead of their use weights are asked for, in bytes.
inline constexpr std::size_t prefetch_distance = 6144;

/// How a long read is asked for ahead of its use.
struct read_pace {
  std::size_t near;        ///< so many bytes ahead into the first-level cache
  std::size_t far;         ///< and so many into the second-level cache before; 0: not
  std::size_t most_ahead;  ///< of reads that take turns with others
};

/// Intel's cores have few buffers for lines on their way to the first-level cache, and their own prefetchers lose track
/// of reads far ahead.
inline constexpr read_pace pace_of_intel = {1536, 4096, 2048};

inline const read_pace& pace_of_reads() {
#if HWY_ARCH_X86
  static const read_pace pace = inlay::kernels::detail::is_intel()
                                    ? pace_of_intel
                                    : read_pace{prefetch_distance, 0, static_cast<std::size_t>(-1)};
#else
  static constexpr read_pace pace = {prefetch_distance, 0, static_cast<std::size_t>(-1)};
#endif
  return pace;
}

/// What is asked for while other memory is worked on, line by line.
struct read_points {
  const std::byte* near;
  const std::byte* far;  ///< null: nothing

  HWY_INLINE void ask(std::size_t from, std::size_t bytes) const {
    prefetch(near + from, bytes);
    if (far != nullptr)
      for (std::size_t i = 0; i < bytes; i += 64) prefetch_far(far + from + i);
  }
};

/// The sum, or the maximum, of the lanes of each of `lanes` vectors, in order. (A tree spelt out by templates: g++
/// keeps the leaves in registers.)
template <bool Maximum, std::size_t Offset = 0, std::size_t Stride = 1, class V>
HWY_INLINE V reduce_each(const V* v) {
  if constexpr (Stride == lanes) {
    return v[Offset];
  } else {
    const hn::DFromV<V> d;
    const V even = reduce_each<Maximum, Offset, 2 * Stride>(v);
    const V odd = reduce_each<Maximum, Offset + Stride, 2 * Stride>(v);
    const V low = hn::InterleaveWholeLower(d, even, odd);
    const V high = hn::InterleaveWholeUpper(d, even, odd);
    if constexpr (Maximum)
      return hn::Max(low, high);
    else
      return hn::Add(low, high);
  }
}

/// The numbers from the i-th on of a row in a cache type, as floats. In Q8_0, i is a multiple of `lanes`.
template <dtype Type>
HWY_INLINE f32s load(const std::byte* data, std::size_t i) {
  static_assert(is_cache_type(Type));
  const f32_tag d;
  if constexpr (Type == dtype::f32) {
    return hn::LoadU(d, reinterpret_cast<const float*>(data) + i);
  } else if constexpr (Type == dtype::bf16) {
    const hn::Rebind<std::uint16_t, f32_tag> half_tag;
    const auto bits = hn::LoadU(half_tag, reinterpret_cast<const std::uint16_t*>(data) + i);
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(u32_tag(), bits)));
  } else if constexpr (Type == dtype::f16) {
    const hn::Rebind<hwy::float16_t, f32_tag> half_tag;
    return hn::PromoteTo(d, hn::LoadU(half_tag, reinterpret_cast<const hwy::float16_t*>(data) + i));
  } else {
    const hn::Rebind<std::int8_t, f32_tag> byte_tag;
    const hn::Rebind<hwy::float16_t, f32_tag> half_tag;
    constexpr block_geometry q8_0 = geometry(dtype::q8_0);
    const std::byte* block = data + i / q8_0.weights * q8_0.bytes;  // a float16 scale, then the codes
    const auto codes = hn::LoadU(byte_tag, reinterpret_cast<const std::int8_t*>(block) + 2 + i % q8_0.weights);
    const auto scale = hn::Set(half_tag, *reinterpret_cast<const hwy::float16_t*>(block));
    return hn::Mul(hn::ConvertTo(d, hn::PromoteTo(i32_tag(), codes)), hn::PromoteTo(d, scale));
  }
}
/// The first n < lanes of them, then zeros; reads no further. (Rows of Q8_0 have no such rest.)
template <dtype Type>
HWY_INLINE f32s load_tail(const std::byte* data, std::size_t i, std::size_t n) {
  if constexpr (Type == dtype::f32) {
    return hn::LoadN(f32_tag(), reinterpret_cast<const float*>(data) + i, n);
  } else if constexpr (is_float(Type)) {
    alignas(64) std::byte whole[lanes * 2] = {};
    std::memcpy(whole, data + i * 2, n * 2);
    return load<Type>(whole, 0);
  } else {
    return zero();
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
