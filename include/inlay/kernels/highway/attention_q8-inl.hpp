// SPDX-License-Identifier: Apache-2.0
// Attention over a cache of Q8_0 in products of integers, for CPUs that sum four products u8 x i8 or two products i16 x
// i16 in one instruction.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

inline bool attends_in_integers(const attention_shape& shape) {
  return shape.cache == dtype::q8_0 && shape.head_dim % integer_tile::columns == 0 &&
         shape.head_dim <= integer_tile::most_dim;
}

struct no_weights {};

/// `Few` vectors read values as they lie; more of them have those ordered first.
template <bool Few>
void attend_in_integers(const attention_shape& shape, const attention_rows& rows, std::size_t kv_head,
                        std::size_t begin, std::size_t end) {
  constexpr std::size_t at_a_time = integer_tile::rows;
  const std::size_t group = shape.heads / shape.kv_heads;
  const std::size_t dim = shape.head_dim;
  const std::size_t stride = row_bytes(shape.cache, dim);
  const std::size_t most = std::min(integer_tile::most, integer_tile::most_sums / dim);
  integer_tile tile;
  integer_step steps[2];
  std::conditional_t<Few, scaled_weights, no_weights> weights;
  for (std::size_t first_vector = begin * group; first_vector < end * group; first_vector += most) {
    const std::size_t real = std::min(most, end * group - first_vector);
    tile.count = (real + at_a_time - 1) / at_a_time * at_a_time;
    const visible_range visible = place_vectors(shape, rows, kv_head, first_vector, real, tile);
    const std::size_t states = tile.count / at_a_time * lanes;
    std::fill_n(tile.highest, states, std::numeric_limits<float>::lowest());
    std::fill_n(tile.totals, states, 0.0f);
    std::fill_n(tile.sums, tile.count * dim, 0.0f);
    quantize_queries(shape, tile);

    // What is visible to others must not change the units of values.
    for_each_block<true>(rows.cache, visible, [&](const kv_span& span, std::size_t first, std::size_t count) {
      const std::size_t offset = kv_head * span.head_stride + (first - span.first_position) * stride;
      const cache_block keys = {span.keys + offset, stride, count}, values = {span.values + offset, stride, count};
      if constexpr (Few) tile.ahead = following(keys, values, span, first);
      order_keys(dim, keys, tile);
      if constexpr (!Few)
        for (std::size_t i = 0; i < dim; i += integer_tile::columns) order_values(i, values, tile);
      const bool whole = count == key_block && first >= visible.newest_from && first + count <= visible.oldest_to;
      const auto score = [&](std::size_t m) {
        float* scores = steps[m / at_a_time % 2].scores;
        score_in_integers<Few>(dim, tile, m, scores);
        if (!whole) mask_scores(first, count, m, tile, scores);
      };
      // One after the other, these would wait for each other.
      score(0);
      for (std::size_t m = 0; m < tile.count; m += at_a_time) {
        integer_step& step = steps[m / at_a_time % 2];
        weigh_in_integers<!Few>(shape.soft_cap, m, tile, step);
        if (m + at_a_time < tile.count) score(m + at_a_time);
        if constexpr (Few) {
          scale_weights(dim, values, step, weights);
          (count == key_block ? add_few_values<true> : add_few_values<false>)(dim, values, m, step, weights, tile);
        } else {
          for (std::size_t i = 0; i < dim; i += integer_tile::columns) add_values_in_integers(dim, i, m, tile, step);
        }
      }
    });
    if constexpr (Few)
      for (std::size_t m = 0; m < real; ++m) order_sums(dim, m, tile);
    const auto place = [](std::size_t m) { return m / at_a_time * lanes + m % at_a_time; };
    for (std::size_t m = 0; m < real; ++m) tile.total[m] = tile.totals[place(m)];
    // The greatest weight is 2^13, of a power of two.
    const auto highest = [&](std::size_t m) { return (tile.highest[place(m)] - 13.0f) * 0.693147181f; };
    const auto sums = [&](std::size_t m, std::size_t j) { return tile.sums + m * dim + j; };
    store_vectors(shape, rows, kv_head, first_vector, real, tile, sums, highest);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
