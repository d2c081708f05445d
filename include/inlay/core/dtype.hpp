// SPDX-License-Identifier: Apache-2.0
// How numbers are stored in checkpoints: names, block geometry. Codecs are in quant/, container type numbers in io/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace inlay {

enum class dtype : std::uint8_t {
  f32,
  f16,
  bf16,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  iq4_nl,
  iq4_xs,
  mxfp4,
  iq2_xxs,
};
inline constexpr std::size_t dtype_count = 17;

/// A row of n weights is n / weights blocks of `bytes` bytes, back to back.
struct block_geometry {
  std::string_view name;
  std::uint16_t weights;
  std::uint16_t bytes;
};

namespace detail {
inline constexpr block_geometry geometries[dtype_count] = {
    {"F32", 1, 4},      {"F16", 1, 2},        {"BF16", 1, 2},     {"Q4_0", 32, 18},   {"Q4_1", 32, 20},
    {"Q5_0", 32, 22},   {"Q5_1", 32, 24},     {"Q8_0", 32, 34},   {"Q2_K", 256, 84},  {"Q3_K", 256, 110},
    {"Q4_K", 256, 144}, {"Q5_K", 256, 176},   {"Q6_K", 256, 210}, {"IQ4_NL", 32, 18}, {"IQ4_XS", 256, 136},
    {"MXFP4", 32, 17},  {"IQ2_XXS", 256, 66},
};
}  // namespace detail

constexpr const block_geometry& geometry(dtype type) { return detail::geometries[static_cast<std::size_t>(type)]; }
constexpr std::string_view name(dtype type) { return geometry(type).name; }
constexpr bool is_float(dtype type) { return geometry(type).weights == 1; }

/// What keys and values can be stored as.
inline constexpr dtype cache_types[] = {dtype::f32, dtype::f16, dtype::bf16, dtype::q8_0};
constexpr bool is_cache_type(dtype type) {
  for (const dtype one : cache_types)
    if (one == type) return true;
  return false;
}

/// Bytes of a row of `columns` weights; columns must be a whole number of blocks.
constexpr std::size_t row_bytes(dtype type, std::size_t columns) {
  return columns / geometry(type).weights * geometry(type).bytes;
}

}  // namespace inlay
