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

HWY_INLINE float greatest_magnitude(const float* x) {
  f32s most = zero();
  INLAY_UNROLL
  for (std::size_t i = 0; i < line_columns; i += lanes) most = hn::Max(most, hn::Abs(load(x + i)));
  return highest(most);
}

/// The least e >= 0 with 2^e >= x, for x up to 2^24.
HWY_INLINE std::int32_t exponent_above(float x) {
  std::uint32_t bits;
  hwy::CopyBytes<4>(&x, &bits);
  return std::clamp(static_cast<std::int32_t>((bits + 0x7fffff) >> 23) - 127, 0, 24);
}

HWY_INLINE float power_of_two(std::int32_t exponent) {
  const std::int32_t bits = (exponent + 127) << 23;
  float value;
  hwy::CopyBytes<4>(&bits, &value);
  return value;
}

inline void quantize_line(const float* x, float unit, float inverse, std::int32_t exponent, quantized_line& line) {
  const hn::Rebind<std::int8_t, f32_tag> byte_tag;
  const f32s factor = splat(inverse * power_of_two(-exponent));
  std::int32_t sums[2];
  INLAY_UNROLL
  for (std::size_t half = 0; half < 2; ++half) {
    i32s total = hn::Zero(i32_tag());
    INLAY_UNROLL
    for (std::size_t i = 0; i < 16; i += lanes) {
      const i32s q = hn::NearestInt(hn::Mul(load(x + 16 * half + i), factor));
      total = hn::Add(total, q);
      hn::StoreU(hn::DemoteTo(byte_tag, q), byte_tag, line.q + 16 * half + i);
    }
    sums[half] = hn::ReduceSum(i32_tag(), total);
  }
  const float power = power_of_two(exponent);
  line.exponent = exponent << 23;
  line.offset = -128 * (sums[0] + sums[1]);
  line.sum = power * static_cast<float>(sums[0] + sums[1]);
  for (std::size_t half = 0; half < 2; ++half) {
    line.half_offsets[half] = -128 * sums[half];
    line.half_sums[half] = power * static_cast<float>(sums[half]);
  }
  line.unit = unit;
}

/// Up to 256 columns, a whole number of lines.
inline void quantize_group(const float* x, std::size_t line_count, quantized_line* lines) {
  float magnitudes[group_lines];
  float most = 0.0f;
  for (std::size_t i = 0; i < line_count; ++i) {
    magnitudes[i] = greatest_magnitude(x + i * line_columns);
    most = std::max(most, magnitudes[i]);
  }
  // 2^24 units are what the greatest line needs. The floor keeps the inverse finite.
  const float unit = std::max(most * (power_of_two(-24) / 127.0f), power_of_two(-100));
  const float inverse = 1.0f / unit;
  for (std::size_t i = 0; i < line_count; ++i) {
    // A little less than the quotient: rounding must not double the scale of the greatest line.
    const std::int32_t exponent = exponent_above(magnitudes[i] * inverse * (0.99999f / 127.0f));
    quantize_line(x + i * line_columns, unit, inverse, exponent, lines[i]);
  }
}

}  // namespace detail

inline void quantize_rows(const activations& x, std::byte* out) {
  INLAY_ASSERT(x.columns % line_columns == 0);
  for (std::size_t i = 0; i < x.count; ++i) {
    const float* values = x.values + i * x.stride;
    auto* lines = reinterpret_cast<quantized_line*>(out + i * quantized_row_bytes(x.columns));
    for (std::size_t c = 0; c < x.columns; c += group_columns)
      detail::quantize_group(values + c, std::min(group_columns, x.columns - c) / line_columns,
                             lines + c / line_columns);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
