// SPDX-License-Identifier: Apache-2.0
// Attention in one pass over the cache, blockwise with a running maximum (Milakov & Gimelshein 2018; Dao et al. 2022).
//
// The query heads that share a kv head, of several rows at once, make a tile of query vectors: a block of keys and
// values is read once for all of them. Few vectors (decode) take dot products with the keys as they lie in the cache;
// many (prefill) first transpose the block, and then both products, scores = Q K^T and sums = P V, are the same
// register-tiled kernel `accumulate`.
//
// What a query vector gets does not depend on its tile: blocks are cut at multiples of `key_block` positions, and which
// of the two ways is taken depends on the whole batch.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

inline constexpr std::size_t key_block = 64;
/// Query vectors in a batch from which on transposing the keys pays.
inline constexpr std::size_t transpose_threshold = 8;
/// Whether fewer are computed on the cache as it lies, or all in the one way.
inline constexpr bool direct_cache = !INLAY_SMALL_KERNELS;
/// Whether sums of two products i16 x i16 in one instruction are there for a cache of bytes.
inline constexpr bool has_pair_i16 = HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL;
/// 32 vector registers, not 16.
inline constexpr bool many_registers = HWY_MAX_BYTES >= 64 || HWY_TARGET_IS_NEON || HWY_TARGET_IS_PPC || HWY_ARCH_S390X;

/// Transposes a square of lanes x lanes numbers.
HWY_INLINE void transpose(f32s (&v)[lanes]) {
  const f32_tag d;
  INLAY_UNROLL
  for (std::size_t stage = 1; stage < lanes; stage *= 2) {
    f32s next[lanes];
    INLAY_UNROLL
    for (std::size_t i = 0; i < lanes / 2; ++i) {
      next[2 * i] = hn::InterleaveWholeLower(d, v[i], v[i + lanes / 2]);
      next[2 * i + 1] = hn::InterleaveWholeUpper(d, v[i], v[i + lanes / 2]);
    }
    INLAY_UNROLL
    for (std::size_t i = 0; i < lanes; ++i) v[i] = next[i];
  }
}

// ---- scores of few vectors: dot products ----------------------------------------------------------------------------

/// Keys or values of consecutive positions, as they lie in the cache.
struct cache_block {
  const std::byte* data;
  std::size_t stride;  ///< bytes
  std::size_t count;   ///< 1 to key_block
};

/// scores[m * key_block + t] = queries[m] . keys[t] for t < count, and numbers of no meaning up to the next multiple of
/// the step. dim is a multiple of `lanes`.
template <dtype Type, std::size_t Queries>
void dot_keys(const float* const* queries, std::size_t dim, const cache_block& keys, float* scores) {
  constexpr std::size_t step = many_registers ? std::max<std::size_t>(lanes / Queries, 4) : lanes / Queries;
  constexpr std::size_t parts = Queries * step / lanes;
  static_assert(parts * lanes == Queries * step);
  for (std::size_t t = 0; t < keys.count; t += step) {
    const std::byte* key[step];
    INLAY_UNROLL
    for (std::size_t j = 0; j < step; ++j) key[j] = keys.data + std::min(t + j, keys.count - 1) * keys.stride;
    f32s sums[Queries * step];
    INLAY_UNROLL
    for (f32s& s : sums) s = zero();
    std::size_t i = 0;
    do {
      f32s q[Queries];
      INLAY_UNROLL
      for (std::size_t m = 0; m < Queries; ++m) q[m] = load(queries[m] + i);
      INLAY_UNROLL
      for (std::size_t j = 0; j < step; ++j) {
        const f32s k = load<Type>(key[j], i);
        INLAY_UNROLL
        for (std::size_t m = 0; m < Queries; ++m) {
          sums[m * step + j] = multiply_add(q[m], k, sums[m * step + j]);
        }
      }
      i += lanes;
    } while (i < dim);
    alignas(64) float dots[Queries * step];
    INLAY_UNROLL
    for (std::size_t p = 0; p < parts; ++p) store(reduce_each<false>(sums + p * lanes), dots + p * lanes);
    INLAY_UNROLL
    for (std::size_t m = 0; m < Queries; ++m)
      std::memcpy(scores + m * key_block + t, dots + m * step, step * sizeof(float));
  }
}

// ---- the register tile ----------------------------------------------------------------------------------------------

inline constexpr std::size_t tile_vectors = many_registers ? 4 : 2;

/// c[m][j] = c[m][j] * keep[m] + sum over k < depth of a[m][k] * b[k][j], for Rows rows of c and Vectors vectors of
/// columns; with keep null, c starts from zero. depth > 0: loops that run once at least keep g++'s sums in registers.
template <dtype Type, std::size_t Rows, std::size_t Vectors>
HWY_INLINE void accumulate_tile(const float* const* a, std::size_t a_offset, std::size_t depth, const std::byte* b,
                                std::size_t b_stride, std::size_t column, float* c, std::size_t c_stride,
                                const float* keep) {
  f32s sums[Rows * Vectors];
  INLAY_UNROLL
  for (std::size_t m = 0; m < Rows; ++m) {
    INLAY_UNROLL
    for (std::size_t j = 0; j < Vectors; ++j)
      sums[m * Vectors + j] =
          keep != nullptr ? hn::Mul(load(c + m * c_stride + column + j * lanes), splat(keep[m])) : zero();
  }
  const float* row[Rows];
  INLAY_UNROLL
  for (std::size_t m = 0; m < Rows; ++m) row[m] = a[m] + a_offset;
  std::size_t k = 0;
  do {
    f32s v[Vectors];
    INLAY_UNROLL
    for (std::size_t j = 0; j < Vectors; ++j) v[j] = load<Type>(b + k * b_stride, column + j * lanes);
    INLAY_UNROLL
    for (std::size_t m = 0; m < Rows; ++m) {
      const f32s factor = splat(row[m][k]);
      INLAY_UNROLL
      for (std::size_t j = 0; j < Vectors; ++j)
        sums[m * Vectors + j] = multiply_add(factor, v[j], sums[m * Vectors + j]);
    }
  } while (++k < depth);
  INLAY_UNROLL
  for (std::size_t m = 0; m < Rows; ++m) {
    INLAY_UNROLL
    for (std::size_t j = 0; j < Vectors; ++j) store(sums[m * Vectors + j], c + m * c_stride + column + j * lanes);
  }
}

template <dtype Type, std::size_t Rows>
void accumulate_rows(const float* const* a, std::size_t a_offset, std::size_t depth, const std::byte* b,
                     std::size_t b_stride, std::size_t columns, float* c, std::size_t c_stride, const float* keep) {
  std::size_t j = 0;
  for (; j + tile_vectors * lanes <= columns; j += tile_vectors * lanes)
    accumulate_tile<Type, Rows, tile_vectors>(a, a_offset, depth, b, b_stride, j, c, c_stride, keep);
  for (; j < columns; j += lanes) accumulate_tile<Type, Rows, 1>(a, a_offset, depth, b, b_stride, j, c, c_stride, keep);
}

/// The same for an even number of rows; columns is a multiple of `lanes`.
template <dtype Type>
void accumulate(std::size_t rows, const float* const* a, std::size_t a_offset, std::size_t depth, const std::byte* b,
                std::size_t b_stride, std::size_t columns, float* c, std::size_t c_stride, const float* keep) {
  const auto factors = [keep](std::size_t m) { return keep != nullptr ? keep + m : nullptr; };
  std::size_t m = 0;
  for (; m + 4 <= rows; m += 4)
    accumulate_rows<Type, 4>(a + m, a_offset, depth, b, b_stride, columns, c + m * c_stride, c_stride, factors(m));
  if (m < rows)
    accumulate_rows<Type, 2>(a + m, a_offset, depth, b, b_stride, columns, c + m * c_stride, c_stride, factors(m));
}

// ---- one tile of query vectors --------------------------------------------------------------------------------------

struct attention_tile {
  static constexpr std::size_t most = 64;          ///< query vectors
  static constexpr std::size_t most_sums = 8192;   ///< query vectors x padded head_dim
  alignas(64) float sums[most_sums];               ///< [vector][padded head_dim]
  alignas(64) float scores[most * key_block];      ///< [vector][key]; then the weights
  alignas(64) float panel[key_block * key_block];  ///< keys transposed or values, as floats
  const float* queries[most];
  const float* weights[most];  ///< rows of `scores`
  float highest[most];
  float total[most];
  float keep[most];        ///< what becomes of earlier sums: e^(old highest - new highest)
  std::size_t from[most];  ///< visible positions
  std::size_t to[most];
  std::size_t count;
  alignas(64) std::int16_t codes[has_pair_i16 ? most_sums : 1];  ///< queries as quantize_queries makes them
  float units[most];
};

/// Columns [begin, begin + depth) of a block of keys, transposed to panel[column][key]. The block is filled up to a
/// multiple of `lanes` with its last key.
template <dtype Type>
void transpose_keys(const cache_block& keys, std::size_t begin, std::size_t depth, float* panel) {
  for (std::size_t t = 0; t < keys.count; t += lanes) {
    const auto key = [&](std::size_t j) { return keys.data + std::min(t + j, keys.count - 1) * keys.stride; };
    std::size_t i = 0;
    for (; i + lanes <= depth; i += lanes) {
      f32s square[lanes];
      INLAY_UNROLL
      for (std::size_t j = 0; j < lanes; ++j) square[j] = load<Type>(key(j), begin + i);
      transpose(square);
      INLAY_UNROLL
      for (std::size_t j = 0; j < lanes; ++j) store(square[j], panel + (i + j) * key_block + t);
    }
    if (i < depth)
      for (std::size_t j = 0; j < lanes; ++j) {
        alignas(64) float rest[lanes];
        store(load_tail<Type>(key(j), begin + i, depth - i), rest);
        for (std::size_t k = 0; k < depth - i; ++k) panel[(i + k) * key_block + t + j] = rest[k];
      }
  }
}

/// Columns [begin, begin + columns) of a block of values as floats, filled up to a multiple of `lanes` with zeros.
template <dtype Type>
void widen_values(const cache_block& values, std::size_t begin, std::size_t columns, float* panel) {
  for (std::size_t t = 0; t < values.count; ++t) {
    const std::byte* value = values.data + t * values.stride;
    std::size_t i = 0;
    for (; i + lanes <= columns; i += lanes) store(load<Type>(value, begin + i), panel + t * key_block + i);
    if (i < columns) store(load_tail<Type>(value, begin + i, columns - i), panel + t * key_block + i);
  }
}

/// Scores of one block to weights, relative to the highest score so far.
inline void weigh(const attention_shape& shape, std::size_t position, std::size_t count, attention_tile& tile) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const float factor = shape.soft_cap != 0.0f ? 1.0f : shape.scale;
  alignas(64) float tops[attention_tile::most] = {};
  for (std::size_t m = 0; m < tile.count; ++m) {
    float* scores = tile.scores + m * key_block;
    if (shape.soft_cap != 0.0f) {
      const f32s inner = splat(shape.scale / shape.soft_cap);
      for (std::size_t j = 0; j < key_block; j += lanes)
        store(hn::Mul(splat(shape.soft_cap), tanh(hn::Mul(load(scores + j), inner))), scores + j);
    }
    const std::size_t from = tile.from[m] > position ? std::min(tile.from[m] - position, count) : 0;
    const std::size_t to = tile.to[m] > position ? std::min(tile.to[m] - position, count) : 0;
    std::fill(scores, scores + from, -infinity);
    std::fill(scores + to, scores + key_block, -infinity);
    f32s top = load(scores);
    for (std::size_t j = lanes; j < key_block; j += lanes) top = hn::Max(top, load(scores + j));
    tops[m] = highest(top) * factor;
  }
  for (std::size_t m = 0; m < tile.count; m += lanes) {
    const f32s before = load(tile.highest + m);
    const f32s now = hn::Max(before, load(tops + m));
    const f32s keep = exp_bounded(hn::Sub(before, now));
    store(now, tile.highest + m);
    store(keep, tile.keep + m);
    store(hn::Mul(load(tile.total + m), keep), tile.total + m);
  }
  for (std::size_t m = 0; m < tile.count; ++m) {
    float* scores = tile.scores + m * key_block;
    const f32s now = splat(tile.highest[m]);
    f32s total = zero();
    for (std::size_t j = 0; j < key_block; j += lanes) {
      const f32s weight = exp_bounded(hn::MulSub(load(scores + j), splat(factor), now));
      total = hn::Add(total, weight);
      store(weight, scores + j);
    }
    tile.total[m] += sum(total);
  }
}

template <dtype Type>
void score(bool transposed, std::size_t dim, const cache_block& keys, attention_tile& tile) {
  if constexpr (direct_cache)
    if (!transposed) {
      std::size_t m = 0;
      for (; m + 4 <= tile.count; m += 4) dot_keys<Type, 4>(tile.queries + m, dim, keys, tile.scores + m * key_block);
      if (m < tile.count) dot_keys<Type, 2>(tile.queries + m, dim, keys, tile.scores + m * key_block);
      return;
    }
  const std::size_t padded = (keys.count + lanes - 1) / lanes * lanes;
  std::fill_n(tile.keep, tile.count, 1.0f);
  for (std::size_t i = 0; i < dim; i += key_block) {
    const std::size_t depth = std::min(key_block, dim - i);
    transpose_keys<Type>(keys, i, depth, tile.panel);
    accumulate<dtype::f32>(tile.count, tile.queries, i, depth, reinterpret_cast<const std::byte*>(tile.panel),
                           key_block * sizeof(float), padded, tile.scores, key_block, i == 0 ? nullptr : tile.keep);
  }
}

template <dtype Type>
void add_values(bool transposed, std::size_t dim, std::size_t padded_dim, const cache_block& values,
                attention_tile& tile) {
  if constexpr (direct_cache || Type == dtype::f32)
    if (!transposed || (Type == dtype::f32 && dim == padded_dim))
      return accumulate<Type>(tile.count, tile.weights, 0, values.count, values.data, values.stride, dim, tile.sums,
                              padded_dim, tile.keep);
  for (std::size_t i = 0; i < dim; i += key_block) {
    const std::size_t columns = std::min(key_block, dim - i);
    const std::size_t padded = (columns + lanes - 1) / lanes * lanes;
    widen_values<Type>(values, i, columns, tile.panel);
    accumulate<dtype::f32>(tile.count, tile.weights, 0, values.count, reinterpret_cast<const std::byte*>(tile.panel),
                           key_block * sizeof(float), padded, tile.sums + i, padded_dim, tile.keep);
  }
}

// ---- a cache of bytes and products of 16-bit integers ---------------------------------------------------------------
//
// The codes of Q8_0 are exact in 16 bits, and queries and weights lose less there than a Q8_0 cache has lost: a 65
// 000th of the greatest one. 64 columns, two blocks, are worked on at a time. A vector of products has a lane for every
// key (scores) or column (values), and two columns or two keys in a lane.

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL

inline constexpr std::size_t short_columns = 64;

using short_tag = hn::Repartition<std::int16_t, i32_tag>;

HWY_INLINE i32s splat_pair(const std::int16_t* p) {
  std::int32_t bits;
  hwy::CopyBytes<4>(p, &bits);
  return hn::Set(i32_tag(), bits);
}
HWY_INLINE i32s add_pairs(i32s a, i32s b, i32s to) {
  const short_tag d;
  return hn::SatWidenMulPairwiseAccumulate(i32_tag(), hn::BitCast(d, a), hn::BitCast(d, b), to);
}

inline constexpr std::size_t short_rows = 4;
inline constexpr std::size_t short_vectors = short_columns / lanes;

/// Pairs that are multiplied at a time: a block's columns, or a quarter of a block of keys.
inline constexpr std::size_t short_depth = 16;

/// sums[r][j] = or += the sum over k < 16 of a[r][k] * panel[k][j], for 4 rows and 64 columns of pairs; of Split rows
/// the second half of the columns is multiplied with a[r][key_block / 2 + k]. (A loop that is not unrolled has g++
/// store the sums at every turn.)
template <bool Split>
HWY_NOINLINE void multiply_pairs(const std::int16_t* a, std::size_t a_stride, const std::int32_t* panel, bool add,
                                 std::int32_t* sums) {
  const i32_tag d;
  i32s dots[short_rows * short_vectors];
  INLAY_UNROLL
  for (std::size_t i = 0; i < short_rows * short_vectors; ++i)
    dots[i] = add ? hn::LoadU(d, sums + i * lanes) : hn::Zero(d);
  INLAY_UNROLL
  for (std::size_t k = 0; k < short_depth; ++k) {
    i32s v[short_vectors];
    INLAY_UNROLL
    for (std::size_t j = 0; j < short_vectors; ++j) v[j] = hn::LoadU(d, panel + k * short_columns + j * lanes);
    INLAY_UNROLL
    for (std::size_t r = 0; r < short_rows; ++r) {
      const i32s first = splat_pair(a + r * a_stride + 2 * k);
      const i32s second = Split ? splat_pair(a + r * a_stride + key_block + 2 * k) : first;
      INLAY_UNROLL
      for (std::size_t j = 0; j < short_vectors; ++j)
        dots[r * short_vectors + j] =
            add_pairs(v[j], j < short_vectors / 2 ? first : second, dots[r * short_vectors + j]);
    }
  }
  INLAY_UNROLL
  for (std::size_t i = 0; i < short_rows * short_vectors; ++i) hn::StoreU(dots[i], d, sums + i * lanes);
}

/// Queries in units of a 32767th of their greatest magnitude, columns in the order 0 2 1 3, 4 6 5 7 ...
inline void quantize_queries(std::size_t dim, attention_tile& tile) {
  const hn::Rebind<std::int16_t, i32_tag> narrow;
  for (std::size_t m = 0; m < tile.count; ++m) {
    f32s most = zero();
    for (std::size_t i = 0; i < dim; i += lanes) most = hn::Max(most, hn::Abs(load(tile.queries[m] + i)));
    const float top = std::max(highest(most), 1e-30f);
    tile.units[m] = top * (1.0f / 32767.0f);
    const f32s inverse = splat(32767.0f / top);
    for (std::size_t i = 0; i < dim; i += lanes) {
      const i32s q = hn::NearestInt(hn::Mul(load(tile.queries[m] + i), inverse));
      hn::StoreU(hn::DemoteTo(narrow, hn::Per4LaneBlockShuffle<3, 1, 2, 0>(q)), narrow, tile.codes + m * dim + i);
    }
  }
}

/// The scales of two blocks of all positions, from byte `at` of their rows on; zeros behind the last one.
inline void load_scales(const cache_block& block, std::size_t at, float (&scales)[2][key_block]) {
  constexpr std::size_t q8_0_bytes = geometry(dtype::q8_0).bytes;
  const hn::Rebind<hwy::float16_t, f32_tag> half_tag;
  alignas(64) std::uint16_t halves[2][key_block] = {};
  for (std::size_t t = 0; t < block.count; ++t)
    for (std::size_t b = 0; b < 2; ++b)
      hwy::CopyBytes<2>(block.data + t * block.stride + at + b * q8_0_bytes, &halves[b][t]);
  for (std::size_t b = 0; b < 2; ++b)
    for (std::size_t t = 0; t < key_block; t += lanes)
      store(hn::PromoteTo(f32_tag(), hn::LoadU(half_tag, reinterpret_cast<const hwy::float16_t*>(halves[b] + t))),
            scales[b] + t);
}

inline void score_short(bool, std::size_t dim, const cache_block& keys, attention_tile& tile) {
  constexpr std::size_t q8_0_bytes = geometry(dtype::q8_0).bytes;
  const hn::Half<hn::Repartition<std::uint8_t, f32_tag>> half_tag;
  auto* panel = reinterpret_cast<std::int32_t*>(tile.panel);  // [pair of columns][key]
  const i32_tag d;
  const short_tag ds;
  for (std::size_t i = 0; i < dim; i += short_columns) {
    const std::size_t at = i / 32 * q8_0_bytes;
    alignas(64) float scales[2][key_block];
    load_scales(keys, at, scales);
    for (std::size_t t = 0; t < keys.count; t += lanes) {
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
      INLAY_UNROLL
      for (std::size_t j = 0; j < lanes; ++j) {
        const auto bytes = hn::BitCast(ds, words[j]);
        hn::StoreU(hn::BitCast(d, hn::ShiftRight<8>(hn::ShiftLeft<8>(bytes))), d, panel + 2 * j * key_block + t);
        hn::StoreU(hn::BitCast(d, hn::ShiftRight<8>(bytes)), d, panel + (2 * j + 1) * key_block + t);
      }
    }
    for (std::size_t m = 0; m < tile.count; m += short_rows)
      for (std::size_t b = 0; b < 2; ++b) {
        alignas(64) std::int32_t dots[short_rows * key_block];
        multiply_pairs<false>(tile.codes + m * dim + i + 32 * b, dim, panel + b * short_depth * key_block, false, dots);
        for (std::size_t r = 0; r < short_rows; ++r) {
          const f32s unit = splat(tile.units[m + r]);
          INLAY_UNROLL
          for (std::size_t v = 0; v < key_block; v += lanes) {
            float* to = tile.scores + (m + r) * key_block + v;
            const f32s dot =
                hn::Mul(hn::ConvertTo(f32_tag(), hn::LoadU(d, dots + r * key_block + v)), load(scales[b] + v));
            store(multiply_add(dot, unit, i + b == 0 ? zero() : load(to)), to);
          }
        }
      }
  }
}

inline void add_values_short(bool, std::size_t dim, std::size_t, const cache_block& values, attention_tile& tile) {
  constexpr std::size_t q8_0_bytes = geometry(dtype::q8_0).bytes;
  const hn::Rebind<std::int16_t, i32_tag> narrow;
  const hn::Rebind<std::int8_t, short_tag> byte_tag;
  auto* panel = reinterpret_cast<std::int32_t*>(tile.panel);  // [pair of keys][column]
  const i32_tag d;
  const short_tag ds;
  const std::size_t pair_count = (values.count + 1) / 2;
  for (std::size_t i = 0; i < dim; i += short_columns) {
    const std::size_t at = i / 32 * q8_0_bytes;
    alignas(64) float scales[2][key_block];
    load_scales(values, at, scales);
    for (std::size_t p = 0; p < pair_count; ++p) {
      const std::byte* first = values.data + 2 * p * values.stride + at + 2;
      const std::byte* second = first + (2 * p + 1 < values.count ? values.stride : 0);
      INLAY_UNROLL
      for (std::size_t b = 0; b < 2; ++b) {
        const auto a =
            hn::PromoteTo(ds, hn::LoadU(byte_tag, reinterpret_cast<const std::int8_t*>(first + b * q8_0_bytes)));
        const auto c =
            hn::PromoteTo(ds, hn::LoadU(byte_tag, reinterpret_cast<const std::int8_t*>(second + b * q8_0_bytes)));
        std::int32_t* to = panel + p * short_columns + b * 32;
        hn::StoreU(hn::BitCast(d, hn::InterleaveWholeLower(ds, a, c)), d, to);
        hn::StoreU(hn::BitCast(d, hn::InterleaveWholeUpper(ds, a, c)), d, to + lanes);
      }
    }
    for (std::size_t p = pair_count; p % short_depth != 0; ++p)
      std::fill_n(panel + p * short_columns, short_columns, 0);
    for (std::size_t m = 0; m < tile.count; m += short_rows) {
      alignas(64) std::int16_t weights[short_rows][2][key_block];
      float units[short_rows][2];
      INLAY_UNROLL
      for (std::size_t r = 0; r < short_rows; ++r) {
        INLAY_UNROLL
        for (std::size_t b = 0; b < 2; ++b) {
          f32s w[key_block / lanes];
          f32s most = splat(1e-30f);
          INLAY_UNROLL
          for (std::size_t v = 0; v < key_block / lanes; ++v) {
            w[v] = hn::Mul(load(tile.weights[m + r] + v * lanes), load(scales[b] + v * lanes));
            most = hn::Max(most, w[v]);
          }
          const float top = highest(most);
          units[r][b] = top * (1.0f / 32767.0f);
          const f32s inverse = splat(32767.0f / top);
          INLAY_UNROLL
          for (std::size_t v = 0; v < key_block / lanes; ++v)
            hn::StoreU(hn::DemoteTo(narrow, hn::NearestInt(hn::Mul(w[v], inverse))), narrow, weights[r][b] + v * lanes);
        }
      }
      alignas(64) std::int32_t dots[short_rows * short_columns];
      for (std::size_t p = 0; p < pair_count; p += short_depth)
        multiply_pairs<true>(weights[0][0] + 2 * p, 2 * key_block, panel + p * short_columns, p != 0, dots);
      for (std::size_t r = 0; r < short_rows; ++r) {
        const f32s keep = splat(tile.keep[m + r]);
        INLAY_UNROLL
        for (std::size_t v = 0; v < short_columns; v += lanes) {
          float* to = tile.sums + (m + r) * dim + i + v;
          const f32s dot = hn::ConvertTo(f32_tag(), hn::LoadU(d, dots + r * short_columns + v));
          store(multiply_add(dot, splat(units[r][v / 32]), hn::Mul(load(to), keep)), to);
        }
      }
    }
  }
}

#endif

/// What depends on the cache's storage type.
struct cache_kernels {
  void (*score)(bool, std::size_t, const cache_block&, attention_tile&);
  void (*add_values)(bool, std::size_t, std::size_t, const cache_block&, attention_tile&);
};
template <dtype Type>
inline constexpr cache_kernels kernels_of = {&score<Type>, &add_values<Type>};

inline const cache_kernels& kernels_for(dtype cache) {
  if (cache == dtype::f16) return kernels_of<dtype::f16>;
  if (cache == dtype::bf16) return kernels_of<dtype::bf16>;
  if (cache == dtype::q8_0) return kernels_of<dtype::q8_0>;
  INLAY_ASSERT(cache == dtype::f32);
  return kernels_of<dtype::f32>;
}

inline void attention(const attention_shape& shape, const attention_rows& rows, std::size_t kv_head, std::size_t begin,
                      std::size_t end) {
  cache_kernels of_cache = kernels_for(shape.cache);
  const std::size_t group = shape.heads / shape.kv_heads;
  const std::size_t dim = shape.head_dim;
  const std::size_t padded_dim = (dim + lanes - 1) / lanes * lanes;
  const std::size_t stride = row_bytes(shape.cache, dim);
  const std::size_t most = std::min(attention_tile::most, attention_tile::most_sums / padded_dim / 4 * 4);
  const bool transposed = !direct_cache || rows.count * group >= transpose_threshold || dim != padded_dim;
  INLAY_ASSERT(most != 0 && shape.scale > 0.0f);
  bool shorts = false;
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
  shorts = transposed && shape.cache == dtype::q8_0 && dim % short_columns == 0;
  if (shorts) of_cache = {&score_short, &add_values_short};
#endif

  attention_tile tile;
  for (std::size_t v = begin * group; v < end * group; v += most) {
    const std::size_t real = std::min(most, end * group - v);
    tile.count = shorts ? (real + 3) / 4 * 4 : (real + 1) / 2 * 2;
    std::size_t oldest = static_cast<std::size_t>(-1);
    std::size_t limit = 0;
    for (std::size_t m = 0; m < tile.count; ++m) {
      tile.weights[m] = tile.scores + m * key_block;
      if (m >= real) {  // fills up; sees nothing
        tile.queries[m] = tile.queries[0];
        tile.from[m] = tile.to[m] = 0;
        continue;
      }
      const std::size_t i = (v + m) / group;
      const std::size_t position = rows.first_position + i;
      tile.queries[m] = rows.queries + i * rows.query_stride + (kv_head * group + (v + m) % group) * dim;
      tile.from[m] = shape.window != 0 && position + 1 > shape.window ? position + 1 - shape.window : 0;
      tile.to[m] = shape.causal ? position + 1 : static_cast<std::size_t>(-1);
      oldest = std::min(oldest, tile.from[m]);
      limit = std::max(limit, tile.to[m]);
    }
    // Not -infinity: a vector that has seen nothing yet keeps weights e^(-infinity - lowest) = 0.
    std::fill_n(tile.highest, attention_tile::most, std::numeric_limits<float>::lowest());
    std::fill_n(tile.total, attention_tile::most, 0.0f);
    std::fill_n(tile.scores, tile.count * key_block, 0.0f);
    std::fill_n(tile.sums, tile.count * padded_dim, 0.0f);

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
    if (shorts) quantize_queries(dim, tile);
#endif

    for (const kv_span& span : rows.cache) {
      const std::size_t span_end = std::min(span.first_position + span.count, limit);
      std::size_t next = 0;
      for (std::size_t p = std::max(span.first_position, oldest); p < span_end; p = next) {
        const std::size_t block = p - p % key_block;
        const std::size_t first = std::max(block, span.first_position);
        next = std::min(block + key_block, span_end);
        const std::size_t offset = kv_head * span.head_stride + (first - span.first_position) * stride;
        of_cache.score(transposed, dim, {span.keys + offset, stride, next - first}, tile);
        weigh(shape, first, next - first, tile);
        of_cache.add_values(transposed, dim, padded_dim, {span.values + offset, stride, next - first}, tile);
      }
    }

    for (std::size_t m = 0; m < real; ++m) {
      const std::size_t i = (v + m) / group;
      float* out = rows.out + i * rows.out_stride + (kv_head * group + (v + m) % group) * dim;
      const f32s scale = splat(1.0f / tile.total[m]);
      std::size_t j = 0;
      for (; j + lanes <= dim; j += lanes) store(hn::Mul(load(tile.sums + m * padded_dim + j), scale), out + j);
      if (j < dim) store_tail(hn::Mul(load(tile.sums + m * padded_dim + j), scale), out + j, dim - j);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
