// SPDX-License-Identifier: Apache-2.0
// Super-blocks of 256 weights whose sub-blocks have small whole numbers a_k for scales, times one d that they share
// (and, in the affine formats, b_k times one dmin). The scales wanted by the sub-blocks give a first d that suits them
// all; then, in rounds while the error falls, each sub-block tries the whole numbers next to its own with levels to
// match, and d is fitted to all levels.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "inlay/quant/block.hpp"
#include "inlay/quant/float16.hpp"
#include "inlay/quant/level_search.hpp"

namespace inlay::detail {

inline constexpr int search_rounds = 3;

/// The value that a half-precision field will hold. A scale that is not zero stays so: whole numbers can make up for
/// it.
inline float nearest_f16(float value) {
  const float nearest = f16_to_f32(f32_to_f16(value));
  return nearest != 0 || value == 0 ? nearest : std::copysign(0x1p-24f, value);
}

template <std::size_t Count>
float total(const float* values) {
  float sum[1];
  sum_up<Count>(sum, [values](std::size_t i, float(&term)[1]) { term[0] = values[i]; });
  return sum[0];
}

/// x = d * scale[k] * level
template <std::size_t SubBlocks>
struct scaled_super_block {
  float d = 0;
  float scales[SubBlocks] = {};
  float levels[256] = {};
  float error = 0;
};

/// Levels for one scale, and their error.
template <class Levels, std::size_t Count>
float place_levels(const float* x, const float* w, float scale, float* levels) {
  const float inverse = inverse_or_zero(scale);
  float error[1];
  sum_up<Count>(error, [&](std::size_t i, float(&term)[1]) {
    levels[i] = Levels::nearest(x[i] * inverse);
    const float off = x[i] - scale * levels[i];
    term[0] = w[i] * off * off;
  });
  return error[0];
}

/// Chooses the whole-number scales next to wanted[k] / d, and all levels.
template <class Levels, int Least, int Most, std::size_t SubBlocks>
scaled_super_block<SubBlocks> round_scales(const float* x, const float* w, const float (&wanted)[SubBlocks], float d) {
  constexpr std::size_t count = 256 / SubBlocks;
  scaled_super_block<SubBlocks> made;
  made.d = d;
  const float inverse = inverse_or_zero(d);
  for (std::size_t k = 0; k < SubBlocks; ++k) {
    const float middle = nearest_whole(bounded(wanted[k] * inverse, Least, Most));
    float best = -1;
    for (int step = -1; step <= 1; ++step) {
      const float scale = bounded(middle + static_cast<float>(step), Least, Most);
      float levels[count];
      const float error = place_levels<Levels, count>(x + k * count, w + k * count, d * scale, levels);
      if (best >= 0 && !(error < best)) continue;
      best = error;
      made.scales[k] = scale;
      for (std::size_t i = 0; i < count; ++i) made.levels[k * count + i] = levels[i];
    }
    made.error += best;
  }
  return made;
}

/// A super-block without minimums; whole-number scales Least..Most, of which Least has the greater magnitude.
template <class Levels, int Least, int Most, std::size_t SubBlocks>
scaled_super_block<SubBlocks> search_scaled(const float* x, const float* w) {
  constexpr std::size_t count = 256 / SubBlocks;
  float wanted[SubBlocks], counts[SubBlocks];
  for (std::size_t k = 0; k < SubBlocks; ++k) {
    wanted[k] = search_scale<Levels, count>(x + k * count, w + k * count);
    counts[k] = total<count>(w + k * count);
  }
  const float first = search_scale<whole_levels<Least, Most>, SubBlocks>(wanted, counts);
  auto best = round_scales<Levels, Least, Most>(x, w, wanted, nearest_f16(first));
  for (int round = 1; round < search_rounds; ++round) {
    float sums[2];
    sum_up<256>(sums, [&](std::size_t i, float(&term)[2]) {
      const float step = best.scales[i / count] * best.levels[i];
      term[0] = w[i] * step * x[i];
      term[1] = w[i] * step * step;
    });
    if (!(sums[1] > 0)) break;
    const float d = nearest_f16(sums[0] / sums[1]);
    for (std::size_t k = 0; k < SubBlocks; ++k) wanted[k] = best.scales[k] * best.d;
    const auto next = round_scales<Levels, Least, Most>(x, w, wanted, d);
    if (!(next.error < best.error)) break;
    best = next;
  }
  return best;
}

/// x = d * scale[k] * level - dmin * min[k]
template <std::size_t SubBlocks>
struct affine_super_block {
  float d = 0;
  float dmin = 0;
  float scales[SubBlocks] = {};
  float mins[SubBlocks] = {};
  float levels[256] = {};
  float error = 0;
};

template <int MostLevel, std::size_t Count>
float place_affine_levels(const float* x, const float* w, affine_pair line, float* levels) {
  const float inverse = inverse_or_zero(line.scale);
  float error[1];
  sum_up<Count>(error, [&](std::size_t i, float(&term)[1]) {
    levels[i] = nearest_whole(bounded((x[i] + line.min) * inverse, 0, static_cast<float>(MostLevel)));
    const float off = x[i] - (line.scale * levels[i] - line.min);
    term[0] = w[i] * off * off;
  });
  return error[0];
}

template <int MostLevel, int MostScale, std::size_t SubBlocks>
affine_super_block<SubBlocks> round_affine(const float* x, const float* w, const affine_pair (&wanted)[SubBlocks],
                                           float d, float dmin) {
  constexpr std::size_t count = 256 / SubBlocks;
  affine_super_block<SubBlocks> made;
  made.d = d;
  made.dmin = dmin;
  const float inverse = inverse_or_zero(d);
  const float inverse_min = inverse_or_zero(dmin);
  for (std::size_t k = 0; k < SubBlocks; ++k) {
    const float middle = nearest_whole(bounded(wanted[k].scale * inverse, 0, MostScale));
    const float middle_min = nearest_whole(bounded(wanted[k].min * inverse_min, 0, MostScale));
    float best = -1;
    for (int step = -1; step <= 1; ++step) {
      for (int min_step = -1; min_step <= 1; ++min_step) {
        const float scale = bounded(middle + static_cast<float>(step), 0, MostScale);
        const float min = bounded(middle_min + static_cast<float>(min_step), 0, MostScale);
        float levels[count];
        const float error =
            place_affine_levels<MostLevel, count>(x + k * count, w + k * count, {d * scale, dmin * min}, levels);
        if (best >= 0 && !(error < best)) continue;
        best = error;
        made.scales[k] = scale;
        made.mins[k] = min;
        for (std::size_t i = 0; i < count; ++i) made.levels[k * count + i] = levels[i];
      }
    }
    made.error += best;
  }
  return made;
}

/// A super-block with minimums; levels 0..MostLevel, whole-number scales and minimums 0..MostScale.
template <int MostLevel, int MostScale, std::size_t SubBlocks>
affine_super_block<SubBlocks> search_affine_super_block(const float* x, const float* w) {
  constexpr std::size_t count = 256 / SubBlocks;
  affine_pair wanted[SubBlocks];
  float scales[SubBlocks], mins[SubBlocks], counts[SubBlocks];
  for (std::size_t k = 0; k < SubBlocks; ++k) {
    wanted[k] = search_affine<MostLevel, count>(x + k * count, w + k * count);
    scales[k] = wanted[k].scale;
    mins[k] = wanted[k].min;
    counts[k] = total<count>(w + k * count);
  }
  const float first = search_scale<natural_levels<MostScale>, SubBlocks>(scales, counts);
  const float first_min = search_scale<natural_levels<MostScale>, SubBlocks>(mins, counts);
  auto best = round_affine<MostLevel, MostScale>(x, w, wanted, nearest_f16(first), nearest_f16(first_min));
  for (int round = 1; round < search_rounds; ++round) {
    // x = d * u - dmin * v in the least squares.
    float sums[5];
    sum_up<256>(sums, [&](std::size_t i, float(&term)[5]) {
      const float u = best.scales[i / count] * best.levels[i];
      const float v = best.mins[i / count];
      term[0] = w[i] * u * u;
      term[1] = w[i] * u * v;
      term[2] = w[i] * v * v;
      term[3] = w[i] * u * x[i];
      term[4] = w[i] * v * x[i];
    });
    const float determinant = sums[0] * sums[2] - sums[1] * sums[1];
    float d = best.d;
    float dmin = best.dmin;
    if (determinant > 1e-5f * sums[0] * sums[2]) {
      d = (sums[2] * sums[3] - sums[1] * sums[4]) / determinant;
      dmin = (sums[1] * sums[3] - sums[0] * sums[4]) / determinant;
    } else if (sums[0] > 0) {
      d = sums[3] / sums[0];
    }
    if (!(d > 0) || !(dmin >= 0)) break;
    for (std::size_t k = 0; k < SubBlocks; ++k) wanted[k] = {best.d * best.scales[k], best.dmin * best.mins[k]};
    const auto next = round_affine<MostLevel, MostScale>(x, w, wanted, nearest_f16(d), nearest_f16(dmin));
    if (!(next.error < best.error)) break;
    best = next;
  }
  return best;
}

}  // namespace inlay::detail
