// SPDX-License-Identifier: Apache-2.0
// The K formats: super-blocks of 256 weights in sub-blocks of 16 or 32, whose scales are themselves small integers
// times one float. Their encoders are in quant/k_encode.hpp.
#pragma once

#include <cstdint>

#include "inlay/quant/block.hpp"

namespace inlay {

/// 16 sub-blocks of 16: y = d * (scale & 15) * q - dmin * (scale >> 4), q in 0..3.
template <>
struct block<dtype::q2_k> {
  std::uint8_t scales[16];
  std::uint8_t qs[64];  ///< bits 2s of byte 32n + l: weight 128n + 32s + l
  packed_f16 d;
  packed_f16 dmin;
};

/// 16 sub-blocks of 16: y = d * scale * q, scale in -32..31, q in -4..3.
template <>
struct block<dtype::q3_k> {
  std::uint8_t hmask[32];   ///< bit 4n + s of byte l: set where weight 128n + 32s + l is not negative
  std::uint8_t qs[64];      ///< the low two bits, in the order of q2_k
  std::uint8_t scales[12];  ///< 16 of 6 bits: q3_k_scale() unpacks one
  packed_f16 d;
};

/// 8 sub-blocks of 32: y = d * scale * q - dmin * min, q in 0..15.
template <>
struct block<dtype::q4_k> {
  packed_f16 d;
  packed_f16 dmin;
  std::uint8_t scales[12];  ///< 8 scales and 8 mins of 6 bits: k_scale_min() unpacks one of each
  std::uint8_t qs[128];     ///< bytes 32c..: sub-block 2c in the low, 2c + 1 in the high nibbles
};

/// As q4_k with q in 0..31.
template <>
struct block<dtype::q5_k> {
  packed_f16 d;
  packed_f16 dmin;
  std::uint8_t scales[12];
  std::uint8_t qh[32];  ///< bit k of byte l: the fifth bit of weight l of sub-block k
  std::uint8_t qs[128];
};

/// 16 sub-blocks of 16: y = d * scale * (q - 32), q in 0..63.
template <>
struct block<dtype::q6_k> {
  std::uint8_t
      ql[128];  ///< low four bits; in each half of 128 weights, 64 bytes: weights 0..63 low, 64..127 high nibble
  std::uint8_t qh[64];  ///< bits 2s of byte 32n + l: the high two bits of weight 128n + 32s + l
  std::int8_t scales[16];
  packed_f16 d;
};
static_assert(detail::layout_matches_geometry<dtype::q2_k>);
static_assert(detail::layout_matches_geometry<dtype::q3_k>);
static_assert(detail::layout_matches_geometry<dtype::q4_k>);
static_assert(detail::layout_matches_geometry<dtype::q5_k>);
static_assert(detail::layout_matches_geometry<dtype::q6_k>);

/// Scale of sub-block k (0..15) of a q3_k block, -32..31.
constexpr int q3_k_scale(const std::uint8_t (&packed)[12], int k) {
  const int low = k < 8 ? packed[k] & 15 : packed[k - 8] >> 4;
  const int high = (packed[8 + k % 4] >> (2 * (k / 4))) & 3;
  return (low | (high << 4)) - 32;
}

struct k_scale_min_pair {
  std::uint8_t scale;  ///< 0..63
  std::uint8_t min;    ///< 0..63
};

/// Scale and min of sub-block k (0..7) of a q4_k or q5_k block.
constexpr k_scale_min_pair k_scale_min(const std::uint8_t (&packed)[12], int k) {
  if (k < 4) return {static_cast<std::uint8_t>(packed[k] & 63), static_cast<std::uint8_t>(packed[k + 4] & 63)};
  return {static_cast<std::uint8_t>((packed[k + 4] & 15) | ((packed[k - 4] >> 6) << 4)),
          static_cast<std::uint8_t>((packed[k + 4] >> 4) | ((packed[k] >> 6) << 4))};
}

// In all of these the products are exact in float (11 bits of d, at most 8 of a scale and 6 of q): one rounding at
// most.

inline void decode(const block<dtype::q2_k>& from, float* to) {
  const float d = from.d.value();
  const float dmin = from.dmin.value();
  for (int k = 0; k < 16; ++k) {
    const float scale = d * static_cast<float>(detail::low_nibble(from.scales[k]));
    const float min = dmin * static_cast<float>(detail::high_nibble(from.scales[k]));
    const std::uint8_t* qs = from.qs + 32 * (k / 8) + 16 * (k % 2);
    const int shift = k / 2 % 4 * 2;
    for (int l = 0; l < 16; ++l) to[16 * k + l] = scale * static_cast<float>((qs[l] >> shift) & 3) - min;
  }
}

inline void decode(const block<dtype::q3_k>& from, float* to) {
  const float d = from.d.value();
  for (int k = 0; k < 16; ++k) {
    const float scale = d * static_cast<float>(q3_k_scale(from.scales, k));
    const std::uint8_t* qs = from.qs + 32 * (k / 8) + 16 * (k % 2);
    const std::uint8_t* high = from.hmask + 16 * (k % 2);
    const int shift = k / 2 % 4 * 2;
    for (int l = 0; l < 16; ++l) {
      const int q = ((qs[l] >> shift) & 3) - ((high[l] >> (k / 2)) & 1 ? 0 : 4);
      to[16 * k + l] = scale * static_cast<float>(q);
    }
  }
}

inline void decode(const block<dtype::q4_k>& from, float* to) {
  const float d = from.d.value();
  const float dmin = from.dmin.value();
  for (int k = 0; k < 8; ++k) {
    const auto packed = k_scale_min(from.scales, k);
    const float scale = d * static_cast<float>(packed.scale);
    const float min = dmin * static_cast<float>(packed.min);
    const std::uint8_t* qs = from.qs + 32 * (k / 2);
    const int shift = k % 2 * 4;
    for (int l = 0; l < 32; ++l) to[32 * k + l] = scale * static_cast<float>((qs[l] >> shift) & 15) - min;
  }
}

inline void decode(const block<dtype::q5_k>& from, float* to) {
  const float d = from.d.value();
  const float dmin = from.dmin.value();
  for (int k = 0; k < 8; ++k) {
    const auto packed = k_scale_min(from.scales, k);
    const float scale = d * static_cast<float>(packed.scale);
    const float min = dmin * static_cast<float>(packed.min);
    const std::uint8_t* qs = from.qs + 32 * (k / 2);
    const int shift = k % 2 * 4;
    for (int l = 0; l < 32; ++l) {
      const int q = ((qs[l] >> shift) & 15) | (((from.qh[l] >> k) & 1) << 4);
      to[32 * k + l] = scale * static_cast<float>(q) - min;
    }
  }
}

inline void decode(const block<dtype::q6_k>& from, float* to) {
  const float d = from.d.value();
  for (int k = 0; k < 16; ++k) {
    const float scale = d * static_cast<float>(from.scales[k]);
    const int half = k / 8;
    const int group = k / 2 % 4;  // of 32 weights
    const std::uint8_t* low = from.ql + 64 * half + 32 * (group % 2) + 16 * (k % 2);
    const std::uint8_t* high = from.qh + 32 * half + 16 * (k % 2);
    for (int l = 0; l < 16; ++l) {
      const int q = ((low[l] >> (group / 2 * 4)) & 15) | (((high[l] >> (2 * group)) & 3) << 4);
      to[16 * k + l] = scale * static_cast<float>(q - 32);
    }
  }
}

}  // namespace inlay
