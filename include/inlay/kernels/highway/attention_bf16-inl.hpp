// SPDX-License-Identifier: Apache-2.0
// Attention of many query vectors by matrix units. Both products are computed transposed, keys times queries and values
// times weights: a query vector is a lane, and its scores, which become its weights, stand one below the other.
//
// Factors become bf16. Where the cache is finer than Q8_0, queries and weights are split in two of these, and so are
// keys and values of f16; products of the second parts with each other are left out.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

namespace detail {

/// Query vectors on their way through the cache.
template <dtype Cache>
class bf16_attention {
 public:
  static constexpr std::size_t most_queries = Cache == dtype::q8_0 ? 1024 : 256;
  static constexpr std::size_t most_dim = 256, most_sums = 64 * most_queries;
  static constexpr std::size_t step = 2 * lanes;  ///< query vectors at a time

  bf16_attention(const attention_shape& shape) : shape_(shape), dim_(shape.head_dim) {}

  // What place_vectors and store_vectors work with.
  const float* queries[most_queries];
  std::size_t from[most_queries], to[most_queries];
  std::size_t count = 0;
  alignas(64) float total[most_queries];

  void begin() {
    const float scale = shape_.soft_cap != 0.0f ? shape_.scale / shape_.soft_cap : shape_.scale * unit;
    for (std::size_t m = 0; m < count; m += lanes)
      for (std::size_t c = 0; c < dim_ / depth; ++c) {
        pair_tile* tiles[query_parts];
        for (std::size_t p = 0; p < query_parts; ++p) tiles[p] = &queries_[p][m / lanes * (dim_ / depth) + c];
        store_columns(tiles, [&](std::size_t j) {
          const float* q = queries[m + j] + c * depth;
          if (m + lanes < count) prefetch(reinterpret_cast<const std::byte*>(queries[m + lanes + j] + c * depth), 128);
          return bf16_pairs<query_parts>(hn::Mul(load(q), splat(scale)), hn::Mul(load(q + lanes), splat(scale)));
        });
      }
    for (std::size_t m = 0; m < count; ++m) {
      f32s squares = zero();
      for (std::size_t i = 0; i < dim_; i += lanes)
        squares = hn::MulAdd(load(queries[m] + i), load(queries[m] + i), squares);
      lengths_[m] = rounding * scale * std::sqrt(hn::ReduceSum(f32_tag(), squares));
    }
    std::fill_n(seen_, count / step, visible_range());
    for (std::size_t m = 0; m < count; ++m)
      if (to[m] != 0) seen_[m / step].include(from[m], to[m]);  // what fills up the tile sees nothing, and may see all
    std::fill_n(highest_, count, lowest);
    std::fill_n(total, count, 0.0f);
    std::fill_n(&outputs_[0].rows[0][0], count * dim_, 0.0f);
  }

  /// Meanwhile `next` is asked for.
  void add_block(const cache_block& keys, const cache_block& values, std::size_t position, read_queue next) {
    place_keys(keys);
    place_values(values);
    const std::size_t lines = 2 * keys.count * keys.stride / 64 * step / count + 1, end = position + keys.count;
    for (std::size_t m = 0; m < count; m += step) {
      const visible_range& seen = seen_[m / step];
      if (seen.newest_to <= position || seen.oldest_from >= end) continue;
      const bool whole = keys.count == key_block && seen.newest_from <= position && seen.oldest_to >= end;
      next.step(lines);
      multiply_keys(m);
      for (std::size_t half = m; half < m + step; half += lanes)
        whole ? weigh<true>(half, position, keys.count) : weigh<false>(half, position, keys.count);
      multiply_values(m);
    }
  }

  /// Sums are rows of tiles then, and no columns any more.
  void finish() {
    for (std::size_t i = 0; i < count * dim_ / lanes / lanes; ++i) {
      sum_tile& tile = outputs_[i];
      f32s square[lanes];
      INLAY_UNROLL
      for (std::size_t j = 0; j < lanes; ++j) square[j] = load(tile.rows[j]);
      transpose(square);
      INLAY_UNROLL
      for (std::size_t j = 0; j < lanes; ++j) store(square[j], tile.rows[j]);
    }
  }
  const float* sums(std::size_t m, std::size_t column) const {
    return outputs_[(m / lanes * dim_ + column) / lanes].rows[m % lanes];
  }

  /// What a vector's weights are relative to.
  float highest(std::size_t m) const { return highest_[m] / unit; }

 private:
  static constexpr std::size_t cache_parts = Cache == dtype::f16 ? 2 : 1;
  static constexpr std::size_t query_parts = Cache == dtype::q8_0 ? 1 : 2;
  static constexpr bool coarse = query_parts == 1;  ///< weights
  static constexpr std::size_t depth = 2 * lanes;   ///< that a product of tiles sums over
  static constexpr std::size_t key_tiles = key_block / lanes, key_steps = key_block / depth;
  /// Scores are exponents of two, or 128ths of them.
  static constexpr float per_exponent = coarse ? 128.0f : 1.0f, unit = per_exponent * 1.44269504f;
  static constexpr float lowest = std::numeric_limits<float>::lowest();
  /// So much greater, as powers of two, weights may become before all are made relative to the greatest.
  static constexpr float slack = 8.0f * per_exponent;
  /// And so much greater without harm: the sum of 2^20 such values of f16 is still a float.
  static constexpr float headroom = 80.0f * per_exponent;
  static constexpr float rounding = 1.02f;  ///< more than factors grow when they become bf16
  static_assert(lanes == amx::tile_rows && key_tiles == 4 && key_steps == 2);

  /// [columns / 32][key tile]: pairs are of columns i and i + 16.
  HWY_NOINLINE void place_keys(const cache_block& keys) {
    const std::size_t dim = dim_;
    const cache_rows<Cache, most_dim> rows(keys, dim);
    f32s longest = zero();
    for (std::size_t k = 0; k < key_tiles; ++k) {
      f32s squares[lanes];
      INLAY_UNROLL
      for (std::size_t j = 0; j < lanes; ++j) squares[j] = zero();
      for (std::size_t c = 0; c < dim / depth; ++c) {
        INLAY_UNROLL
        for (std::size_t j = 0; j < lanes; ++j) {
          const std::size_t t = k * lanes + j;
          const f32s low = rows.load(t, c * depth), high = rows.load(t, c * depth + lanes);
          squares[j] = hn::MulAdd(low, low, hn::MulAdd(high, high, squares[j]));
          const bf16_pairs<cache_parts> words(low, high);
          INLAY_UNROLL
          for (std::size_t p = 0; p < cache_parts; ++p)
            hn::StoreU(words.part[p], u32_tag(), keys_[p][c * key_tiles + k].rows[j]);
        }
      }
      longest = hn::Max(longest, reduce_each<false>(squares));
    }
    longest_key_ = rounding * std::sqrt(hn::ReduceMax(f32_tag(), longest));
  }

  /// [keys / 32][columns / 16], transposed: pairs are of keys t and t + 16.
  HWY_NOINLINE void place_values(const cache_block& values) {
    const std::size_t dim = dim_;
    const cache_rows<Cache, most_dim> rows(values, dim);
    for (std::size_t s = 0; s < key_steps; ++s)
      if constexpr (Cache == dtype::q8_0)
        for (std::size_t i = 0; i < dim; i += depth)
          place_codes(rows, s * depth, i / depth, &values_[0][(s * dim + i) / lanes]);
      else
        for (std::size_t i = 0; i < dim; i += lanes) {
          pair_tile* tiles[cache_parts];
          for (std::size_t p = 0; p < cache_parts; ++p) tiles[p] = &values_[p][(s * dim + i) / lanes];
          store_columns(tiles, [&](std::size_t j) {
            return bf16_pairs<cache_parts>(rows.load(s * depth + j, i), rows.load(s * depth + lanes + j, i));
          });
        }
  }
  sum_tile* scores_of(std::size_t m) { return scores_[m / lanes % 2]; }

  /// Scores of the query vectors of two tiles.
  HWY_NOINLINE void multiply_keys(std::size_t m) {
    for (std::size_t t = 0; t < key_tiles; t += 2) {
      amx::set_zero<0>();
      amx::set_zero<1>();
      amx::set_zero<2>();
      amx::set_zero<3>();
      for (std::size_t c = 0; c < dim_ / depth; ++c) {
        const pair_tile *of_keys[cache_parts], *of_queries[query_parts];
        for (std::size_t p = 0; p < cache_parts; ++p) of_keys[p] = &keys_[p][c * key_tiles + t];
        for (std::size_t p = 0; p < query_parts; ++p) of_queries[p] = &queries_[p][m / lanes * (dim_ / depth) + c];
        add_tile_products(of_keys, 1, of_queries, dim_ / depth);
      }
      amx::store<0>(scores_of(m) + t, amx::tile_row_bytes);
      amx::store<2>(scores_of(m) + t + 1, amx::tile_row_bytes);
      amx::store<1>(scores_of(m + lanes) + t, amx::tile_row_bytes);
      amx::store<3>(scores_of(m + lanes) + t + 1, amx::tile_row_bytes);
    }
  }

  /// Which keys of a block the query vectors of a tile see; of a whole one, all.
  template <bool Whole>
  struct visible_keys {
    alignas(64) std::int32_t first[lanes], last[lanes];

    visible_keys([[maybe_unused]] const bf16_attention& of, [[maybe_unused]] std::size_t m,
                 [[maybe_unused]] std::size_t position, [[maybe_unused]] std::size_t present) {
      if constexpr (!Whole) {
        const auto place = [&](std::size_t p) {
          return static_cast<std::int32_t>(p > position ? std::min(p - position, present) : 0);
        };
        for (std::size_t j = 0; j < lanes; ++j) {
          first[j] = place(of.from[m + j]);
          last[j] = place(of.to[m + j]);
        }
      }
    }
    HWY_INLINE hn::Mask<f32_tag> sees(std::size_t t) const {
      const i32_tag d;
      const i32s key = hn::Set(d, static_cast<std::int32_t>(t));
      return hn::RebindMask(f32_tag(), hn::And(hn::Ge(key, hn::Load(d, first)), hn::Lt(key, hn::Load(d, last))));
    }
  };

  /// Vectors of which no score in this block can be far from what weights are relative to: none is greater than the
  /// product of both vectors' lengths. Those that see a part of it are not among them: what keys there are besides
  /// depends on the tile.
  template <bool Whole>
  HWY_INLINE hn::Mask<f32_tag> near_vectors(std::size_t m, const visible_keys<Whole>& keys) const {
    const f32s before = load(highest_ + m);
    const f32s most = shape_.soft_cap != 0.0f ? splat(shape_.soft_cap * unit * rounding)
                                              : hn::Mul(load(lengths_ + m), splat(longest_key_));
    const auto near = hn::And(hn::Lt(hn::Sub(most, before), splat(headroom)),
                              hn::Lt(hn::Add(most, before), splat(125 * per_exponent)));
    return Whole ? near : hn::And(near, hn::And(keys.sees(0), keys.sees(key_block - 1)));
  }

  /// Scores to weights.
  template <bool Whole>
  HWY_NOINLINE void weigh(std::size_t m, std::size_t position, std::size_t present) {
    const visible_keys<Whole> keys(*this, m, position, present);
    float* const scores = &scores_of(m)->rows[0][0];
    if (shape_.soft_cap != 0.0f)
      for (std::size_t t = 0; t < key_block; ++t)
        store(hn::Mul(splat(shape_.soft_cap * unit), tanh(load(scores + t * lanes))), scores + t * lanes);
    pair_tile* weights[query_parts];
    for (std::size_t p = 0; p < query_parts; ++p) weights[p] = weights_[p][m / lanes % 2];
    const auto near = near_vectors(m, keys);
    if (Whole && hn::AllTrue(f32_tag(), near)) return weigh_relatively<Whole, true>(m, keys, scores, weights);
    f32s tops[4];
    for (std::size_t k = 0; k < 4; ++k) tops[k] = splat(lowest);
    for (std::size_t t = 0; t < key_block; t += 4) {
      INLAY_UNROLL
      for (std::size_t k = 0; k < 4; ++k) {
        f32s s = load(scores + (t + k) * lanes);
        if constexpr (!Whole) s = hn::IfThenElse(keys.sees(t + k), s, splat(lowest));
        tops[k] = hn::Max(tops[k], s);
      }
    }
    raise(m, hn::IfThenElse(near, splat(lowest), hn::Max(hn::Max(tops[0], tops[1]), hn::Max(tops[2], tops[3]))));
    weigh_relatively<Whole, false>(m, keys, scores, weights);
  }
  template <bool Whole, bool Near>
  HWY_INLINE void weigh_relatively(std::size_t m, const visible_keys<Whole>& keys, const float* scores,
                                   pair_tile* const (&weights)[query_parts]) {
    if constexpr (coarse)
      weigh_coarsely<Whole, Near>(m, keys, scores, weights[0]);
    else
      weigh_finely<Whole, Near>(m, keys, scores, weights);
  }

  /// The sums of a tile's query vectors, which are needed once weights are there: asked for in 32 steps.
  struct needed_sums {
    const float* next;
    std::size_t floats;  ///< of a step

    needed_sums(const bf16_attention& of, std::size_t m)
        : next(of.outputs_[m / lanes * (of.dim_ / lanes)].rows[0]), floats(of.dim_ / 2) {}
    HWY_INLINE void step() {
      for (const float* const to = next + floats; next < to; next += lanes) hwy::Prefetch(next);
    }
  };

  /// Where scores have grown much, sums are made relative to the greatest.
  HWY_INLINE void raise(std::size_t m, f32s top) {
    const f32s before = load(highest_ + m);
    const auto grown = hn::Gt(top, hn::Add(before, splat(slack)));
    if (hn::AllFalse(f32_tag(), grown)) return;
    const f32s now = hn::IfThenElse(grown, coarse ? hn::Ceil(top) : top, before);
    const f32s distance = hn::Mul(hn::Sub(before, now), splat(1.0f / per_exponent));
    const f32s keep =
        hn::IfThenZeroElse(hn::Eq(before, splat(lowest)), power_of_two(hn::Max(distance, splat(-126.0f))));
    store(now, highest_ + m);
    store(hn::Mul(load(total + m), keep), total + m);
    float* const outputs = &outputs_[0].rows[0][0] + m * dim_;
    for (std::size_t i = 0; i < dim_; ++i) store(hn::Mul(load(outputs + i * lanes), keep), outputs + i * lanes);
  }

  template <bool Whole, bool Near>
  HWY_INLINE void weigh_finely(std::size_t m, const visible_keys<Whole>& keys, const float* scores,
                               pair_tile* const (&weights)[query_parts]) {
    const f32s now = load(highest_ + m);
    f32s sum = load(total + m);
    needed_sums needed(*this, m);
    for (std::size_t s = 0; s < key_steps; ++s) {
      INLAY_UNROLL
      for (std::size_t j = 0; j < lanes; ++j) {
        const auto weight = [&](std::size_t t) {
          const f32s distance = hn::Sub(load(scores + t * lanes), now);
          const f32s w = power_of_two(Near ? distance : hn::Max(distance, splat(-126.0f)));
          return Whole ? w : hn::IfThenElseZero(keys.sees(t), w);
        };
        const f32s low = weight(s * depth + j), high = weight(s * depth + lanes + j);
        const bf16_pairs<query_parts> words(low, high);
        INLAY_UNROLL
        for (std::size_t p = 0; p < query_parts; ++p) hn::StoreU(words.part[p], u32_tag(), weights[p][s].rows[j]);
        sum = hn::Add(sum, hn::Add(low, high));
        needed.step();
      }
    }
    store(sum, total + m);
  }

  /// A bf16 is a whole number: 128 times an exponent of two, and the mantissa. A score, as a whole number of 128ths, is
  /// this already but for what the mantissa is below the fraction.
  template <bool Whole, bool Near>
  HWY_INLINE void weigh_coarsely(std::size_t m, const visible_keys<Whole>& keys, const float* scores,
                                 pair_tile* weights) {
    const u32_tag d;
    const hn::Repartition<std::uint16_t, u32_tag> dw;
    constexpr float whole_numbers = 12582912.0f, one = 127 * per_exponent;  // floats that are so large end in these
    const f32s highest = load(highest_ + m);
    const f32s now = Whole ? highest : hn::IfThenZeroElse(hn::Eq(highest, splat(lowest)), highest);
    const f32s least = hn::Sub(now, splat(126 * per_exponent)), base = hn::Sub(splat(whole_numbers + one), now);
    const auto low_half = hn::Set(d, 0xffffu);
    const auto deficits = hn::Load(hn::Repartition<std::uint8_t, u32_tag>(), mantissa_deficits.data());
    const __mmask64 low_bytes = 0x5555555555555555u;
    needed_sums needed(*this, m);
    f32s sums[4];
    INLAY_UNROLL
    for (std::size_t k = 0; k < 4; ++k) sums[k] = k == 0 ? load(total + m) : zero();
    for (std::size_t s = 0; s < key_steps; ++s) {
      INLAY_UNROLL
      for (std::size_t j = 0; j < lanes; ++j) {
        const auto exponent = [&](std::size_t t) {
          const f32s s = load(scores + t * lanes);
          return hn::BitCast(d, hn::Add(Near ? s : hn::Max(s, least), base));
        };
        const std::size_t t = s * depth + j;
        const auto both = hn::BitCast(dw, hn::OrAnd(hn::ShiftLeft<16>(exponent(t + lanes)), exponent(t), low_half));
        const decltype(both) below(_mm512_maskz_permutexvar_epi8(low_bytes, hn::ShiftRight<1>(both).raw, deficits.raw));
        auto words = hn::BitCast(d, hn::Sub(both, below));
        if constexpr (!Whole) {
          const auto of = [&](std::size_t key) { return hn::BitCast(d, hn::VecFromMask(f32_tag(), keys.sees(key))); };
          words = hn::And(words, hn::OrAnd(hn::ShiftLeft<16>(of(t + lanes)), of(t), low_half));
        }
        hn::StoreU(words, d, weights[s].rows[j]);
        needed.step();
        sums[j % 4] = add_bf16_pairs(sums[j % 4], words);
      }
    }
    store(hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3])), total + m);
  }

  HWY_NOINLINE void multiply_values(std::size_t m) {
    constexpr std::size_t row = amx::tile_row_bytes;
    for (std::size_t i = 0; i < dim_; i += 2 * lanes) {
      sum_tile* const first = &outputs_[(m * dim_ / lanes + i) / lanes];
      sum_tile* const second = first + dim_ / lanes;
      amx::load<0>(first, row);
      amx::load<1>(second, row);
      amx::load<2>(first + 1, row);
      amx::load<3>(second + 1, row);
      for (std::size_t s = 0; s < key_steps; ++s) {
        const pair_tile *of_values[cache_parts], *of_weights[query_parts];
        for (std::size_t p = 0; p < cache_parts; ++p) of_values[p] = &values_[p][(s * dim_ + i) / lanes];
        for (std::size_t p = 0; p < query_parts; ++p) of_weights[p] = &weights_[p][0][s];
        add_tile_products(of_values, 1, of_weights, key_steps);
      }
      amx::store<0>(first, row);
      amx::store<1>(second, row);
      amx::store<2>(first + 1, row);
      amx::store<3>(second + 1, row);
    }
  }

  const attention_shape& shape_;
  std::size_t dim_;
  alignas(64) pair_tile queries_[query_parts][most_sums / lanes / depth];  ///< [16 queries][32 columns]
  alignas(64) pair_tile keys_[cache_parts][key_block * most_dim / lanes / depth];
  alignas(64) pair_tile values_[cache_parts][key_block * most_dim / lanes / depth];
  alignas(64) pair_tile weights_[query_parts][2][key_steps];  ///< [16 queries][32 keys]
  alignas(64) sum_tile scores_[2][key_tiles];                 ///< [16 queries][16 keys]
  alignas(64) sum_tile outputs_[most_sums / lanes / lanes];   ///< [16 queries][16 columns]
  visible_range seen_[most_queries / step];
  alignas(64) float highest_[most_queries];
  alignas(64) float lengths_[most_queries];  ///< in the unit of scores
  float longest_key_ = 0.0f;                 ///< of the block
};

template <dtype Cache>
void attend_in_bf16(const attention_shape& shape, const attention_rows& rows, std::size_t kv_head, std::size_t begin,
                    std::size_t end) {
  using kernel = bf16_attention<Cache>;
  const std::size_t group = shape.heads / shape.kv_heads, dim = shape.head_dim;
  const std::size_t stride = row_bytes(shape.cache, dim);
  const std::size_t most = std::min(kernel::most_queries, kernel::most_sums / dim / kernel::step * kernel::step);
  kernel tile(shape);
  amx::tile_shapes shapes;
  for (std::size_t t = 0; t < 8; ++t) shapes.set(t, amx::tile_rows, amx::tile_row_bytes);
  amx::configure(shapes);
  for (std::size_t v = begin * group; v < end * group; v += most) {
    const std::size_t real = std::min(most, end * group - v);
    tile.count = (real + kernel::step - 1) / kernel::step * kernel::step;
    const visible_range visible = place_vectors(shape, rows, kv_head, v, real, tile);
    tile.begin();
    for_each_block<false>(rows.cache, visible, [&](const kv_span& span, std::size_t first, std::size_t count) {
      const std::size_t offset = kv_head * span.head_stride + (first - span.first_position) * stride;
      const cache_block keys = {span.keys + offset, stride, count}, values = {span.values + offset, stride, count};
      tile.add_block(keys, values, first, following(keys, values, span, first));
    });
    tile.finish();
    store_vectors(
        shape, rows, kv_head, v, real, tile, [&](std::size_t m, std::size_t j) { return tile.sums(m, j); },
        [&](std::size_t m) { return tile.highest(m); });
  }
  amx::release();
}

}  // namespace detail

/// Whether this is done by matrix units; `vectors` are those of the whole batch that share a kv head.
inline bool attends_in_bf16(const attention_shape& shape, std::size_t vectors) {
  return shape.cache != dtype::f32 && shape.head_dim % 32 == 0 && shape.head_dim <= 256 && vectors >= 16;
}

inline void attend_in_bf16(const attention_shape& shape, const attention_rows& rows, std::size_t kv_head,
                           std::size_t begin, std::size_t end) {
  if (shape.cache == dtype::q8_0) return detail::attend_in_bf16<dtype::q8_0>(shape, rows, kv_head, begin, end);
  if (shape.cache == dtype::bf16) return detail::attend_in_bf16<dtype::bf16>(shape, rows, kv_head, begin, end);
  INLAY_ASSERT(shape.cache == dtype::f16);
  return detail::attend_in_bf16<dtype::f16>(shape, rows, kv_head, begin, end);
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
