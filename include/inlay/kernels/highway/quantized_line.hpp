// SPDX-License-Identifier: Apache-2.0
// The 8-bit form of activations that products with quantized weights read.
//
// 256 columns share a float unit, and each 32 of them have a scale, a power of 2^(1/4) times it: a kernel then takes
// weight scales that were multiplied with one of four mantissas beforehand, and adds to their exponents as integers.
// Within 9 % of the finest scale for 32 columns, on average, at the cost of one scale for 256.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace inlay::kernels {

/// What scales are, times a power of two: 2^(k/4), as the bits of a float whose lowest byte is k.
inline constexpr std::int32_t scale_mantissas[] = {0x3f800000, 0x3f983701, 0x3fb50402, 0x3fd74403};
inline constexpr std::size_t mantissa_count = 4;

/// The whole sums of a line are in units of 2^sum_exponent: at least four steps of the coarsest scale of its group.
inline constexpr int sum_exponent = 22;

/// 32 activations in a cache line: activation i is unit * scale * q[i], with q in -127..127.
struct quantized_line {
  std::int8_t q[32];
  float scale;                   ///< a mantissa times 2^0 .. 2^24
  std::int32_t offset;           ///< -128 times the sum of q
  std::int32_t half_offsets[2];  ///< the same of q[0..15] and q[16..31]
  float sum;                     ///< scale times the sum of q
  std::int16_t half_sums[2];     ///< the same of q[0..15] and q[16..31], divided by 2^sum_exponent, rounded
  std::int16_t pair_sums[2];     ///< likewise of this line and the next; in every other line
  float unit;                    ///< the same in all lines of a group of 256 columns

  /// Which mantissa the scale has.
  std::size_t mantissa() const {
    std::uint8_t low;
    std::memcpy(&low, &scale, 1);
    return low;
  }
};
static_assert(sizeof(quantized_line) == 64);

inline constexpr std::size_t line_columns = 32;
inline constexpr std::size_t group_columns = 256;
inline constexpr std::size_t group_lines = group_columns / line_columns;

/// Bytes of a row of lines: one more than the columns need, so that rows do not compete for the same sets of a cache.
constexpr std::size_t quantized_line_bytes(std::size_t columns) {
  return (columns / line_columns + 1) * sizeof(quantized_line);
}

}  // namespace inlay::kernels
