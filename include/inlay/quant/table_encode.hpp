// SPDX-License-Identifier: Apache-2.0
// Encoders of the formats that index a table. mxfp4 gives the bytes of the gguf package; iq4_nl and iq4_xs search.
// `importance` is null or one non-negative factor a weight: how much it counts.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "inlay/quant/block.hpp"
#include "inlay/quant/iq4_blocks.hpp"
#include "inlay/quant/legacy_blocks.hpp"
#include "inlay/quant/super_block_search.hpp"

namespace inlay {

namespace detail {

/// Codes of the nearest values for half-open cells of width 0.5 from -127 on: every middle between two values is an
/// edge.
inline constexpr auto iq4_cells = [] {
  std::array<std::uint8_t, 2 * (113 + 127)> cells{};
  std::uint8_t code = 0;
  for (int cell = 0; cell < static_cast<int>(cells.size()); ++cell) {
    // Of the cell's middle, times 4, against the middle between two values, times 4.
    if (code < 15 && 2 * cell + 1 - 4 * 127 > 2 * (iq4_values[code] + iq4_values[code + 1])) ++code;
    cells[static_cast<std::size_t>(cell)] = code;
  }
  return cells;
}();

/// Code of the nearest of iq4_values.
inline int iq4_code(float value) {
  const int cell = static_cast<int>(2.0f * bounded(value, -127.0f, 112.75f) + 254.0f);
  return iq4_cells[static_cast<std::size_t>(cell)];
}

/// The values of iq4_values as levels of a search.
struct iq4_levels {
  static constexpr float extreme = iq4_values[0];
  static constexpr float search_step = 1.0f;
  static float nearest(float value) { return iq4_values[iq4_code(value)]; }
};

inline void pack_iq4_codes(const float* levels, std::uint8_t* qs) {
  for (int j = 0; j < 16; ++j) qs[j] = nibbles(iq4_code(levels[j]), iq4_code(levels[j + 16]));
}

}  // namespace detail

inline void encode(const float* from, block<dtype::iq4_nl>& to, const float* importance = nullptr) {
  float weights[32];
  detail::fill_weights(from, importance, 32, weights);
  float d = detail::search_scale<detail::iq4_levels, 32>(from, weights);
  float best = -1;
  for (int round = 0; round < detail::search_rounds; ++round) {
    float levels[32];
    const float stored = detail::nearest_f16(d);
    const float error = detail::place_levels<detail::iq4_levels, 32>(from, weights, stored, levels);
    if (best >= 0 && !(error < best)) break;
    best = error;
    to.d.set(stored);
    detail::pack_iq4_codes(levels, to.qs);
    float sums[2];
    detail::sum_up<32>(sums, [&](std::size_t i, float(&term)[2]) {
      term[0] = weights[i] * levels[i] * from[i];
      term[1] = weights[i] * levels[i] * levels[i];
    });
    if (!(sums[1] > 0)) break;
    d = sums[0] / sums[1];
  }
}

inline void encode(const float* from, block<dtype::iq4_xs>& to, const float* importance = nullptr) {
  float weights[256];
  detail::fill_weights(from, importance, 256, weights);
  const auto found = detail::search_scaled<detail::iq4_levels, -32, 31, 8>(from, weights);
  to.d.set(found.d);
  to.scales_h[0] = to.scales_h[1] = 0;
  for (std::uint8_t& low : to.scales_l) low = 0;
  for (int k = 0; k < 8; ++k) {
    const int scale = static_cast<int>(found.scales[k]) + 32;
    to.scales_l[k / 2] = static_cast<std::uint8_t>(to.scales_l[k / 2] | (scale & 15) << (k % 2 * 4));
    to.scales_h[k / 4] = static_cast<std::uint8_t>(to.scales_h[k / 4] | (scale >> 4) << (k % 4 * 2));
    detail::pack_iq4_codes(found.levels + 32 * k, to.qs + 16 * k);
  }
}

inline void encode(const float* from, block<dtype::mxfp4>& to) {
  const float most = std::fabs(detail::extreme(from));
  // The greatest value of a code is 6 = 1.5 * 2^2.
  const float exponent = most > 0 ? std::floor(std::log2(most)) - 2.0f + 127.0f : 0.0f;
  to.e = static_cast<std::uint8_t>(detail::bounded(exponent, 0.0f, 254.0f));
  const float scale = mxfp4_scale(to.e);
  int codes[32];
  for (int j = 0; j < 32; ++j) {
    float best = std::fabs(from[j]);
    codes[j] = 0;
    for (int code = 1; code < 16; ++code) {
      const float error = std::fabs(detail::rounded(scale * static_cast<float>(mxfp4_values[code])) - from[j]);
      if (error < best) {
        best = error;
        codes[j] = code;
      }
    }
  }
  for (int j = 0; j < 16; ++j) to.qs[j] = detail::nibbles(codes[j], codes[j + 16]);
}

}  // namespace inlay
