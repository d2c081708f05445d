// SPDX-License-Identifier: Apache-2.0
// What attention over a cache of Q8_0 in products of integers is made of, for tiles of query vectors.
//
// Scores: queries are rounded to 8 bits for every 32 columns, as the keys are in the cache. Weighted sums of values: of
// a block of keys, weights are rounded to 13 bits of the greatest possible one, and values, times their scales, to 12
// bits of the greatest: so the sums of 64 keys stay within 32 bits.
//
// A block of keys and values is brought into the order of the products once for a tile of query vectors. Four of these
// are multiplied with all of its keys at a time, and their scores become weights while they are at hand.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

struct integer_tile {
  static constexpr std::size_t most = 128;  ///< query vectors
  static constexpr std::size_t most_dim = 256;
  static constexpr std::size_t most_sums = 8192;  ///< query vectors x head_dim
  static constexpr std::size_t rows = 4;          ///< query vectors that are multiplied at a time
  static constexpr std::size_t columns = 64;      ///< of values that are multiplied at a time
  static constexpr std::size_t vectors = 64 / lanes;
  static constexpr std::size_t line = 32;  ///< columns that share a scale
  static_assert(key_block == 64 && lanes % rows == 0);

  alignas(64) float sums[most_sums];                          ///< [vector][column]
  alignas(64) std::int32_t keys[most_dim / 4 * key_block];    ///< [four columns][key], plus 128
  alignas(64) std::int32_t values[most_dim * key_block / 2];  ///< [64 columns][two keys][column]
  alignas(64) float key_scales[most_dim / line * key_block];  ///< [line][key]
  alignas(64) float value_units[most_dim / line];
  alignas(64) std::int8_t codes[most_sums];        ///< queries: [vector][column]
  std::int32_t starts[most_sums / line];           ///< -128 times the sum of a line's codes
  float units[most_sums / line];                   ///< the codes' unit, times the scale of scores
  alignas(64) float highest[most / rows * lanes];  ///< of four vectors, repeated in every four lanes
  alignas(64) float totals[most / rows * lanes];
  float total[most];
  std::size_t from[most], to[most];
  const float* queries[most];
  std::size_t count;
  read_queue ahead;  ///< where vectors are few
};

/// Four query vectors on their way through a block of keys.
struct integer_step {
  alignas(64) float scores[integer_tile::rows * key_block];
  alignas(64) std::int32_t weights[integer_tile::rows * key_block / 2];  ///< [vector][two keys]
  alignas(64) float keep[lanes], take[lanes];  ///< what becomes of sums so far, and of the block's
  float zero = 0.0f;                           ///< g++ would store sums that start from a constant
};

/// Four bytes in every lane.
HWY_INLINE i32s splat_word(const void* p) {
  std::int32_t bits;
  std::memcpy(&bits, p, sizeof bits);
  return hn::Set(i32_tag(), bits);
}

/// 2^x, for -126 <= x < 127, with a relative error of 2^-18.4; 1 for 0.
HWY_INLINE f32s power_of_two(f32s x) {
  const f32s magic = splat(12582912.0f);
  const f32s shifted = hn::Add(x, magic);
  const f32s r = hn::Sub(x, hn::Sub(shifted, magic));
  f32s p = splat(9.582853876e-3f);
  p = multiply_add(p, r, splat(5.590642616e-2f));
  p = multiply_add(p, r, splat(2.402409911e-1f));
  p = multiply_add(p, r, splat(6.931241751e-1f));
  p = multiply_add(p, r, splat(1.0f));
  return detail::scale_by_power(p, hn::BitCast(i32_tag(), shifted));
}

/// Queries in units of a 127th of the greatest magnitude of a line. Scores are in powers of two, unless they are
/// capped.
inline void quantize_queries(const attention_shape& shape, integer_tile& tile) {
  constexpr float log2_e = 1.44269504f;
  const hn::Rebind<std::int8_t, i32_tag> narrow;
  const i32_tag d;
  const std::size_t dim = shape.head_dim;
  const float scale = shape.soft_cap != 0.0f ? shape.scale / shape.soft_cap : shape.scale * log2_e;
  for (std::size_t m = 0; m < tile.count; ++m)
    for (std::size_t i = 0; i < dim; i += integer_tile::line) {
      const f32s first = load(tile.queries[m] + i);
      const f32s second = load(tile.queries[m] + i + lanes);
      const float top = std::max(highest(hn::Max(hn::Abs(first), hn::Abs(second))), 1e-30f);
      const f32s inverse = splat(127.0f / top);
      const i32s a = hn::NearestInt(hn::Mul(first, inverse));
      const i32s b = hn::NearestInt(hn::Mul(second, inverse));
      std::int8_t* codes = tile.codes + m * dim + i;
      hn::StoreU(hn::DemoteTo(narrow, a), narrow, codes);
      hn::StoreU(hn::DemoteTo(narrow, b), narrow, codes + lanes);
      const std::size_t at = (m * dim + i) / integer_tile::line;
      tile.starts[at] = -128 * hn::ReduceSum(d, hn::Add(a, b));
      tile.units[at] = top * (1.0f / 127.0f) * scale;
    }
}

/// The block is filled up with its last key.
inline void order_keys(std::size_t dim, const cache_block& keys, integer_tile& tile) {
  const hn::Half<hn::Repartition<std::uint8_t, f32_tag>> half_tag;
  const i32_tag d;
  for (std::size_t i = 0; i < dim; i += 2 * integer_tile::line) {
    const std::size_t at = i / integer_tile::line * q8_0_bytes;
    load_scales(keys, at, tile.key_scales + i / integer_tile::line * key_block);
    load_scales(keys, at + q8_0_bytes, tile.key_scales + (i / integer_tile::line + 1) * key_block);
    for (std::size_t t = 0; t < key_block; t += lanes) {
      tile.ahead.step(6);
      f32s words[lanes];
      INLAY_UNROLL
      for (std::size_t j = 0; j < lanes; ++j) {
        const auto* codes =
            reinterpret_cast<const std::uint8_t*>(keys.data + std::min(t + j, keys.count - 1) * keys.stride + at + 2);
        words[j] =
            hn::BitCast(f32_tag(), hn::Combine(hn::Repartition<std::uint8_t, f32_tag>(),
                                               hn::LoadU(half_tag, codes + q8_0_bytes), hn::LoadU(half_tag, codes)));
      }
      transpose(words);
      const i32s sign = hn::Set(d, static_cast<std::int32_t>(0x80808080u));
      INLAY_UNROLL
      for (std::size_t j = 0; j < lanes; ++j)
        hn::StoreU(hn::Xor(hn::BitCast(d, words[j]), sign), d, tile.keys + (i / 4 + j) * key_block + t);
    }
  }
}

/// Columns from the i-th on. A lane has those of keys t and t + lanes.
inline void order_values(std::size_t i, const cache_block& values, integer_tile& tile) {
  using short_tag = hn::Repartition<std::int16_t, i32_tag>;
  const hn::Rebind<std::int8_t, short_tag> byte_tag;
  const short_tag ds;
  const i32_tag d;
  const std::size_t at = i / integer_tile::line * q8_0_bytes;
  alignas(64) std::int32_t factors[2][key_block];
  for (std::size_t b = 0; b < 2; ++b) {
    alignas(64) float scales[key_block];
    load_scales(values, at + b * q8_0_bytes, scales);
    f32s most = splat(1e-30f);
    for (std::size_t t = 0; t < key_block; t += lanes) most = hn::Max(most, hn::Abs(load(scales + t)));
    const float top = highest(most);
    tile.value_units[i / integer_tile::line + b] = top * (1024.0f / 32767.0f);
    const f32s factor = splat(32767.0f / top);
    for (std::size_t t = 0; t < key_block; t += lanes)
      hn::StoreU(hn::NearestInt(hn::Mul(load(scales + t), factor)), d, factors[b] + t);
  }
  for (std::size_t t = 0; t < key_block; ++t) {
    if (t % (2 * lanes) >= lanes) continue;
    std::int32_t* to =
        tile.values + i * (key_block / 2) + (t / (2 * lanes) * lanes + t % lanes) * integer_tile::columns;
    for (std::size_t b = 0; b < 2; ++b) {
      const auto value = [&](std::size_t key) {
        const std::size_t real = std::min(key, values.count - 1);  // factors of absent ones are 0
        const auto* codes =
            reinterpret_cast<const std::int8_t*>(values.data + real * values.stride + at + b * q8_0_bytes + 2);
        return hn::MulFixedPoint15(hn::ShiftLeft<5>(hn::PromoteTo(ds, hn::LoadU(byte_tag, codes))),
                                   hn::Set(ds, static_cast<std::int16_t>(factors[b][key])));
      };
      const auto first = value(t);
      const auto second = value(t + lanes);
      hn::StoreU(hn::BitCast(d, hn::InterleaveWholeLower(ds, first, second)), d, to + b * 32);
      hn::StoreU(hn::BitCast(d, hn::InterleaveWholeUpper(ds, first, second)), d, to + b * 32 + lanes);
    }
  }
}

/// scores[r][key] of four query vectors.
template <bool Few>
HWY_NOINLINE void score_in_integers(std::size_t dim, integer_tile& tile, std::size_t m, float* scores) {
  constexpr std::size_t rows = integer_tile::rows, vectors = integer_tile::vectors, line = integer_tile::line;
  const i32_tag d;
  const hn::Repartition<std::uint8_t, i32_tag> du;
  const hn::Repartition<std::int8_t, i32_tag> ds;
  const std::size_t lines = dim / line;
  const std::int8_t* codes = tile.codes + m * dim;
  for (std::size_t b = 0; b < lines; ++b) {
    i32s dots[rows][vectors];
    INLAY_UNROLL
    for (std::size_t r = 0; r < rows; ++r) {
      INLAY_UNROLL
      for (std::size_t v = 0; v < vectors; ++v) dots[r][v] = splat_word(tile.starts + (m + r) * lines + b);
    }
    const std::int32_t* keys = tile.keys + b * (line / 4) * key_block;
    INLAY_UNROLL
    for (std::size_t k = 0; k < line / 4; ++k) {
      if constexpr (Few) tile.ahead.step(2);
      i32s w[vectors];
      INLAY_UNROLL
      for (std::size_t v = 0; v < vectors; ++v) w[v] = hn::LoadU(d, keys + k * key_block + v * lanes);
      INLAY_UNROLL
      for (std::size_t r = 0; r < rows; ++r) {
        const i32s four = splat_word(codes + r * dim + b * line + 4 * k);
        INLAY_UNROLL
        for (std::size_t v = 0; v < vectors; ++v)
          dots[r][v] = hn::SumOfMulQuadAccumulate(d, hn::BitCast(du, w[v]), hn::BitCast(ds, four), dots[r][v]);
      }
    }
    INLAY_UNROLL
    for (std::size_t r = 0; r < rows; ++r) {
      const f32s unit = splat(tile.units[(m + r) * lines + b]);
      INLAY_UNROLL
      for (std::size_t v = 0; v < vectors; ++v) {
        float* to = scores + r * key_block + v * lanes;
        const f32s dot =
            hn::Mul(hn::ConvertTo(f32_tag(), dots[r][v]), load(tile.key_scales + b * key_block + v * lanes));
        store(b == 0 ? hn::Mul(dot, unit) : multiply_add(dot, unit, load(to)), to);
      }
    }
  }
}

/// What is not visible gets the lowest score.
inline void mask_scores(std::size_t position, std::size_t count, std::size_t m, const integer_tile& tile,
                        float* scores) {
  for (std::size_t r = 0; r < integer_tile::rows; ++r) {
    const std::size_t from = tile.from[m + r] > position ? std::min(tile.from[m + r] - position, key_block) : 0;
    const std::size_t to = tile.to[m + r] > position ? std::min(tile.to[m + r] - position, count) : 0;
    float* row = scores + r * key_block;
    std::fill(row, row + from, std::numeric_limits<float>::lowest());
    std::fill(row + to, row + key_block, std::numeric_limits<float>::lowest());
  }
}

/// The greatest lane of each of four vectors, or the sum of theirs, repeated in every four lanes.
template <bool Maximum>
HWY_INLINE f32s reduce_four(const f32s* v) {
  const f32_tag d;
  const hn::Repartition<double, f32_tag> dd;
  const auto join = [](f32s a, f32s b) { return Maximum ? hn::Max(a, b) : hn::Add(a, b); };
  const auto first = hn::BitCast(dd, join(hn::InterleaveLower(d, v[0], v[1]), hn::InterleaveUpper(d, v[0], v[1])));
  const auto second = hn::BitCast(dd, join(hn::InterleaveLower(d, v[2], v[3]), hn::InterleaveUpper(d, v[2], v[3])));
  f32s all = join(hn::BitCast(d, hn::InterleaveLower(dd, first, second)),
                  hn::BitCast(d, hn::InterleaveUpper(dd, first, second)));
  all = join(all, hn::SwapAdjacentBlocks(all));
  return join(all, hn::ReverseBlocks(d, all));
}
/// Number R of every four lanes.
template <std::size_t R>
HWY_INLINE f32s spread(f32s v) {
  return hn::Per4LaneBlockShuffle<R, R, R, R>(v);
}

/// Scores of four query vectors to weights relative to the block's highest score, of which 8192 is the greatest: whole
/// numbers, or floats in the scores' place.
template <bool Whole>
HWY_NOINLINE void weigh_in_integers(float soft_cap, std::size_t m, integer_tile& tile, integer_step& step) {
  constexpr std::size_t rows = integer_tile::rows, vectors = integer_tile::vectors;
  const i32_tag d;
  const f32s lowest = splat(std::numeric_limits<float>::lowest());
  const f32s least = splat(-126.0f);
  f32s tops[rows];
  INLAY_UNROLL
  for (std::size_t r = 0; r < rows; ++r) {
    float* row = step.scores + r * key_block;
    if (soft_cap != 0.0f) {
      const f32s cap = splat(soft_cap * 1.44269504f);
      for (std::size_t v = 0; v < vectors; ++v) {
        const f32s s = load(row + v * lanes);
        store(hn::IfThenElse(hn::Eq(s, lowest), s, hn::Mul(cap, tanh(s))), row + v * lanes);
      }
    }
    tops[r] = load(row);
    INLAY_UNROLL
    for (std::size_t v = 1; v < vectors; ++v) tops[r] = hn::Max(tops[r], load(row + v * lanes));
  }
  const f32s block = reduce_four<true>(tops);
  const f32s before = load(tile.highest + m / rows * lanes);
  const f32s now = hn::Max(before, block);
  // A vector that has seen nothing so far, or sees nothing of the block, has no sums.
  const auto factor = [&](f32s old) {
    return hn::IfThenZeroElse(hn::Eq(old, lowest), power_of_two(hn::Max(hn::Sub(old, now), least)));
  };
  const f32s keep = factor(before);
  const f32s take = factor(block);
  store(now, tile.highest + m / rows * lanes);
  store(keep, step.keep);
  store(take, step.take);

  const f32s magic = splat(12582912.0f);
  const i32s low = hn::Set(d, 0xffff);
  const f32s base = hn::Sub(block, splat(13.0f));
  const f32s bases[rows] = {spread<0>(base), spread<1>(base), spread<2>(base), spread<3>(base)};
  f32s totals[rows];
  INLAY_UNROLL
  for (std::size_t r = 0; r < rows; ++r) {
    INLAY_UNROLL
    for (std::size_t v = 0; v < vectors; v += 2) {
      f32s weight[2];
      INLAY_UNROLL
      for (std::size_t j = 0; j < 2; ++j)
        weight[j] =
            power_of_two(hn::Max(hn::Sub(load(step.scores + r * key_block + (v + j) * lanes), bases[r]), least));
      const f32s both = hn::Add(weight[0], weight[1]);
      totals[r] = v == 0 ? both : hn::Add(totals[r], both);
      if constexpr (!Whole) {
        store(weight[0], step.scores + r * key_block + v * lanes);
        store(weight[1], step.scores + r * key_block + (v + 1) * lanes);
        continue;
      }
      const i32s first = hn::And(hn::BitCast(d, hn::Add(weight[0], magic)), low);
      const i32s second = hn::ShiftLeft<16>(hn::BitCast(d, hn::Add(weight[1], magic)));
      hn::StoreU(hn::Or(first, second), d, step.weights + r * (key_block / 2) + v / 2 * lanes);
    }
  }
  float* total = tile.totals + m / rows * lanes;
  store(multiply_add(reduce_four<false>(totals), take, hn::Mul(load(total), keep)), total);
}

/// sums[r][column] = keep * sums[r][column] + take * unit * weights[r] . values, for four query vectors and 64 columns.
/// (A loop over keys that is not unrolled has g++ store the sums at every turn.)
HWY_NOINLINE inline void add_values_in_integers(std::size_t dim, std::size_t column, std::size_t m, integer_tile& tile,
                                                const integer_step& step) {
  constexpr std::size_t rows = integer_tile::rows, vectors = integer_tile::vectors;
  const i32_tag d;
  const hn::Repartition<std::int16_t, i32_tag> ds;
  i32s dots[rows][vectors];
  INLAY_UNROLL
  for (std::size_t r = 0; r < rows; ++r) {
    INLAY_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) dots[r][v] = hn::Zero(d);
  }
  const std::int32_t* values = tile.values + column * (key_block / 2);
  INLAY_UNROLL
  for (std::size_t k = 0; k < key_block / 2; ++k) {
    i32s w[vectors];
    INLAY_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) w[v] = hn::LoadU(d, values + k * integer_tile::columns + v * lanes);
    INLAY_UNROLL
    for (std::size_t r = 0; r < rows; ++r) {
      const i32s two = splat_word(step.weights + r * (key_block / 2) + k);
      INLAY_UNROLL
      for (std::size_t v = 0; v < vectors; ++v)
        dots[r][v] = hn::SatWidenMulPairwiseAccumulate(d, hn::BitCast(ds, w[v]), hn::BitCast(ds, two), dots[r][v]);
    }
  }
  const float* units = tile.value_units + column / integer_tile::line;
  INLAY_UNROLL
  for (std::size_t r = 0; r < rows; ++r) {
    const f32s keep = splat(step.keep[r]);
    INLAY_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) {
      float* to = tile.sums + (m + r) * dim + column + v * lanes;
      const f32s unit = splat(step.take[r] * units[v / 2]);
      store(multiply_add(hn::ConvertTo(f32_tag(), dots[r][v]), unit, hn::Mul(load(to), keep)), to);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
