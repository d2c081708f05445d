// SPDX-License-Identifier: Apache-2.0
// Activations to 8 bits: see quantized_line.hpp for the form.
#include "inlay/kernels/highway/quantized_line.hpp"

HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

using inlay::kernels::group_columns;
using inlay::kernels::group_lines;
using inlay::kernels::line_columns;
using inlay::kernels::mantissa_count;
using inlay::kernels::quantized_line;
using inlay::kernels::scale_mantissas;
using inlay::kernels::sum_exponent;

inline std::size_t quantized_row_bytes(std::size_t columns) { return inlay::kernels::quantized_line_bytes(columns); }

namespace detail {

HWY_INLINE float power_of_two(std::int32_t exponent) {
  const std::int32_t bits = (exponent + 127) << 23;
  float value;
  hwy::CopyBytes<4>(&bits, &value);
  return value;
}

/// A mantissa, or 2.
HWY_INLINE f32s splat_mantissa(std::size_t i) {
  return i == mantissa_count ? splat(2.0f) : hn::BitCast(f32_tag(), hn::Set(i32_tag(), scale_mantissas[i]));
}

/// The least scale that is not below x, for x in 1..2^24.
HWY_INLINE f32s scale_above(f32s x) {
  const f32_tag d;
  const f32s power = hn::And(x, hn::BitCast(d, hn::Set(i32_tag(), 0x7f800000)));
  f32s scale = power;
  INLAY_UNROLL
  for (std::size_t i = 0; i < mantissa_count; ++i)
    scale = hn::IfThenElse(hn::Gt(x, hn::Mul(power, splat_mantissa(i))), hn::Mul(power, splat_mantissa(i + 1)), scale);
  return scale;
}

/// 256 columns. Halves of lines, of 16 columns, are what vectors have a lane for.
inline HWY_NOINLINE void quantize_group(const float* x, quantized_line* lines) {
  constexpr std::size_t halves = 2 * group_lines;
  constexpr std::size_t vectors = halves / lanes;
  const f32_tag d;
  const i32_tag di;
  f32s tops[vectors];
  f32s most = zero();
  INLAY_UNROLL
  for (std::size_t v = 0; v < vectors; ++v) {
    f32s of_half[lanes];
    INLAY_UNROLL
    for (std::size_t j = 0; j < lanes; ++j) {
      const float* half = x + 16 * (v * lanes + j);
      of_half[j] = hn::Abs(load(half));
      INLAY_UNROLL
      for (std::size_t i = lanes; i < 16; i += lanes) of_half[j] = hn::Max(of_half[j], hn::Abs(load(half + i)));
    }
    const f32s top = reduce_each<true>(of_half);
    tops[v] = hn::Max(top, hn::Reverse2(d, top));  // of the line
    most = hn::Max(most, tops[v]);
  }
  // 2^24 units are what the greatest line needs. The floor keeps the inverse finite.
  const float unit = std::max(highest(most) * (power_of_two(-24) / 127.0f), power_of_two(-100));
  const float inverse = 1.0f / unit;

  alignas(64) std::int32_t offsets[halves], half_offsets[halves];
  alignas(64) float scales[halves], factors[halves], sums[halves];
  alignas(64) std::int16_t line_sums[halves], half_sums[halves];
  INLAY_UNROLL
  for (std::size_t v = 0; v < vectors; ++v) {
    // A little less than the quotient: rounding must not make the scale of the greatest line coarser.
    const f32s least = hn::Mul(tops[v], splat(inverse * (0.99999f / 127.0f)));
    const f32s scale = scale_above(hn::Max(least, splat(1.0f)));
    store(scale, scales + v * lanes);
    store(hn::Div(splat(inverse), scale), factors + v * lanes);
  }
  INLAY_UNROLL
  for (std::size_t v = 0; v < vectors; ++v) {
    const hn::Rebind<std::int8_t, f32_tag> byte_tag;
    i32s totals[lanes];
    INLAY_UNROLL
    for (std::size_t j = 0; j < lanes; ++j) {
      const std::size_t half = v * lanes + j;
      const f32s factor = splat(factors[half]);
      totals[j] = hn::Zero(di);
      INLAY_UNROLL
      for (std::size_t i = 0; i < 16; i += lanes) {
        const i32s q = hn::NearestInt(hn::Mul(load(x + 16 * half + i), factor));
        totals[j] = hn::Add(totals[j], q);
        hn::StoreU(hn::DemoteTo(byte_tag, q), byte_tag, lines[half / 2].q + half % 2 * 16 + i);
      }
    }
    const i32s of_half = reduce_each<false>(totals);
    const i32s of_line = hn::Add(of_half, hn::Reverse2(di, of_half));
    const f32s scale = load(scales + v * lanes);
    const f32s line_sum = hn::Mul(scale, hn::ConvertTo(d, of_line));
    const f32s half_sum = hn::Mul(scale, hn::ConvertTo(d, of_half));
    hn::StoreU(hn::Neg(hn::ShiftLeft<7>(of_half)), di, half_offsets + v * lanes);
    hn::StoreU(hn::Neg(hn::ShiftLeft<7>(of_line)), di, offsets + v * lanes);
    store(line_sum, sums + v * lanes);
    const hn::Rebind<std::int16_t, f32_tag> short_tag;
    const f32s whole = splat(power_of_two(-sum_exponent));
    hn::StoreU(hn::DemoteTo(short_tag, hn::NearestInt(hn::Mul(line_sum, whole))), short_tag, line_sums + v * lanes);
    hn::StoreU(hn::DemoteTo(short_tag, hn::NearestInt(hn::Mul(half_sum, whole))), short_tag, half_sums + v * lanes);
  }
  for (std::size_t i = 0; i < group_lines; ++i) {
    quantized_line& line = lines[i];
    line.scale = scales[2 * i];
    line.offset = offsets[2 * i];
    hwy::CopyBytes<8>(half_offsets + 2 * i, line.half_offsets);
    line.sum = sums[2 * i];
    hwy::CopyBytes<4>(half_sums + 2 * i, line.half_sums);
    hwy::CopyBytes<4>(line_sums + 2 * (i - i % 2) + 1, line.pair_sums);  // each is there twice
    line.unit = unit;
  }
}

}  // namespace detail

inline void quantize_rows(const activations& x, std::byte* out) {
  INLAY_ASSERT(x.columns % line_columns == 0);
  for (std::size_t i = 0; i < x.count; ++i) {
    const float* values = x.values + i * x.stride;
    auto* lines = reinterpret_cast<quantized_line*>(out + i * quantized_row_bytes(x.columns));
    std::size_t c = 0;
    for (; c + group_columns <= x.columns; c += group_columns)
      detail::quantize_group(values + c, lines + c / line_columns);
    if (c == x.columns) continue;
    float rest[group_columns] = {};
    quantized_line rest_lines[group_lines];
    std::copy(values + c, values + x.columns, rest);
    detail::quantize_group(rest, rest_lines);
    std::copy_n(rest_lines, (x.columns - c) / line_columns, lines + c / line_columns);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
