// SPDX-License-Identifier: Apache-2.0
// The simple formats: 32 weights that share one scale d (and, in the _1 formats, a minimum m).
//   _0: y = d * (q - offset)      _1: y = d * q + m
// Encoders give the bytes of ggml's reference quantizers, evaluated in float with every product rounded.
#pragma once

#include <cmath>
#include <cstdint>

#include "inlay/quant/block.hpp"

namespace inlay {

template <>
struct block<dtype::q4_0> {
  packed_f16 d;
  std::uint8_t qs[16];  ///< weight j in the low, weight j + 16 in the high nibble
};
template <>
struct block<dtype::q4_1> {
  packed_f16 d;
  packed_f16 m;
  std::uint8_t qs[16];
};
template <>
struct block<dtype::q5_0> {
  packed_f16 d;
  std::uint8_t qh[4];  ///< bit j: the fifth bit of weight j
  std::uint8_t qs[16];
};
template <>
struct block<dtype::q5_1> {
  packed_f16 d;
  packed_f16 m;
  std::uint8_t qh[4];
  std::uint8_t qs[16];
};
template <>
struct block<dtype::q8_0> {
  packed_f16 d;
  std::int8_t qs[32];
};
static_assert(detail::layout_matches_geometry<dtype::q4_0>);
static_assert(detail::layout_matches_geometry<dtype::q4_1>);
static_assert(detail::layout_matches_geometry<dtype::q5_0>);
static_assert(detail::layout_matches_geometry<dtype::q5_1>);
static_assert(detail::layout_matches_geometry<dtype::q8_0>);

namespace detail {

constexpr std::uint32_t load_bits(const std::uint8_t (&bytes)[4]) {
  return bytes[0] | (std::uint32_t{bytes[1]} << 8) | (std::uint32_t{bytes[2]} << 16) | (std::uint32_t{bytes[3]} << 24);
}

/// The value with its float rounding: keeps compilers from fusing the product before it with the sum after it.
inline float rounded(float value) {
  const volatile float stored = value;
  return stored;
}

/// Truncates to a whole number in 0..most; NaN gives 0.
inline int to_level(float value, int most) {
  if (!(value > 0)) return 0;
  return value < static_cast<float>(most) ? static_cast<int>(value) : most;
}

inline float reciprocal(float scale) { return scale != 0 ? 1.0f / scale : 0.0f; }

/// The first of the 32 values with the greatest magnitude.
inline float extreme(const float* values) {
  float most = 0;
  float found = 0;
  for (int j = 0; j < 32; ++j) {
    if (std::fabs(values[j]) > most) most = std::fabs(found = values[j]);
  }
  return found;
}

/// Levels of a format without minimum: `extreme` is mapped to level 0, zero to `zero`. Returns the scale.
inline float symmetric_levels(const float* from, int zero, std::uint8_t (&levels)[32]) {
  const float d = extreme(from) / static_cast<float>(-zero);
  const float inverse = reciprocal(d);
  const float offset = static_cast<float>(zero) + 0.5f;
  for (int j = 0; j < 32; ++j) {
    levels[j] = static_cast<std::uint8_t>(to_level(rounded(from[j] * inverse) + offset, 2 * zero - 1));
  }
  return d;
}

struct scale_and_minimum {
  float d;
  float m;
};

/// Levels of a format with minimum: the range of the values is mapped to 0..most.
inline scale_and_minimum affine_levels(const float* from, int most, std::uint8_t (&levels)[32]) {
  float least = from[0];
  float greatest = from[0];
  for (int j = 1; j < 32; ++j) {
    if (from[j] < least) least = from[j];
    if (from[j] > greatest) greatest = from[j];
  }
  const float d = (greatest - least) / static_cast<float>(most);
  const float inverse = reciprocal(d);
  for (int j = 0; j < 32; ++j) {
    levels[j] = static_cast<std::uint8_t>(to_level(rounded((from[j] - least) * inverse) + 0.5f, most));
  }
  return {d, least};
}

inline void pack_nibbles(const std::uint8_t (&levels)[32], std::uint8_t (&qs)[16]) {
  for (int j = 0; j < 16; ++j) qs[j] = nibbles(levels[j] & 15, levels[j + 16] & 15);
}

inline void pack_fifth_bits(const std::uint8_t (&levels)[32], std::uint8_t (&qh)[4]) {
  for (int byte = 0; byte < 4; ++byte) {
    int bits = 0;
    for (int bit = 0; bit < 8; ++bit) bits |= (levels[8 * byte + bit] >> 4) << bit;
    qh[byte] = static_cast<std::uint8_t>(bits);
  }
}

}  // namespace detail

inline void decode(const block<dtype::q4_0>& from, float* to) {
  const float d = from.d.value();
  for (int j = 0; j < 16; ++j) {
    to[j] = d * static_cast<float>(detail::low_nibble(from.qs[j]) - 8);
    to[j + 16] = d * static_cast<float>(detail::high_nibble(from.qs[j]) - 8);
  }
}

inline void decode(const block<dtype::q4_1>& from, float* to) {
  const float d = from.d.value();
  const float m = from.m.value();
  for (int j = 0; j < 16; ++j) {
    to[j] = d * static_cast<float>(detail::low_nibble(from.qs[j])) + m;
    to[j + 16] = d * static_cast<float>(detail::high_nibble(from.qs[j])) + m;
  }
}

inline void decode(const block<dtype::q5_0>& from, float* to) {
  const float d = from.d.value();
  const std::uint32_t high = detail::load_bits(from.qh);
  for (int j = 0; j < 16; ++j) {
    const int first = detail::low_nibble(from.qs[j]) | static_cast<int>((high >> j & 1) << 4);
    const int second = detail::high_nibble(from.qs[j]) | static_cast<int>((high >> (j + 16) & 1) << 4);
    to[j] = d * static_cast<float>(first - 16);
    to[j + 16] = d * static_cast<float>(second - 16);
  }
}

inline void decode(const block<dtype::q5_1>& from, float* to) {
  const float d = from.d.value();
  const float m = from.m.value();
  const std::uint32_t high = detail::load_bits(from.qh);
  for (int j = 0; j < 16; ++j) {
    const int first = detail::low_nibble(from.qs[j]) | static_cast<int>((high >> j & 1) << 4);
    const int second = detail::high_nibble(from.qs[j]) | static_cast<int>((high >> (j + 16) & 1) << 4);
    to[j] = d * static_cast<float>(first) + m;
    to[j + 16] = d * static_cast<float>(second) + m;
  }
}

inline void decode(const block<dtype::q8_0>& from, float* to) {
  const float d = from.d.value();
  for (int j = 0; j < 32; ++j) to[j] = d * static_cast<float>(from.qs[j]);
}

inline void encode(const float* from, block<dtype::q4_0>& to) {
  std::uint8_t levels[32];
  to.d.set(detail::symmetric_levels(from, 8, levels));
  detail::pack_nibbles(levels, to.qs);
}

inline void encode(const float* from, block<dtype::q4_1>& to) {
  std::uint8_t levels[32];
  const auto [d, m] = detail::affine_levels(from, 15, levels);
  to.d.set(d);
  to.m.set(m);
  detail::pack_nibbles(levels, to.qs);
}

inline void encode(const float* from, block<dtype::q5_0>& to) {
  std::uint8_t levels[32];
  to.d.set(detail::symmetric_levels(from, 16, levels));
  detail::pack_fifth_bits(levels, to.qh);
  detail::pack_nibbles(levels, to.qs);
}

inline void encode(const float* from, block<dtype::q5_1>& to) {
  std::uint8_t levels[32];
  const auto [d, m] = detail::affine_levels(from, 31, levels);
  to.d.set(d);
  to.m.set(m);
  detail::pack_fifth_bits(levels, to.qh);
  detail::pack_nibbles(levels, to.qs);
}

inline void encode(const float* from, block<dtype::q8_0>& to) {
  const float d = std::fabs(detail::extreme(from)) / 127.0f;
  const float inverse = detail::reciprocal(d);
  to.d.set(d);
  for (int j = 0; j < 32; ++j) {
    const float scaled = from[j] * inverse;
    const int magnitude = detail::to_level(std::round(std::fabs(scaled)), 127);
    to.qs[j] = static_cast<std::int8_t>(scaled < 0 ? -magnitude : magnitude);
  }
}

}  // namespace inlay
