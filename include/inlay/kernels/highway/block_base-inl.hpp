// SPDX-License-Identifier: Apache-2.0
// What the packed block formats share: vectors of bytes, their dot products, and packing helpers.
//
// A panel holds 16 rows. Its columns come in groups of 256 (the last one shorter), a group in lines of 32 columns, and
// a line in 8 steps of 4 columns: a step is 64 bytes, 4 columns of one row after 4 columns of the next, so that a
// vector of bytes times 4 broadcast activations gives 32-bit sums of as many rows as it has lanes. A format is a struct
// with
//   line_bytes        bytes of a line of 16 rows, on average over the group: what the file has, times 16
//   stride            lines that are unpacked by the same code, because their codes share bytes
//   most              the greatest code, or 255 if codes are signed bytes or, on some targets, those plus 128
//   offset            what to subtract from codes: w = scale * (code - offset) + base
//   scales, bases     how many of them a line has: 1 or 2; bases 0, 1 or 2
//   pack(...)         rows of the file to a panel
//   group             a view of a group, with codes(), scale() and base()
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

using u8_tag = hn::Repartition<std::uint8_t, i32_tag>;
using i8_tag = hn::Repartition<std::int8_t, i32_tag>;
using i16_tag = hn::Repartition<std::int16_t, i32_tag>;
using u16_tag = hn::Repartition<std::uint16_t, i32_tag>;
using u8s = hn::Vec<u8_tag>;
using i8s = hn::Vec<i8_tag>;
using i16s = hn::Vec<i16_tag>;

// u8 x i8 in one instruction; pairs of them with 16-bit saturation; or i8 x i8.
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
inline constexpr bool has_quad_u8_i8 = true, has_pair_u8_i8 = false;
#elif HWY_ARCH_X86 && HWY_TARGET <= HWY_SSSE3
inline constexpr bool has_quad_u8_i8 = false, has_pair_u8_i8 = true;
#else
inline constexpr bool has_quad_u8_i8 = false, has_pair_u8_i8 = false;
#endif

/// Signed weights are kept as codes w + sign_offset.
inline constexpr int sign_offset = has_quad_u8_i8 ? 128 : 0;
inline constexpr int signed_codes = 255;

inline constexpr std::size_t panel_vectors = panel_rows / lanes;
inline constexpr std::size_t step_bytes = 4 * panel_rows;
inline constexpr std::size_t line_steps = line_columns / 4;
inline constexpr std::size_t vector_bytes = 4 * lanes;

HWY_INLINE u8s load_bytes(const std::byte* p) { return hn::LoadU(u8_tag(), reinterpret_cast<const std::uint8_t*>(p)); }
HWY_INLINE u8s splat_byte(int x) { return hn::Set(u8_tag(), static_cast<std::uint8_t>(x)); }

/// Bytes shifted by `Bits`; what crosses from byte to byte is for the caller to mask.
template <int Bits>
HWY_INLINE u8s shift_right(u8s v) {
  if constexpr (Bits > 0) return hn::BitCast(u8_tag(), hn::ShiftRight<Bits>(hn::BitCast(u16_tag(), v)));
  if constexpr (Bits < 0) return hn::BitCast(u8_tag(), hn::ShiftLeft<-Bits>(hn::BitCast(u16_tag(), v)));
  if constexpr (Bits == 0) return v;
}
/// The bits of `mask`, moved to the right by Bits.
template <int Bits>
HWY_INLINE u8s field(u8s v, int mask) {
  return hn::And(shift_right<Bits>(v), splat_byte(mask));
}

/// Vector v of 16 half floats.
HWY_INLINE f32s load_halves(const std::byte* p, std::size_t v) { return load<dtype::f16>(p, v * lanes); }
/// Vector v of 16 bytes.
HWY_INLINE f32s load_unsigned(const std::uint8_t* p, std::size_t v) {
  const hn::Rebind<std::uint8_t, i32_tag> tag;
  return hn::ConvertTo(f32_tag(), hn::PromoteTo(i32_tag(), hn::LoadU(tag, p + v * lanes)));
}
HWY_INLINE f32s load_signed(const std::int8_t* p, std::size_t v) {
  const hn::Rebind<std::int8_t, i32_tag> tag;
  return hn::ConvertTo(f32_tag(), hn::PromoteTo(i32_tag(), hn::LoadU(tag, p + v * lanes)));
}

HWY_INLINE i32s splat_int(std::int32_t x) { return hn::Set(i32_tag(), x); }
/// Four activations, in every lane.
HWY_INLINE i8s splat_quad(const std::int8_t* q) {
  std::int32_t bits;
  hwy::CopyBytes<4>(q, &bits);
  return hn::BitCast(i8_tag(), splat_int(bits));
}

/// sum + code quads . activation quads, per 32-bit lane.
template <int Most>
HWY_INLINE i32s dot_quads(u8s codes, i8s x, i32s sum) {
  const i32_tag d;
  if constexpr (has_quad_u8_i8) {
    return hn::SumOfMulQuadAccumulate(d, codes, x, sum);
  } else if constexpr (has_pair_u8_i8) {
    static_assert(Most == signed_codes);  // smaller ones are summed in 16 bits
    const i8s w = hn::BitCast(i8_tag(), codes);
    const i8s signed_x = hn::IfNegativeThenNegOrUndefIfZero(w, x);
    const i16s pairs = hn::SatWidenMulPairwiseAdd(i16_tag(), hn::BitCast(u8_tag(), hn::Abs(w)), signed_x);
    return hn::Add(sum, hn::WidenMulPairwiseAdd(d, pairs, hn::Set(i16_tag(), std::int16_t{1})));
  } else {
    return hn::SumOfMulQuadAccumulate(d, hn::BitCast(i8_tag(), codes), x, sum);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
