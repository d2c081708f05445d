// SPDX-License-Identifier: Apache-2.0
// Attention in one pass over the cache with a running maximum, as in highway/attention-inl.hpp but plainer: a block of
// keys and values is widened to floats once for a tile of query vectors, and every vector takes dot products with it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "inlay/kernels/types.hpp"
#include "inlay/kernels/xsimd/vectors.hpp"
#include "inlay/quant/codec.hpp"

namespace inlay::kernels::detail {

struct fixed_attention_tile {
  static constexpr std::size_t most_keys = key_block;
  static constexpr std::size_t most_vectors = 32;
  static constexpr std::size_t most_floats = 4096;  ///< of a block of keys or values, or of the sums of a tile
  alignas(64) float block[most_floats];
  alignas(64) float sums[most_floats];
  alignas(64) float scores[most_vectors][most_keys];
  float highest[most_vectors];
  float total[most_vectors];
};

template <class Arch>
void fixed_attention(const attention_shape& shape, const attention_rows& rows, std::size_t kv_head, std::size_t begin,
                     std::size_t end) {
  using batch = floats<Arch>;
  using tile_type = fixed_attention_tile;
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const std::size_t dim = shape.head_dim;
  const std::size_t group = shape.heads / shape.kv_heads;
  const std::size_t stride = row_bytes(shape.cache, dim);
  const std::size_t most = std::min(tile_type::most_vectors, tile_type::most_floats / dim);
  const std::size_t keys = std::min(tile_type::most_keys, tile_type::most_floats / dim);
  INLAY_ASSERT(most != 0);

  tile_type tile;
  for (std::size_t v = begin * group; v < end * group; v += most) {
    const std::size_t count = std::min(most, end * group - v);
    const auto row_of = [&](std::size_t m) { return (v + m) / group; };
    const auto head_of = [&](std::size_t m) { return kv_head * group + (v + m) % group; };
    std::fill_n(tile.sums, count * dim, 0.0f);
    std::fill_n(tile.highest, count, -infinity);
    std::fill_n(tile.total, count, 0.0f);
    const std::size_t first_query = rows.first_position + row_of(0);
    const std::size_t last_query = rows.first_position + row_of(count - 1);
    const std::size_t oldest = shape.window != 0 && first_query + 1 > shape.window ? first_query + 1 - shape.window : 0;
    const std::size_t limit = shape.causal ? last_query + 1 : std::numeric_limits<std::size_t>::max();

    for (const kv_span& span : rows.cache) {
      const std::size_t span_end = std::min(span.first_position + span.count, limit);
      std::size_t next = 0;
      for (std::size_t p = std::max(span.first_position, oldest); p < span_end; p = next) {
        // Cut at multiples of `keys`: what a query gets does not depend on the others of its tile.
        const std::size_t first = std::max(p - p % keys, span.first_position);
        next = std::min(p - p % keys + keys, span_end);
        const std::size_t n = next - first;
        const std::size_t offset = kv_head * span.head_stride + (first - span.first_position) * stride;

        for (std::size_t t = 0; t < n; ++t)
          dequantize_row(shape.cache, span.keys + offset + t * stride, dim, tile.block + t * dim);
        for (std::size_t m = 0; m < count; ++m) {
          const std::size_t position = rows.first_position + row_of(m);
          const float* q = rows.queries + row_of(m) * rows.query_stride + head_of(m) * dim;
          const std::size_t from = shape.window != 0 && position + 1 > shape.window ? position + 1 - shape.window : 0;
          float* scores = tile.scores[m];
          for (std::size_t t = 0; t < n; ++t) {
            const bool visible = first + t >= from && (!shape.causal || first + t <= position);
            scores[t] = visible ? shape.scale * sum_of_products<Arch>(q, tile.block + t * dim, dim) : -infinity;
          }
          if (shape.soft_cap != 0.0f)
            transform<Arch>(
                n, scores, [&](batch s) { return shape.soft_cap * xsimd::tanh(s / shape.soft_cap); }, scores);
          for (std::size_t t = 0; t < n; ++t)
            if (first + t < from || (shape.causal && first + t > position)) scores[t] = -infinity;
          const float now = std::max(tile.highest[m], *std::max_element(scores, scores + n));
          if (now == -infinity) {
            std::fill_n(scores, n, 0.0f);
            continue;
          }
          const float keep = std::exp(tile.highest[m] - now);
          tile.highest[m] = now;
          transform<Arch>(n, scores, [&](batch s) { return xsimd::exp(s - now); }, scores);
          const batch total = fold<Arch>(batch(0.0f), 0.0f, n, [](batch a, batch b) { return a + b; }, scores);
          tile.total[m] = tile.total[m] * keep + xsimd::reduce_add(total);
          float* sums = tile.sums + m * dim;
          if (keep != 1.0f) transform<Arch>(dim, sums, [&](batch s) { return s * keep; }, sums);
        }

        for (std::size_t t = 0; t < n; ++t)
          dequantize_row(shape.cache, span.values + offset + t * stride, dim, tile.block + t * dim);
        for (std::size_t m = 0; m < count; ++m) {
          float* sums = tile.sums + m * dim;
          for (std::size_t t = 0; t < n; ++t) {
            const float weight = tile.scores[m][t];
            transform<Arch>(
                dim, sums, [&](batch s, batch x) { return xsimd::fma(batch(weight), x, s); }, sums,
                tile.block + t * dim);
          }
        }
      }
    }
    for (std::size_t m = 0; m < count; ++m) {
      const float total = tile.total[m];
      transform<Arch>(
          dim, rows.out + row_of(m) * rows.out_stride + head_of(m) * dim, [&](batch s) { return s / total; },
          tile.sums + m * dim);
      if (rows.weights != nullptr) rows.weights[row_of(m) * shape.heads + head_of(m)] = {tile.highest[m], total};
    }
  }
}

}  // namespace inlay::kernels::detail
