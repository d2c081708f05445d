// SPDX-License-Identifier: Apache-2.0
// The 8-bit form of activations that products with quantized weights read.
//
// 256 columns share a float unit, and each 32 of them a power of two times it: a kernel then multiplies weight scales
// by activation scales with an integer addition to their exponents. No coarser than one scale for 256, which is what
// the K formats are commonly paired with, and far finer where a few large activations stand among small ones.
#pragma once

#include <cstddef>
#include <cstdint>

namespace inlay::kernels {

/// 32 activations in a cache line: activation i is unit * 2^exponent * q[i], with q in -127..127.
struct quantized_line {
  std::int8_t q[32];
  std::int32_t exponent;         ///< in the place of a float's exponent: the number, 0..24, times 2^23
  std::int32_t offset;           ///< -128 times the sum of q
  std::int32_t half_offsets[2];  ///< the same of q[0..15] and q[16..31]
  float sum;                     ///< 2^exponent times the sum of q
  float half_sums[2];            ///< the same of q[0..15] and q[16..31]
  float unit;                    ///< the same in all lines of a group of 256 columns
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
