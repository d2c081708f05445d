// SPDX-License-Identifier: Apache-2.0
// One sub-block of a quantized format: given values x and how much each counts, whole-number levels q with a scale s
// (and, in the affine formats, a minimum m) that make the sum of w * (x - (s * q - m))^2 small.
//
// Levels are tried for a range of scales; the sums over each set of levels give its best s and m in closed form.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "inlay/quant/block.hpp"

namespace inlay::detail {

/// Within least..most; least for NaN.
inline float bounded(float value, float least, float most) {
  return value > least ? (value < most ? value : most) : least;
}

/// The nearest whole number, ties to even; for magnitudes below 2^22.
inline float nearest_whole(float value) {
  constexpr float shift = 12582912.0f;  // 1.5 * 2^23: a sum with it has no fraction bits
  return (value + shift) - shift;
}

inline float inverse_or_zero(float value) { return value != 0 ? 1.0f / value : 0.0f; }

/// Levels that are the whole numbers Least..Most, the range of more magnitude below zero.
template <int Least, int Most>
struct whole_levels {
  static constexpr float extreme = Least;  ///< the level of greatest magnitude
  static constexpr float search_step = 0.1f;
  static float nearest(float value) {
    return nearest_whole(bounded(value, static_cast<float>(Least), static_cast<float>(Most)));
  }
};

/// Levels 0..Most, for values that are not negative.
template <int Most>
struct natural_levels {
  static constexpr float extreme = Most;
  static constexpr float search_step = 0.1f;
  static float nearest(float value) { return nearest_whole(bounded(value, 0, static_cast<float>(Most))); }
};

/// Several sums over a sub-block, each in eight lanes, so that they can be computed in vectors.
template <std::size_t Count, std::size_t Sums, class Terms>
void sum_up(float (&sums)[Sums], Terms&& terms) {
  static_assert(Count % 8 == 0);
  float lanes[Sums][8] = {};
  for (std::size_t i = 0; i < Count; i += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) {
      float term[Sums];
      terms(i + lane, term);
      for (std::size_t s = 0; s < Sums; ++s) lanes[s][lane] += term[s];
    }
  }
  for (std::size_t s = 0; s < Sums; ++s) {
    sums[s] = ((lanes[s][0] + lanes[s][4]) + (lanes[s][1] + lanes[s][5])) +
              ((lanes[s][2] + lanes[s][6]) + (lanes[s][3] + lanes[s][7]));
  }
}

/// How much each value counts: w = importance * sqrt(mean square + x^2). Larger weights matter more to a model than
/// plain squared error says, and a value at zero still matters.
inline void fill_weights(const float* x, const float* importance, std::size_t count, float* weights) {
  float squares = 0;
  for (std::size_t i = 0; i < count; ++i) squares += x[i] * x[i];
  const float mean = squares / static_cast<float>(count);
  for (std::size_t i = 0; i < count; ++i) {
    weights[i] = std::sqrt(mean + x[i] * x[i]) * (importance != nullptr ? importance[i] : 1.0f);
  }
}

/// The best scale without a minimum; 0 where all values are.
template <class Levels, std::size_t Count>
float search_scale(const float* x, const float* w) {
  float extreme = x[0];
  // From 0, clang 19 drops the second fabs of the first comparison that it unrolls for aarch64.
  for (std::size_t i = 1; i < Count; ++i) {
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  }
  float best_scale = 0;
  float best_gain = 0;  // of the scale s: the sum of w * x^2, less the error
  // The extreme value on, and around, the extreme level; and the other way round, with a negative scale.
  for (int sign = 1; sign >= -1; sign -= 2) {
    for (int step = -9; step <= 9; ++step) {
      const float level = static_cast<float>(sign) * (Levels::extreme - Levels::search_step * static_cast<float>(step));
      const float inverse = level * inverse_or_zero(extreme);
      float sums[2];
      sum_up<Count>(sums, [&](std::size_t i, float(&term)[2]) {
        const float q = Levels::nearest(x[i] * inverse);
        term[0] = w[i] * x[i] * q;
        term[1] = w[i] * q * q;
      });
      if (sums[1] > 0 && sums[0] * sums[0] > best_gain * sums[1]) {
        best_scale = sums[0] / sums[1];
        best_gain = best_scale * sums[0];
      }
    }
  }
  return best_scale;
}

struct affine_pair {
  float scale;
  float min;  ///< not negative; subtracted
};

/// The best scale and minimum for levels 0..Most.
template <int Most, std::size_t Count>
affine_pair search_affine(const float* x, const float* w) {
  float least = 0;
  float greatest = x[0];
  for (std::size_t i = 0; i < Count; ++i) {
    if (x[i] < least) least = x[i];
    if (x[i] > greatest) greatest = x[i];
  }
  if (!(greatest > least)) return {0, -least};
  float all[3];  // of w, w x, w x^2
  sum_up<Count>(all, [&](std::size_t i, float(&term)[3]) {
    term[0] = w[i];
    term[1] = w[i] * x[i];
    term[2] = w[i] * x[i] * x[i];
  });
  affine_pair best{(greatest - least) / static_cast<float>(Most), -least};
  float best_error = std::numeric_limits<float>::infinity();
  for (int step = -6; step <= 16; ++step) {
    const float inverse = (static_cast<float>(Most) + 0.1f * static_cast<float>(step)) / (greatest - least);
    float sums[3];  // of w q, w q^2, w q x
    sum_up<Count>(sums, [&](std::size_t i, float(&term)[3]) {
      const float q = nearest_whole(bounded((x[i] - least) * inverse, 0, static_cast<float>(Most)));
      term[0] = w[i] * q;
      term[1] = w[i] * q * q;
      term[2] = w[i] * q * x[i];
    });
    if (!(sums[1] > 0)) continue;
    affine_pair fitted{sums[2] / sums[1], 0};
    const float determinant = all[0] * sums[1] - sums[0] * sums[0];
    if (determinant > 1e-5f * all[0] * sums[1]) {  // else all levels are alike, and do not tell scale and minimum apart
      const float min = (sums[0] * sums[2] - sums[1] * all[1]) / determinant;
      if (min > 0) fitted = {(all[0] * sums[2] - all[1] * sums[0]) / determinant, min};
    }
    // Of the best line through these levels. Of an exact one, rounding can make it negative.
    const float error = all[2] - fitted.scale * sums[2] + fitted.min * all[1];
    if (error < best_error) {
      best_error = error;
      best = fitted;
    }
  }
  return best;
}

}  // namespace inlay::detail
