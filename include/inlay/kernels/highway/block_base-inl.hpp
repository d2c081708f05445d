// SPDX-License-Identifier: Apache-2.0
// What the packed block formats share: vectors of bytes and their dot products.
//
// A panel holds 16 rows. Its columns come in groups of 256 (the last one may be shorter), a group in lines of 32
// columns, and a line in 8 steps of 4 columns. A step is 64 bytes, 4 columns of one row after 4 columns of the next: a
// vector of such bytes times 4 broadcast activations gives 32-bit sums of as many rows as it has lanes. A format is a
// struct with
//   line_bytes      bytes of a line of 16 rows, on average over its group: what the file has, times 16
//   stride          lines whose codes share bytes
//   loads           vectors of bytes that hold the codes of such lines; the i-th has those of step i of each line, or,
//                   where stride is 1, of steps i, i + loads ...
//   most            the greatest code; or signed_codes: codes are signed bytes, or those plus 128 (sign_offset)
//   offset          what codes have in excess: w = scale * (code - offset) + base
//   scales, bases   how many of them a line has: 1 or 2, and 0, 1 or 2
//   pack            packs up to 16 rows of the file
//   group           a view of a group: codes(line, i, v, out) of the i-th load; scale(line, part, v); base(line, part,
//   v).
//                   line is a multiple of the stride for codes, v is the vector in the panel, part the half of the
//                   line.
//   whole_scales    K formats: the group has instead number(line, part, v), integers that are to be multiplied by
//                   factor(v); and base_pair(line, v), of 16 bits each, by base_factor(v): the line's two, or, where it
//                   has one, the line's and the next one's
//   placed_codes    where that is cheaper: as codes, but those of line j of the stride are times 2^place(j)
//   number_pair     of small codes with two scales a line: both numbers(line, v), 16 bits each
//   fold            not 0: fold * (code - offset) * number is in -128..127, so that unpacked codes can be that
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

// Sums of four products u8 x i8 in one instruction; or of two, which saturate at 16 bits; or i8 x i8.
inline constexpr bool has_quad_u8_i8 = HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL;
inline constexpr bool has_pair_u8_i8 = HWY_ARCH_X86 && !has_quad_u8_i8 && HWY_TARGET <= HWY_SSSE3;

inline constexpr int sign_offset = has_quad_u8_i8 ? 128 : 0;
inline constexpr int signed_codes = 255;

inline constexpr std::size_t panel_vectors = panel_rows / lanes;
inline constexpr std::size_t step_bytes = 4 * panel_rows;
inline constexpr std::size_t line_steps = line_columns / 4;
inline constexpr std::size_t vector_bytes = 4 * lanes;

HWY_INLINE u8s load_bytes(const std::byte* p) { return hn::LoadU(u8_tag(), reinterpret_cast<const std::uint8_t*>(p)); }
HWY_INLINE u8s splat_byte(int x) { return hn::Set(u8_tag(), static_cast<std::uint8_t>(x)); }

/// Bytes shifted by a constant, to the left if it is negative. What crosses from byte to byte is for the caller to
/// mask.
HWY_INLINE u8s shift_right(u8s v, int bits) {
  const auto words = hn::BitCast(u16_tag(), v);
  if (bits == 0) return v;
  return hn::BitCast(u8_tag(), bits > 0 ? hn::ShiftRightSame(words, bits) : hn::ShiftLeftSame(words, -bits));
}
/// The bits of `mask` of v shifted to the right.
HWY_INLINE u8s field(u8s v, int bits, int mask) { return hn::And(shift_right(v, bits), splat_byte(mask)); }
/// low, and the bits of `mask` of v shifted to the right.
HWY_INLINE u8s with_field(u8s low, u8s v, int bits, int mask) {
  return hn::OrAnd(low, shift_right(v, bits), splat_byte(mask));
}

/// Vector v of 16 half floats.
HWY_INLINE f32s load_halves(const std::byte* p, std::size_t v) { return load<dtype::f16>(p, v * lanes); }
/// Vector v of 16 bytes.
template <class Byte>
HWY_INLINE i32s load_numbers(const Byte* p, std::size_t v) {
  const hn::Rebind<Byte, i32_tag> tag;
  return hn::PromoteTo(i32_tag(), hn::LoadU(tag, p + v * lanes));
}

/// Vector v of 16 pairs of bytes, as pairs of 16-bit numbers.
HWY_INLINE i32s load_number_pairs(const std::uint8_t* p, std::size_t v) {
  const hn::Rebind<std::uint8_t, u16_tag> tag;
  return hn::BitCast(i32_tag(), hn::PromoteTo(u16_tag(), hn::LoadU(tag, p + 2 * v * lanes)));
}

HWY_INLINE i32s splat_int(std::int32_t x) { return hn::Set(i32_tag(), x); }
/// Four activations, in every lane.
HWY_INLINE i8s splat_quad(const std::int8_t* q) {
  std::int32_t bits;
  hwy::CopyBytes<4>(q, &bits);
  return hn::BitCast(i8_tag(), splat_int(bits));
}

/// The activations of a step of a line, in every lane. Where products take one lane of a vector for all of them, and
/// there are registers to spare, the line is loaded as vectors.
HWY_INLINE i8s splat_quad_of(const std::int8_t* line, std::size_t step) {
#if HWY_TARGET == HWY_NEON_BF16
  const i32s four = hn::BitCast(i32_tag(), hn::LoadU(i8_tag(), line + step / 4 * 16));
  const i32s one = step % 4 == 0   ? hn::BroadcastLane<0>(four)
                   : step % 4 == 1 ? hn::BroadcastLane<1>(four)
                   : step % 4 == 2 ? hn::BroadcastLane<2>(four)
                                   : hn::BroadcastLane<3>(four);
  return hn::BitCast(i8_tag(), one);
#else
  return splat_quad(line + 4 * step);
#endif
}

/// sums + the products i8 x i8 of each four bytes. (Highway has the instruction of this target from 1.3.0 on.)
HWY_INLINE i32s add_quads(i32s sums, i8s a, i8s b) {
#if HWY_TARGET == HWY_NEON_BF16
  return i32s(vdotq_s32(sums.raw, a.raw, b.raw));
#else
  return hn::SumOfMulQuadAccumulate(i32_tag(), a, b, sums);
#endif
}

/// sums + the products of each two 16-bit numbers.
HWY_INLINE i32s add_pairs(i32s sums, i32s a, i32s b) {
  const i16_tag d;
#if HWY_ARCH_X86
  i32s none = hn::Zero(i32_tag());  // stays so
  return hn::ReorderWidenMulAccumulate(i32_tag(), hn::BitCast(d, a), hn::BitCast(d, b), sums, none);
#else
  return hn::Add(sums, hn::WidenMulPairwiseAdd(i32_tag(), hn::BitCast(d, a), hn::BitCast(d, b)));
#endif
}

/// Two numbers below 2^15, as one of 32 bits.
HWY_INLINE i32s pair_of(i32s low, i32s high) { return hn::Or(low, hn::ShiftLeft<16>(high)); }

/// The first or second number of pairs that are not negative.
HWY_INLINE i32s half_of_pair(i32s pair, std::size_t half) {
  return half == 0 ? hn::And(pair, splat_int(0xffff)) : hn::ShiftRight<16>(pair);
}

/// The whole sums of a line that belong to `bases` bases of it, in every lane.
template <std::size_t Bases>
HWY_INLINE i32s splat_sums(const quantized_line& x) {
  std::int32_t bits;
  hwy::CopyBytes<4>(Bases == 1 ? x.pair_sums : x.half_sums, &bits);
  return splat_int(bits);
}

/// Sums of products of codes up to Most with activations, over Steps steps.
template <int Most, std::size_t Steps>
class step_sums {
  /// How many steps are summed in 16 bits before they are widened; 0: every step is summed in 32 bits.
  static constexpr std::size_t narrow_steps = [] {
    if (!has_pair_u8_i8 || Most == signed_codes) return std::size_t{0};
    std::size_t steps = Steps;
    while (steps * 2 * 127 * Most > 32767) steps /= 2;
    return steps;
  }();

 public:
  HWY_INLINE step_sums() {}  // an implicit one would be compiled for the baseline target
  HWY_INLINE void start(i32s first) { sums_ = first; }

  /// Adds the products of the step that is the `step`-th to be added, a constant after unrolling.
  HWY_INLINE void add(std::size_t step, u8s codes, i8s x) {
    const i32_tag d;
    if constexpr (has_quad_u8_i8) {
      sums_ = hn::SumOfMulQuadAccumulate(d, codes, x, sums_);
    } else if constexpr (narrow_steps != 0) {
      const i16s pairs = hn::SatWidenMulPairwiseAdd(i16_tag(), codes, x);
      narrow_ = step % narrow_steps == 0 ? pairs : hn::Add(narrow_, pairs);
      if (step % narrow_steps == narrow_steps - 1) widen(narrow_);
    } else if constexpr (has_pair_u8_i8) {
      const i8s w = hn::BitCast(i8_tag(), codes);
      const i8s signed_x = hn::IfNegativeThenNegOrUndefIfZero(w, x);
      widen(hn::SatWidenMulPairwiseAdd(i16_tag(), hn::BitCast(u8_tag(), hn::Abs(w)), signed_x));
    } else {
      sums_ = add_quads(sums_, hn::BitCast(i8_tag(), codes), x);
    }
  }
  /// The same with the activations of a step of a line.
  HWY_INLINE void add(std::size_t turn, u8s codes, const std::int8_t* line, std::size_t step) {
#if HWY_ARCH_X86 && HWY_COMPILER_GCC_ACTUAL && HWY_TARGET <= HWY_AVX3_DL
    if constexpr (lanes == 16) {
      // g++ would broadcast them first: more for the core to keep in mind while it waits for memory.
      const auto& quad = *reinterpret_cast<const std::int8_t(*)[4]>(line + 4 * step);
      asm("{vpdpbusd\t%2%{1to16%}, %1, %0|vpdpbusd\t%0, %1, DWORD PTR %2%{1to16%}}"
          : "+v"(sums_.raw)
          : "v"(codes.raw), "m"(quad));
      return;
    }
#endif
    add(turn, codes, splat_quad_of(line, step));
  }
  HWY_INLINE i32s sums() const { return sums_; }

 private:
  HWY_INLINE void widen(i16s pairs) {
    sums_ = hn::Add(sums_, hn::WidenMulPairwiseAdd(i32_tag(), pairs, hn::Set(i16_tag(), std::int16_t{1})));
  }

  i32s sums_;
  i16s narrow_;
};

/// Whether a format has placed_codes, and their places.
template <class Format>
inline constexpr bool has_places = has_quad_u8_i8 && requires { Format::group::place(0); };
template <class Format>
HWY_INLINE constexpr int place_of([[maybe_unused]] std::size_t line) {
  if constexpr (has_places<Format>)
    return Format::group::place(line);
  else
    return 0;
}
/// What placed codes are to be multiplied by.
constexpr float unplaced(int place) { return 1.0f / static_cast<float>(1 << place); }

/// What sums start from so that codes times 2^place count as code - Offset, given -128 times the sum of the
/// activations.
template <int Offset>
HWY_INLINE i32s start_of_sums(std::int32_t minus_128_sums, int place = 0) {
  static_assert(Offset == 0 || 128 % Offset == 0);
  if constexpr (Offset == 0) return hn::Zero(i32_tag());
  constexpr int shift = Offset == 128 || Offset == 0 ? 0 : Offset == 32 ? 2 : Offset == 16 ? 3 : Offset == 8 ? 4 : 5;
  static_assert(Offset == 0 || Offset << shift == 128);
  const i32s sums = splat_int(minus_128_sums);
  return place == shift ? sums : hn::ShiftRightSame(sums, shift - place);
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
