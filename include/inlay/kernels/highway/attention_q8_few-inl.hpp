// SPDX-License-Identifier: Apache-2.0
// Weighted sums of values of a cache of Q8_0 for few query vectors: values stay as they lie in the cache, and their
// scales become part of the weights, which are rounded to 15 bits.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

/// What add_few_values multiplies with the values of a block: the weights of four query vectors times the values'
/// scales, in units of a 32767th of the greatest possible one.
struct scaled_weights {
  std::int32_t pairs[integer_tile::most_dim / integer_tile::line][integer_tile::rows][key_block / 2];  ///< t, t + lanes
  float units[integer_tile::most_dim / integer_tile::line];
};

HWY_NOINLINE inline void scale_weights(std::size_t dim, const cache_block& values, const integer_step& step,
                                       scaled_weights& to) {
  const i32_tag d;
  for (std::size_t b = 0; b < dim / integer_tile::line; ++b) {
    alignas(64) float scales[key_block];
    load_scales(values, b * q8_0_bytes, scales);
    f32s most = splat(1e-30f);
    for (std::size_t t = 0; t < key_block; t += lanes) most = hn::Max(most, hn::Abs(load(scales + t)));
    const float top = highest(most);
    const f32s factor = splat(32767.0f / 8192.0f / top);
    to.units[b] = top * (8192.0f / 32767.0f);
    for (std::size_t t = 0; t < key_block; t += 2 * lanes) {
      const f32s first = hn::Mul(load(scales + t), factor), second = hn::Mul(load(scales + t + lanes), factor);
      INLAY_UNROLL
      for (std::size_t r = 0; r < integer_tile::rows; ++r) {
        const float* of_row = step.scores + r * key_block + t;
        const i32s low = hn::And(hn::NearestInt(hn::Mul(load(of_row), first)), hn::Set(d, 0xffff));
        const i32s high = hn::ShiftLeft<16>(hn::NearestInt(hn::Mul(load(of_row + lanes), second)));
        hn::StoreU(hn::Or(low, high), d, to.pairs[b][r] + t / 2);
      }
    }
  }
}

/// sums[r][column] = keep * sums[r][column] + take * unit * weights[r] . values, for four query vectors and values as
/// they lie in the cache. Sums are in the order that interleaving gives them: of every eight columns the first four
/// stand in one vector, the others in the next. `Whole`: of a block without absent keys.
template <bool Whole>
HWY_NOINLINE void add_few_values(std::size_t dim, const cache_block& values, std::size_t m, const integer_step& step,
                                 const scaled_weights& weights, integer_tile& tile) {
  constexpr std::size_t rows = integer_tile::rows, line = integer_tile::line, vectors = line / lanes;
  static_assert(vectors == 2);
  using short_tag = hn::Repartition<std::int16_t, i32_tag>;
  const hn::Rebind<std::int8_t, short_tag> byte_tag;
  const short_tag ds;
  const i32_tag d;
  for (std::size_t i = 0; i < dim; i += line) {
    const std::size_t at = i / line * q8_0_bytes + 2;
    const auto& pairs = weights.pairs[i / line];
    i32s dots[rows][vectors];
    INLAY_UNROLL
    for (std::size_t r = 0; r < rows; ++r) dots[r][0] = dots[r][1] = hn::BitCast(d, splat(step.zero));
    for (std::size_t t = 0; t < key_block; t += 2 * lanes) {
      INLAY_UNROLL
      for (std::size_t j = 0; j < lanes; ++j) {
        tile.ahead.step(1);
        const auto value = [&](std::size_t key) {  // weights of absent ones are 0
          const std::byte* row = values.data + (Whole ? key : std::min(key, values.count - 1)) * values.stride;
          return hn::PromoteTo(ds, hn::LoadU(byte_tag, reinterpret_cast<const std::int8_t*>(row + at)));
        };
        const auto first = value(t + j), second = value(t + lanes + j);
        const auto low = hn::InterleaveLower(ds, first, second), high = hn::InterleaveUpper(ds, first, second);
        INLAY_UNROLL
        for (std::size_t r = 0; r < rows; ++r) {
          const auto two = hn::BitCast(ds, splat_word(pairs[r] + t / 2 + j));
          dots[r][0] = hn::SatWidenMulPairwiseAccumulate(d, low, two, dots[r][0]);
          dots[r][1] = hn::SatWidenMulPairwiseAccumulate(d, high, two, dots[r][1]);
        }
      }
    }
    INLAY_UNROLL
    for (std::size_t r = 0; r < rows; ++r) {
      const f32s keep = splat(step.keep[r]), take = splat(step.take[r] * weights.units[i / line]);
      INLAY_UNROLL
      for (std::size_t v = 0; v < vectors; ++v) {
        float* to = tile.sums + (m + r) * dim + i + v * lanes;
        store(multiply_add(hn::ConvertTo(f32_tag(), dots[r][v]), take, hn::Mul(load(to), keep)), to);
      }
    }
  }
}

/// What add_few_values gave, in order.
inline void order_sums(std::size_t dim, std::size_t m, integer_tile& tile) {
  for (std::size_t i = m * dim; i < (m + 1) * dim; i += integer_tile::line) {
    float ordered[integer_tile::line];
    for (std::size_t j = 0; j < integer_tile::line; ++j)
      ordered[j] = tile.sums[i + j / 8 * 4 + j % 4 + (j % 8 < 4 ? 0 : lanes)];
    std::copy_n(ordered, integer_tile::line, tile.sums + i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
