// SPDX-License-Identifier: Apache-2.0
// Activations to 8 bits: see quantized_line.hpp for the form.
#include "inlay/kernels/highway/quantized_line.hpp"

HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

using inlay::kernels::group_columns;
using inlay::kernels::group_lines;
using inlay::kernels::line_columns;
using inlay::kernels::quantized_line;

inline std::size_t quantized_row_bytes(std::size_t columns) { return inlay::kernels::quantized_line_bytes(columns); }

namespace detail {

HWY_INLINE float power_of_two(std::int32_t exponent) {
  const std::int32_t bits = (exponent + 127) << 23;
  float value;
  hwy::CopyBytes<4>(&bits, &value);
  return value;
}

/// 2^exponent of every lane.
HWY_INLINE f32s powers_of_two(i32s exponents) {
  return hn::BitCast(f32_tag(), hn::ShiftLeft<23>(hn::Add(exponents, hn::Set(i32_tag(), 127))));
}

/// The least e >= 0 with 2^e >= x, for x up to 2^24.
HWY_INLINE i32s exponents_above(f32s x) {
  const i32_tag d;
  const i32s up = hn::ShiftRight<23>(hn::Add(hn::BitCast(d, x), hn::Set(d, 0x7fffff)));
  return hn::Min(hn::Max(hn::Sub(up, hn::Set(d, 127)), hn::Zero(d)), hn::Set(d, 24));
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

  alignas(64) std::int32_t exponents[halves], offsets[halves], half_offsets[halves];
  alignas(64) float factors[halves], sums[halves], half_sums[halves];
  INLAY_UNROLL
  for (std::size_t v = 0; v < vectors; ++v) {
    // A little less than the quotient: rounding must not double the scale of the greatest line.
    const i32s e = exponents_above(hn::Mul(tops[v], splat(inverse * (0.99999f / 127.0f))));
    hn::StoreU(e, di, exponents + v * lanes);
    store(hn::Mul(powers_of_two(hn::Neg(e)), splat(inverse)), factors + v * lanes);
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
    const f32s power = powers_of_two(hn::LoadU(di, exponents + v * lanes));
    hn::StoreU(hn::Neg(hn::ShiftLeft<7>(of_half)), di, half_offsets + v * lanes);
    hn::StoreU(hn::Neg(hn::ShiftLeft<7>(of_line)), di, offsets + v * lanes);
    store(hn::Mul(power, hn::ConvertTo(d, of_half)), half_sums + v * lanes);
    store(hn::Mul(power, hn::ConvertTo(d, of_line)), sums + v * lanes);
  }
  for (std::size_t i = 0; i < group_lines; ++i) {
    quantized_line& line = lines[i];
    line.exponent = exponents[2 * i] << 23;
    line.offset = offsets[2 * i];
    hwy::CopyBytes<8>(half_offsets + 2 * i, line.half_offsets);
    line.sum = sums[2 * i];
    hwy::CopyBytes<8>(half_sums + 2 * i, line.half_sums);
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
