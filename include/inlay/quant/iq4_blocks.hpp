// SPDX-License-Identifier: Apache-2.0
// Four-bit formats whose codes index a table of 16 unevenly spaced values: iq4_nl, iq4_xs and mxfp4 (OCP Microscaling
// Formats 1.0: E2M1 elements, one E8M0 scale for 32). Their encoders are in quant/table_encode.hpp.
#pragma once

#include <bit>
#include <cstdint>

#include "inlay/quant/block.hpp"

namespace inlay {

/// Values of the iq4_nl and iq4_xs codes, ascending.
inline constexpr std::int8_t iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                               1,    13,   25,  38,  53,  69,  89,  113};
/// Values of the mxfp4 codes, doubled to be whole: sign in bit 3, then 0 .5 1 1.5 2 3 4 6.
inline constexpr std::int8_t mxfp4_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/// y = d * iq4_values[code].
template <>
struct block<dtype::iq4_nl> {
  packed_f16 d;
  std::uint8_t qs[16];  ///< weight j in the low, weight j + 16 in the high nibble
};

/// 8 sub-blocks of 32: y = d * scale * iq4_values[code], scale in -32..31.
template <>
struct block<dtype::iq4_xs> {
  packed_f16 d;
  std::uint8_t scales_h[2];  ///< bits 2k of the 16: the high two bits of scale k
  std::uint8_t scales_l[4];  ///< nibble k: its low four bits
  std::uint8_t qs[128];      ///< 16 bytes a sub-block, each as in iq4_nl
};

/// y = 2^(e - 128) * mxfp4_values[code].
template <>
struct block<dtype::mxfp4> {
  std::uint8_t e;
  std::uint8_t qs[16];
};
static_assert(detail::layout_matches_geometry<dtype::iq4_nl>);
static_assert(detail::layout_matches_geometry<dtype::iq4_xs>);
static_assert(detail::layout_matches_geometry<dtype::mxfp4>);

/// Scale of sub-block k (0..7) of an iq4_xs block, -32..31.
constexpr int iq4_xs_scale(const block<dtype::iq4_xs>& from, int k) {
  const int low = (from.scales_l[k / 2] >> (k % 2 * 4)) & 15;
  const int high = (from.scales_h[k / 4] >> (k % 4 * 2)) & 3;
  return (low | (high << 4)) - 32;
}

/// 2^(e - 128): half of the E8M0 scale, for the doubled values. The two smallest are subnormal.
constexpr float mxfp4_scale(std::uint8_t e) {
  return std::bit_cast<float>(e < 2 ? 0x00200000u << e : (std::uint32_t{e} - 1) << 23);
}

namespace detail {

inline void decode_by_table(const std::uint8_t* qs, float scale, const std::int8_t (&table)[16], float* to) {
  for (int j = 0; j < 16; ++j) {
    to[j] = scale * static_cast<float>(table[low_nibble(qs[j])]);
    to[j + 16] = scale * static_cast<float>(table[high_nibble(qs[j])]);
  }
}

}  // namespace detail

inline void decode(const block<dtype::iq4_nl>& from, float* to) {
  detail::decode_by_table(from.qs, from.d.value(), iq4_values, to);
}

inline void decode(const block<dtype::iq4_xs>& from, float* to) {
  const float d = from.d.value();
  for (int k = 0; k < 8; ++k) {
    const float scale = d * static_cast<float>(iq4_xs_scale(from, k));
    detail::decode_by_table(from.qs + 16 * k, scale, iq4_values, to + 32 * k);
  }
}

inline void decode(const block<dtype::mxfp4>& from, float* to) {
  detail::decode_by_table(from.qs, mxfp4_scale(from.e), mxfp4_values, to);
}

}  // namespace inlay
