// SPDX-License-Identifier: Apache-2.0
// What layers of attention do with each head.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <type_traits>

#include "inlay/layers/context.hpp"
#include "inlay/layers/layer.hpp"
#include "inlay/layers/norm.hpp"
#include "inlay/layers/rope.hpp"

namespace inlay::detail {

/// Binds a norm to a head; nothing for no_norm.
template <class Norm, std::size_t HeadDim>
struct head_norm {
  using type = bound<Norm, HeadDim>;
};
template <std::size_t HeadDim>
struct head_norm<no_norm, HeadDim> {
  using type = absent;
};
template <class Rope, std::size_t HeadDim>
struct head_rotary {
  using type = typename Rope::template at<HeadDim>;
};
template <std::size_t HeadDim>
struct head_rotary<no_rope, HeadDim> {
  using type = absent;
};

/// Norm and rotation of every head of x; both may be absent.
template <std::size_t Heads, std::size_t HeadDim, class Rotary, class Norm, class Context>
void prepare_heads(Context& ctx, const Norm& norm, rows<Heads * HeadDim> x) {
  using K = typename Context::kernel;
  constexpr bool normed = !std::is_same_v<Norm, absent>;
  constexpr bool rotated = !std::is_same_v<Rotary, absent>;
  if constexpr (normed || rotated)
    ctx.for_rows(x.count, Heads * HeadDim * sizeof(float), [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i)
        for (std::size_t h = 0; h < Heads; ++h) {
          float* head = x[i] + h * HeadDim;
          if constexpr (normed) norm.template normalise<K>(head, head);
          if constexpr (rotated) {
            const auto& table = ctx.template rotation<Rotary>();
            Rotary::template rotate<K>(head, table.cosines + i * Rotary::pairs, table.sines + i * Rotary::pairs);
          }
        }
    });
}

/// Writes the heads of one position's keys or values to a slot: [kv_head] rows `head_stride` bytes apart.
template <class K, std::size_t Heads, std::size_t HeadDim>
void store_heads(const float* x, dtype type, std::byte* slot, std::size_t head_stride) {
  for (std::size_t h = 0; h < Heads; ++h) K::store(type, x + h * HeadDim, HeadDim, slot + h * head_stride);
}

/// Query rows that one task of attention computes: with all the heads that share a kv head, 1024 query vectors as far
/// as that leaves each thread some tasks. (What keys and values cost before they are multiplied is shared by so many.)
constexpr std::size_t attention_task_rows(std::size_t heads_a_kv_head, std::size_t kv_heads, std::size_t rows,
                                          std::size_t threads) {
  constexpr std::size_t tasks_a_thread = 4;
  std::size_t some = std::clamp<std::size_t>(1024 / heads_a_kv_head, 16, 256);
  while (some > 16 && (rows + some - 1) / some * kv_heads < tasks_a_thread * threads) some /= 2;
  return some;
}

/// Scale of scores: as configured, or 1 / sqrt(head_dim).
inline float score_scale(float configured, std::size_t head_dim) {
  return configured != 0.0f ? configured : 1.0f / std::sqrt(static_cast<float>(head_dim));
}

}  // namespace inlay::detail
