// SPDX-License-Identifier: Apache-2.0
// Encoders of the K formats. `importance` is null or 256 non-negative factors: how much each weight counts.
#pragma once

#include <cstddef>
#include <cstdint>

#include "inlay/quant/block.hpp"
#include "inlay/quant/k_blocks.hpp"
#include "inlay/quant/super_block_search.hpp"

namespace inlay {

namespace detail {

/// The inverse of k_scale_min().
inline void pack_k_scales(const float (&scales)[8], const float (&mins)[8], std::uint8_t (&packed)[12]) {
  for (int k = 0; k < 4; ++k) {
    const int scale = static_cast<int>(scales[k]), min = static_cast<int>(mins[k]);
    const int upper_scale = static_cast<int>(scales[k + 4]), upper_min = static_cast<int>(mins[k + 4]);
    packed[k] = static_cast<std::uint8_t>(scale | (upper_scale >> 4) << 6);
    packed[k + 4] = static_cast<std::uint8_t>(min | (upper_min >> 4) << 6);
    packed[k + 8] = nibbles(upper_scale & 15, upper_min & 15);
  }
}

/// Two bits of each of 256 levels, in the order q2_k and q3_k share.
inline void pack_low_pairs(const float* levels, int offset, std::uint8_t (&qs)[64]) {
  for (int byte = 0; byte < 64; ++byte) {
    const float* first = levels + 128 * (byte / 32) + byte % 32;
    int bits = 0;
    for (int s = 0; s < 4; ++s) bits |= ((static_cast<int>(first[32 * s]) + offset) & 3) << (2 * s);
    qs[byte] = static_cast<std::uint8_t>(bits);
  }
}

/// The low nibbles of 256 levels, in the order q4_k and q5_k share.
inline void pack_low_nibbles(const float* levels, std::uint8_t (&qs)[128]) {
  for (int byte = 0; byte < 128; ++byte) {
    const float* first = levels + 64 * (byte / 32) + byte % 32;
    qs[byte] = nibbles(static_cast<int>(first[0]) & 15, static_cast<int>(first[32]) & 15);
  }
}

}  // namespace detail

inline void encode(const float* from, block<dtype::q2_k>& to, const float* importance = nullptr) {
  float weights[256];
  detail::fill_weights(from, importance, 256, weights);
  const auto found = detail::search_affine_super_block<3, 15, 16>(from, weights);
  to.d.set(found.d);
  to.dmin.set(found.dmin);
  for (int k = 0; k < 16; ++k) {
    to.scales[k] = detail::nibbles(static_cast<int>(found.scales[k]), static_cast<int>(found.mins[k]));
  }
  detail::pack_low_pairs(found.levels, 0, to.qs);
}

inline void encode(const float* from, block<dtype::q3_k>& to, const float* importance = nullptr) {
  float weights[256];
  detail::fill_weights(from, importance, 256, weights);
  const auto found = detail::search_scaled<detail::whole_levels<-4, 3>, -32, 31, 16>(from, weights);
  to.d.set(found.d);
  for (std::uint8_t& packed : to.scales) packed = 0;
  for (int k = 0; k < 16; ++k) {
    const int scale = static_cast<int>(found.scales[k]) + 32;
    to.scales[k % 8] = static_cast<std::uint8_t>(to.scales[k % 8] | (scale & 15) << (k / 8 * 4));
    to.scales[8 + k % 4] = static_cast<std::uint8_t>(to.scales[8 + k % 4] | (scale >> 4) << (k / 4 * 2));
  }
  detail::pack_low_pairs(found.levels, 4, to.qs);
  for (int l = 0; l < 32; ++l) {
    int bits = 0;
    for (int s = 0; s < 8; ++s) bits |= (found.levels[32 * s + l] >= 0 ? 1 : 0) << s;
    to.hmask[l] = static_cast<std::uint8_t>(bits);
  }
}

inline void encode(const float* from, block<dtype::q4_k>& to, const float* importance = nullptr) {
  float weights[256];
  detail::fill_weights(from, importance, 256, weights);
  const auto found = detail::search_affine_super_block<15, 63, 8>(from, weights);
  to.d.set(found.d);
  to.dmin.set(found.dmin);
  detail::pack_k_scales(found.scales, found.mins, to.scales);
  detail::pack_low_nibbles(found.levels, to.qs);
}

inline void encode(const float* from, block<dtype::q5_k>& to, const float* importance = nullptr) {
  float weights[256];
  detail::fill_weights(from, importance, 256, weights);
  const auto found = detail::search_affine_super_block<31, 63, 8>(from, weights);
  to.d.set(found.d);
  to.dmin.set(found.dmin);
  detail::pack_k_scales(found.scales, found.mins, to.scales);
  detail::pack_low_nibbles(found.levels, to.qs);
  for (int l = 0; l < 32; ++l) {
    int bits = 0;
    for (int k = 0; k < 8; ++k) bits |= (static_cast<int>(found.levels[32 * k + l]) >> 4) << k;
    to.qh[l] = static_cast<std::uint8_t>(bits);
  }
}

inline void encode(const float* from, block<dtype::q6_k>& to, const float* importance = nullptr) {
  float weights[256];
  detail::fill_weights(from, importance, 256, weights);
  const auto found = detail::search_scaled<detail::whole_levels<-32, 31>, -128, 127, 16>(from, weights);
  to.d.set(found.d);
  for (int k = 0; k < 16; ++k) to.scales[k] = static_cast<std::int8_t>(found.scales[k]);
  for (int byte = 0; byte < 64; ++byte) {
    const float* first = found.levels + 128 * (byte / 32) + byte % 32;
    int q[4];
    for (int s = 0; s < 4; ++s) q[s] = static_cast<int>(first[32 * s]) + 32;
    std::uint8_t* low = to.ql + 64 * (byte / 32) + byte % 32;
    low[0] = detail::nibbles(q[0] & 15, q[2] & 15);
    low[32] = detail::nibbles(q[1] & 15, q[3] & 15);
    to.qh[byte] = static_cast<std::uint8_t>(q[0] >> 4 | q[1] >> 4 << 2 | q[2] >> 4 << 4 | q[3] >> 4 << 6);
  }
}

}  // namespace inlay
