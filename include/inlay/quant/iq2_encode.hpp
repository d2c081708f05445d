// SPDX-License-Identifier: Apache-2.0
// Encoder of iq2_xxs, which searches: signs as they are, but for the weight that matters least where their number is
// odd; then, for each eight magnitudes, the combination of the table that is nearest at the scale that is tried.
// `importance` is null or one non-negative factor a weight: how much it counts.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "inlay/quant/block.hpp"
#include "inlay/quant/iq2_blocks.hpp"
#include "inlay/quant/level_search.hpp"
#include "inlay/quant/super_block_search.hpp"

namespace inlay {

namespace detail {

/// The magnitudes of all combinations, [weight][combination].
inline constexpr auto iq2_xxs_levels = [] {
  std::array<std::array<float, 256>, 8> levels{};
  for (std::size_t g = 0; g < 256; ++g)
    for (std::size_t j = 0; j < 8; ++j) levels[j][g] = iq2_magnitudes[(iq2_xxs_grid[g] >> (2 * j)) & 3];
  return levels;
}();

/// Eight weights x, and for every combination m of levels the sums that give its error at the scale s: a constant and
/// s * s * squares - 2 * s * products.
struct iq2_octet {
  std::uint8_t signs = 0;
  float squares[256] = {};   ///< w m m
  float products[256] = {};  ///< w |x| m

  void fill(const float* x, const float* w) {
    float magnitudes[8];
    std::size_t least = 0;
    for (std::size_t j = 0; j < 8; ++j) {
      magnitudes[j] = std::fabs(x[j]);
      if (x[j] < 0) signs = static_cast<std::uint8_t>(signs | 1u << j);
      if (w[j] * magnitudes[j] * magnitudes[j] < w[least] * magnitudes[least] * magnitudes[least]) least = j;
    }
    if (std::popcount(signs) % 2 != 0) {
      signs = static_cast<std::uint8_t>(signs ^ 1u << least);
      magnitudes[least] = -magnitudes[least];
    }
    for (std::size_t j = 0; j < 8; ++j) {
      const float weight = w[j], product = w[j] * magnitudes[j];
      for (std::size_t g = 0; g < 256; ++g) {
        const float level = iq2_xxs_levels[j][g];
        squares[g] += weight * level * level;
        products[g] += product * level;
      }
    }
  }

  /// The combination with the smallest error.
  std::size_t nearest(float scale) const {
    constexpr std::size_t lanes = 16;
    float best[lanes];
    std::uint32_t at[lanes] = {};
    for (std::size_t l = 0; l < lanes; ++l) {
      best[l] = scale * squares[l] - 2.0f * products[l];
      at[l] = static_cast<std::uint32_t>(l);
    }
    for (std::size_t g = lanes; g < 256; g += lanes) {
      for (std::size_t l = 0; l < lanes; ++l) {
        const float error = scale * squares[g + l] - 2.0f * products[g + l];
        const bool less = error < best[l];
        best[l] = less ? error : best[l];
        at[l] = less ? static_cast<std::uint32_t>(g + l) : at[l];
      }
    }
    std::size_t first = 0;
    for (std::size_t l = 1; l < lanes; ++l)
      if (best[l] < best[first]) first = l;
    return at[first];
  }
};

/// Four octets with one scale.
struct iq2_line {
  std::uint8_t codes[4] = {};
  float squares = 0, products = 0;  ///< of the combinations that were taken

  iq2_line() = default;
  iq2_line(const iq2_octet* octets, float scale) {
    for (std::size_t i = 0; i < 4; ++i) {
      codes[i] = static_cast<std::uint8_t>(octets[i].nearest(scale));
      squares += octets[i].squares[codes[i]];
      products += octets[i].products[codes[i]];
    }
  }
  float error(float scale) const { return scale * (scale * squares - 2.0f * products); }
};

/// The scale at which four octets fit best; 0 where all their values are.
inline float iq2_scale(const iq2_octet* octets, const float* x) {
  float most = 0;
  for (std::size_t i = 0; i < 32; ++i) most = std::fabs(x[i]) > most ? std::fabs(x[i]) : most;
  if (!(most > 0)) return 0;
  float best_scale = 0, best_gain = 0;
  // The extreme value on the least level, and on and around the extreme one; then the scale that suits what was taken.
  for (const float level : {8.0f, 16.0f, 25.8f, 30.1f, 34.4f, 38.7f, 43.0f, 47.3f, 51.6f, 55.9f, 60.2f}) {
    float scale = most / level;
    for (int round = 0; round < 2; ++round) {
      const iq2_line line(octets, scale);
      if (!(line.squares > 0) || !(line.products > 0)) break;
      scale = line.products / line.squares;
      const float gain = scale * line.products;
      if (!(gain > best_gain)) continue;
      best_gain = gain;
      best_scale = scale;
    }
  }
  return best_scale;
}

}  // namespace detail

inline void encode(const float* from, block<dtype::iq2_xxs>& to, const float* importance = nullptr) {
  float weights[256];
  detail::fill_weights(from, importance, 256, weights);
  std::array<detail::iq2_octet, 32> octets{};
  float wanted[8], most = 0;
  for (std::size_t i = 0; i < 32; ++i) octets[i].fill(from + 8 * i, weights + 8 * i);
  for (std::size_t k = 0; k < 8; ++k) {
    wanted[k] = detail::iq2_scale(octets.data() + 4 * k, from + 32 * k);
    most = wanted[k] > most ? wanted[k] : most;
  }
  to.d.set(0);
  for (std::uint8_t& byte : to.qs) byte = 0;
  if (!(most > 0)) return;

  // A sub-block's scale is d * (2 l + 1) / 8, l = 0..15.
  const auto unit = [](float l) { return 0.125f * (2.0f * l + 1.0f); };
  float d = most / unit(15), best = 0;
  for (int round = 0; round < detail::search_rounds; ++round) {
    const float stored = detail::nearest_f16(d);
    std::uint8_t qs[64];
    float error = 0, squares = 0, products = 0;
    for (std::size_t k = 0; k < 8; ++k) {
      const float middle = detail::nearest_whole(
          detail::bounded((8.0f * wanted[k] * detail::inverse_or_zero(stored) - 1.0f) * 0.5f, 0.0f, 15.0f));
      detail::iq2_line taken;
      float line_error = 0, line_scale = -1;
      for (int step = -1; step <= 1; ++step) {
        const float l = detail::bounded(middle + static_cast<float>(step), 0.0f, 15.0f), scale = stored * unit(l);
        const detail::iq2_line line(octets.data() + 4 * k, scale);
        if (line_scale >= 0 && !(line.error(scale) < line_error)) continue;
        taken = line;
        line_error = line.error(scale);
        line_scale = l;
      }
      std::uint32_t word = static_cast<std::uint32_t>(line_scale) << 28;
      for (std::size_t i = 0; i < 4; ++i) {
        qs[8 * k + i] = taken.codes[i];
        word |= (octets[4 * k + i].signs & 127u) << (7 * i);
      }
      for (std::size_t i = 0; i < 4; ++i) qs[8 * k + 4 + i] = static_cast<std::uint8_t>(word >> (8 * i));
      error += line_error;
      squares += unit(line_scale) * unit(line_scale) * taken.squares;
      products += unit(line_scale) * taken.products;
    }
    if (round != 0 && !(error < best)) break;
    best = error;
    to.d.set(stored);
    for (std::size_t i = 0; i < 64; ++i) to.qs[i] = qs[i];
    if (!(squares > 0)) break;
    d = products / squares;
  }
}

}  // namespace inlay
