// SPDX-License-Identifier: Apache-2.0
// Attention of many query vectors by matrix units. Both products are computed transposed, keys times queries and values
// times weights: a query vector is a lane, and its scores, which become its weights, stand one below the other.
//
// Factors become bf16. Where the cache is finer than Q8_0, queries and weights are split in two of these, and so are
// keys and values of f16; products of the second parts with each other are left out.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

namespace amx = inlay::kernels::amx;

namespace detail {

/// Rows of a tile, as floats or pairs of bf16.
template <class T>
struct tile_of {
  T rows[amx::tile_rows][lanes];
};
using pair_tile = tile_of<std::uint32_t>;
using sum_tile = tile_of<float>;

/// Two vectors as pairs of bf16, to the nearest or cut; what this leaves of them is the second part.
template <std::size_t Parts, bool Cut = false>
struct bf16_pairs {
  hn::Vec<u32_tag> part[Parts];
  f32s rounded[2];  ///< the first part

  HWY_INLINE bf16_pairs(f32s low, f32s high) {
    const u32_tag d;
    const auto half = hn::Set(d, 0x8000u), upper = hn::Set(d, 0xffff0000u);
    INLAY_UNROLL
    for (std::size_t p = 0; p < Parts; ++p) {
      const auto bits = [&](f32s v) { return Cut ? hn::BitCast(d, v) : hn::Add(hn::BitCast(d, v), half); };
      const auto a = hn::And(bits(low), upper), b = hn::And(bits(high), upper);
      part[p] = hn::Or(hn::ShiftRight<16>(a), b);
      const f32s first = hn::BitCast(f32_tag(), a), second = hn::BitCast(f32_tag(), b);
      if (p == 0) {
        rounded[0] = first;
        rounded[1] = second;
      }
      low = hn::Sub(low, first);
      high = hn::Sub(high, second);
    }
  }
};

/// The parts of 16 vectors of pairs, vector(j), as columns of tiles.
template <std::size_t Parts, class F>
HWY_INLINE void store_columns(pair_tile* const (&to)[Parts], const F& vector) {
  f32s words[Parts][lanes];
  INLAY_UNROLL
  for (std::size_t j = 0; j < lanes; ++j) {
    const bf16_pairs<Parts> of = vector(j);
    INLAY_UNROLL
    for (std::size_t p = 0; p < Parts; ++p) words[p][j] = hn::BitCast(f32_tag(), of.part[p]);
  }
  INLAY_UNROLL
  for (std::size_t p = 0; p < Parts; ++p) {
    transpose(words[p]);
    INLAY_UNROLL
    for (std::size_t j = 0; j < lanes; ++j) hn::StoreU(hn::BitCast(u32_tag(), words[p][j]), u32_tag(), to[p]->rows[j]);
  }
}

/// sums[i] += a[i] b, for Count tiles a[i] and b of so many parts. Sums are tiles 0 to 3.
template <std::size_t Count, std::size_t PartsA, std::size_t PartsB>
HWY_INLINE void add_tile_products(const pair_tile* const (&a)[PartsA], std::size_t step,
                                  const pair_tile* const (&b)[PartsB]) {
  constexpr std::size_t row = amx::tile_row_bytes;
  amx::load<6>(b[0], row);
  if constexpr (PartsB == 2) amx::load<7>(b[1], row);
  const auto add = [&]<int I>(std::integral_constant<int, I>) {
    if constexpr (I < static_cast<int>(Count)) {
      amx::load<4>(a[0] + I * step, row);
      amx::multiply_add<I, 4, 6>();
      if constexpr (PartsB == 2) amx::multiply_add<I, 4, 7>();
      if constexpr (PartsA == 2) {
        amx::load<5>(a[1] + I * step, row);
        amx::multiply_add<I, 5, 6>();
      }
    }
  };
  add(std::integral_constant<int, 0>());
  add(std::integral_constant<int, 1>());
  add(std::integral_constant<int, 2>());
  add(std::integral_constant<int, 3>());
}

/// Query vectors on their way through the cache.
template <dtype Cache>
class bf16_attention {
 public:
  static constexpr std::size_t most_queries = 128, most_sums = 8192, most_dim = 256;

  bf16_attention(const attention_shape& shape) : shape_(shape), dim_(shape.head_dim) {}

  // What place_vectors and store_vectors work with.
  const float* queries[most_queries];
  std::size_t from[most_queries], to[most_queries];
  std::size_t count = 0;
  alignas(64) float sums[most_sums];  ///< [vector][column]
  alignas(64) float total[most_queries];

  void begin() {
    const float scale = shape_.soft_cap != 0.0f ? shape_.scale / shape_.soft_cap : shape_.scale * log2_e;
    for (std::size_t m = 0; m < count; m += lanes)
      for (std::size_t c = 0; c < dim_ / depth; ++c) {
        pair_tile* tiles[query_parts];
        for (std::size_t p = 0; p < query_parts; ++p) tiles[p] = &queries_[p][m / lanes * (dim_ / depth) + c];
        store_columns(tiles, [&](std::size_t j) {
          const float* q = queries[m + j] + c * depth;
          return bf16_pairs<query_parts>(hn::Mul(load(q), splat(scale)), hn::Mul(load(q + lanes), splat(scale)));
        });
      }
    std::fill_n(highest_, count, lowest);
    std::fill_n(total, count, 0.0f);
    std::fill_n(&outputs_[0].rows[0][0], count * dim_, 0.0f);
  }

  /// Of a block that is not `whole`, queries see a part.
  void add_block(const cache_block& keys, const cache_block& values, std::size_t position, bool whole) {
    place_keys(keys);
    place_values(values);
    // One after the other, scores and weights would wait for each other.
    multiply_keys(0);
    for (std::size_t m = 0; m < count; m += lanes) {
      whole ? weigh<true>(m, position, keys.count) : weigh<false>(m, position, keys.count);
      if (m + lanes < count) multiply_keys(m + lanes);
      multiply_values(m);
    }
  }

  void finish() {
    for (std::size_t m = 0; m < count; m += lanes)
      for (std::size_t i = 0; i < dim_; i += lanes) {
        const sum_tile& tile = outputs_[(m * dim_ / lanes + i) / lanes];
        f32s square[lanes];
        INLAY_UNROLL
        for (std::size_t j = 0; j < lanes; ++j) square[j] = load(tile.rows[j]);
        transpose(square);
        INLAY_UNROLL
        for (std::size_t j = 0; j < lanes; ++j) store(square[j], sums + (m + j) * dim_ + i);
      }
  }

  /// What a vector's weights are relative to.
  float highest(std::size_t m) const { return highest_[m] / log2_e; }

 private:
  static constexpr std::size_t cache_parts = Cache == dtype::f16 ? 2 : 1;
  static constexpr std::size_t query_parts = Cache == dtype::q8_0 ? 1 : 2;
  static constexpr bool coarse = query_parts == 1;  ///< weights
  static constexpr std::size_t depth = 2 * lanes;   ///< that a product of tiles sums over
  static constexpr std::size_t key_tiles = key_block / lanes, key_steps = key_block / depth;
  static constexpr float lowest = std::numeric_limits<float>::lowest(), log2_e = 1.44269504f;
  /// So much greater, as powers of two, weights may become before all are made relative to the greatest.
  static constexpr float slack = 8.0f;
  static_assert(lanes == amx::tile_rows && key_tiles == 4);

  /// [columns / 32][key tile]: pairs are of columns i and i + 16. Absent keys repeat the last one.
  void place_keys(const cache_block& keys) {
    for (std::size_t t = 0; t < key_block; ++t) {
      const std::byte* row = keys.data + std::min(t, keys.count - 1) * keys.stride;
      for (std::size_t c = 0; c < dim_ / depth; ++c) {
        const bf16_pairs<cache_parts> words(load<Cache>(row, c * depth), load<Cache>(row, c * depth + lanes));
        INLAY_UNROLL
        for (std::size_t p = 0; p < cache_parts; ++p)
          hn::StoreU(words.part[p], u32_tag(), keys_[p][c * key_tiles + t / lanes].rows[t % lanes]);
      }
    }
  }

  /// [keys / 32][columns / 16], transposed: pairs are of keys t and t + 16.
  void place_values(const cache_block& values) {
    const auto row = [&](std::size_t t) { return values.data + std::min(t, values.count - 1) * values.stride; };
    for (std::size_t s = 0; s < key_steps; ++s)
      for (std::size_t i = 0; i < dim_; i += lanes) {
        pair_tile* tiles[cache_parts];
        for (std::size_t p = 0; p < cache_parts; ++p) tiles[p] = &values_[p][(s * dim_ + i) / lanes];
        store_columns(tiles, [&](std::size_t j) {
          return bf16_pairs<cache_parts>(load<Cache>(row(s * depth + j), i),
                                         load<Cache>(row(s * depth + lanes + j), i));
        });
      }
  }

  /// Scores of the query vectors of a tile.
  HWY_NOINLINE void multiply_keys(std::size_t m) {
    amx::set_zero<0>();
    amx::set_zero<1>();
    amx::set_zero<2>();
    amx::set_zero<3>();
    for (std::size_t c = 0; c < dim_ / depth; ++c) {
      const pair_tile *of_keys[cache_parts], *of_queries[query_parts];
      for (std::size_t p = 0; p < cache_parts; ++p) of_keys[p] = &keys_[p][c * key_tiles];
      for (std::size_t p = 0; p < query_parts; ++p) of_queries[p] = &queries_[p][m / lanes * (dim_ / depth) + c];
      add_tile_products<key_tiles>(of_keys, 1, of_queries);
    }
    sum_tile* const scores = scores_[m / lanes % 2];
    amx::store<0>(scores, amx::tile_row_bytes);
    amx::store<1>(scores + 1, amx::tile_row_bytes);
    amx::store<2>(scores + 2, amx::tile_row_bytes);
    amx::store<3>(scores + 3, amx::tile_row_bytes);
  }

  /// Scores to weights.
  template <bool Whole>
  HWY_NOINLINE void weigh(std::size_t m, std::size_t position, std::size_t present) {
    const i32_tag d;
    float* const scores = &scores_[m / lanes % 2][0].rows[0][0];
    alignas(64) std::int32_t first[lanes], last[lanes];
    if constexpr (!Whole)
      for (std::size_t j = 0; j < lanes; ++j) {
        const auto place = [&](std::size_t p) { return p > position ? std::min(p - position, present) : 0; };
        first[j] = static_cast<std::int32_t>(place(from[m + j]));
        last[j] = static_cast<std::int32_t>(place(to[m + j]));
      }
    const auto sees = [&](std::size_t t) {
      const i32s key = hn::Set(d, static_cast<std::int32_t>(t));
      return hn::RebindMask(f32_tag(), hn::And(hn::Ge(key, hn::Load(d, first)), hn::Lt(key, hn::Load(d, last))));
    };
    if (shape_.soft_cap != 0.0f)
      for (std::size_t t = 0; t < key_block; ++t)
        store(hn::Mul(splat(shape_.soft_cap * log2_e), tanh(load(scores + t * lanes))), scores + t * lanes);
    f32s tops[4];
    for (std::size_t k = 0; k < 4; ++k) tops[k] = splat(lowest);
    for (std::size_t t = 0; t < key_block; t += 4) {
      INLAY_UNROLL
      for (std::size_t k = 0; k < 4; ++k) {
        f32s s = load(scores + (t + k) * lanes);
        if constexpr (!Whole) s = hn::IfThenElse(sees(t + k), s, splat(lowest));
        tops[k] = hn::Max(tops[k], s);
      }
    }
    const f32s top = hn::Max(hn::Max(tops[0], tops[1]), hn::Max(tops[2], tops[3]));
    const f32s before = load(highest_ + m);
    const auto grown = hn::Gt(top, hn::Add(before, splat(slack)));
    const f32s now = hn::IfThenElse(grown, top, before);
    if (!hn::AllFalse(f32_tag(), grown)) {
      const f32s keep = hn::IfThenZeroElse(hn::Eq(before, splat(lowest)),
                                           power_of_two(hn::Max(hn::Sub(before, now), splat(-126.0f))));
      store(now, highest_ + m);
      store(hn::Mul(load(total + m), keep), total + m);
      float* const outputs = &outputs_[0].rows[0][0] + m * dim_;
      for (std::size_t i = 0; i < dim_; ++i) store(hn::Mul(load(outputs + i * lanes), keep), outputs + i * lanes);
    }
    f32s sum = load(total + m);
    for (std::size_t s = 0; s < key_steps; ++s) {
      INLAY_UNROLL
      for (std::size_t j = 0; j < lanes; ++j) {
        const auto weight = [&](std::size_t t) {
          const f32s w = power_of_two<coarse>(hn::Max(hn::Sub(load(scores + t * lanes), now), splat(-126.0f)));
          return Whole ? w : hn::IfThenElseZero(sees(t), w);
        };
        const f32s low = weight(s * depth + j), high = weight(s * depth + lanes + j);
        const bf16_pairs<query_parts, coarse> words(low, high);
        INLAY_UNROLL
        for (std::size_t p = 0; p < query_parts; ++p) hn::StoreU(words.part[p], u32_tag(), weights_[p][s].rows[j]);
        // What is divided by is what values are multiplied with, so that cutting takes the same off both.
        sum = hn::Add(sum, coarse ? hn::Add(words.rounded[0], words.rounded[1]) : hn::Add(low, high));
      }
    }
    store(sum, total + m);
  }

  HWY_NOINLINE void multiply_values(std::size_t m) {
    for (std::size_t i = 0; i < dim_; i += 4 * lanes)
      dim_ - i >= 4 * lanes ? multiply_some_values<4>(m, i) : multiply_some_values<2>(m, i);
  }
  template <std::size_t Count>
  HWY_INLINE void multiply_some_values(std::size_t m, std::size_t i) {
    constexpr std::size_t row = amx::tile_row_bytes;
    sum_tile* const outputs = &outputs_[(m * dim_ / lanes + i) / lanes];
    amx::load<0>(outputs, row);
    amx::load<1>(outputs + 1, row);
    if constexpr (Count == 4) {
      amx::load<2>(outputs + 2, row);
      amx::load<3>(outputs + 3, row);
    }
    for (std::size_t s = 0; s < key_steps; ++s) {
      const pair_tile *of_values[cache_parts], *of_weights[query_parts];
      for (std::size_t p = 0; p < cache_parts; ++p) of_values[p] = &values_[p][(s * dim_ + i) / lanes];
      for (std::size_t p = 0; p < query_parts; ++p) of_weights[p] = &weights_[p][s];
      add_tile_products<Count>(of_values, 1, of_weights);
    }
    amx::store<0>(outputs, row);
    amx::store<1>(outputs + 1, row);
    if constexpr (Count == 4) {
      amx::store<2>(outputs + 2, row);
      amx::store<3>(outputs + 3, row);
    }
  }

  const attention_shape& shape_;
  std::size_t dim_;
  alignas(64) pair_tile queries_[query_parts][most_sums / lanes / depth];  ///< [16 queries][32 columns]
  alignas(64) pair_tile keys_[cache_parts][key_block * most_dim / lanes / depth];
  alignas(64) pair_tile values_[cache_parts][key_block * most_dim / lanes / depth];
  alignas(64) pair_tile weights_[query_parts][key_steps];  ///< [32 keys], of 16 queries
  alignas(64) sum_tile scores_[2][key_tiles];
  alignas(64) sum_tile outputs_[most_sums / lanes / lanes];  ///< [16 queries][16 columns]
  alignas(64) float highest_[most_queries];
};

template <dtype Cache>
void attend_in_bf16(const attention_shape& shape, const attention_rows& rows, std::size_t kv_head, std::size_t begin,
                    std::size_t end) {
  using kernel = bf16_attention<Cache>;
  const std::size_t group = shape.heads / shape.kv_heads, dim = shape.head_dim;
  const std::size_t stride = row_bytes(shape.cache, dim);
  const std::size_t most = std::min(kernel::most_queries, kernel::most_sums / dim / lanes * lanes);
  kernel tile(shape);
  amx::tile_shapes shapes;
  for (std::size_t t = 0; t < 8; ++t) shapes.set(t, amx::tile_rows, amx::tile_row_bytes);
  amx::configure(shapes);
  for (std::size_t v = begin * group; v < end * group; v += most) {
    const std::size_t real = std::min(most, end * group - v);
    tile.count = (real + lanes - 1) / lanes * lanes;
    const visible_range visible = place_vectors(shape, rows, kv_head, v, real, tile);
    tile.begin();
    for_each_block<false>(rows.cache, visible, [&](const kv_span& span, std::size_t first, std::size_t count) {
      const std::size_t offset = kv_head * span.head_stride + (first - span.first_position) * stride;
      const bool whole = count == key_block && first >= visible.newest_from && first + count <= visible.oldest_to;
      tile.add_block({span.keys + offset, stride, count}, {span.values + offset, stride, count}, first, whole);
    });
    tile.finish();
    store_vectors(shape, rows, kv_head, v, real, tile, dim, [&](std::size_t m) { return tile.highest(m); });
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
