// SPDX-License-Identifier: Apache-2.0
// Attention in one pass over the cache, blockwise with a running maximum (Milakov & Gimelshein 2018; Dao et al. 2022).
//
// Few vectors (decode) take dot products with the keys as they lie in the cache; many (prefill) first transpose the
// block, and then both products, scores = Q K^T and sums = P V, are the same register-tiled kernel `accumulate`.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

/// Query vectors in a batch from which on transposing the keys pays.
inline constexpr std::size_t transpose_threshold = 8;
/// Whether fewer are computed on the cache as it lies, or all in the one way.
inline constexpr bool direct_cache = !INLAY_SMALL_KERNELS;
/// 32 vector registers, not 16.
inline constexpr bool many_registers = HWY_MAX_BYTES >= 64 || HWY_TARGET_IS_NEON || HWY_TARGET_IS_PPC || HWY_ARCH_S390X;

// ---- scores of few vectors: dot products ----------------------------------------------------------------------------

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
    if (keys.ahead != 0) prefetch(key[0] + keys.ahead, step * keys.stride);
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
/// columns; with keep null, c starts from zero. With each row of b, what lies `ahead` bytes behind it is asked for.
/// depth > 0: loops that run once at least keep g++'s sums in registers.
template <dtype Type, std::size_t Rows, std::size_t Vectors>
HWY_INLINE void accumulate_tile(const float* const* a, std::size_t a_offset, std::size_t depth, const std::byte* b,
                                std::size_t b_stride, std::size_t column, float* c, std::size_t c_stride,
                                const float* keep, std::size_t ahead) {
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
  std::size_t asked = ahead == 0 ? static_cast<std::size_t>(-1) : 0;
  std::size_t k = 0;
  do {
    for (; asked < k * b_stride; asked += 64) hwy::Prefetch(b + ahead + asked);
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
                     std::size_t b_stride, std::size_t columns, float* c, std::size_t c_stride, const float* keep,
                     std::size_t ahead) {
  std::size_t j = 0;
  for (; j + tile_vectors * lanes <= columns; j += tile_vectors * lanes)
    accumulate_tile<Type, Rows, tile_vectors>(a, a_offset, depth, b, b_stride, j, c, c_stride, keep,
                                              j == 0 ? ahead : 0);
  for (; j < columns; j += lanes)
    accumulate_tile<Type, Rows, 1>(a, a_offset, depth, b, b_stride, j, c, c_stride, keep, 0);
}

/// The same for an even number of rows; columns is a multiple of `lanes`.
template <dtype Type>
void accumulate(std::size_t rows, const float* const* a, std::size_t a_offset, std::size_t depth, const std::byte* b,
                std::size_t b_stride, std::size_t columns, float* c, std::size_t c_stride, const float* keep,
                std::size_t ahead = 0) {
  const auto factors = [keep](std::size_t m) { return keep != nullptr ? keep + m : nullptr; };
  std::size_t m = 0;
  for (; m + 4 <= rows; m += 4)
    accumulate_rows<Type, 4>(a + m, a_offset, depth, b, b_stride, columns, c + m * c_stride, c_stride, factors(m),
                             ahead);
  if (m < rows)
    accumulate_rows<Type, 2>(a + m, a_offset, depth, b, b_stride, columns, c + m * c_stride, c_stride, factors(m),
                             ahead);
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
                              padded_dim, tile.keep, values.ahead);
  for (std::size_t i = 0; i < dim; i += key_block) {
    const std::size_t columns = std::min(key_block, dim - i);
    const std::size_t padded = (columns + lanes - 1) / lanes * lanes;
    widen_values<Type>(values, i, columns, tile.panel);
    accumulate<dtype::f32>(tile.count, tile.weights, 0, values.count, reinterpret_cast<const std::byte*>(tile.panel),
                           key_block * sizeof(float), padded, tile.sums + i, padded_dim, tile.keep);
  }
}

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
  const std::size_t group = shape.heads / shape.kv_heads;
  const std::size_t dim = shape.head_dim;
  const std::size_t padded_dim = (dim + lanes - 1) / lanes * lanes;
  const std::size_t stride = row_bytes(shape.cache, dim);
  const std::size_t most = std::min(attention_tile::most, attention_tile::most_sums / padded_dim / 4 * 4);
  const bool transposed = !direct_cache || rows.count * group >= transpose_threshold || dim != padded_dim;
  INLAY_ASSERT(most != 0 && shape.scale > 0.0f);
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
  if (attends_in_integers(shape))
    return transposed ? attend_in_integers<false>(shape, rows, kv_head, begin, end)
                      : attend_in_integers<true>(shape, rows, kv_head, begin, end);
#endif

  const cache_kernels& of_cache = kernels_for(shape.cache);
  attention_tile tile;
  for (std::size_t v = begin * group; v < end * group; v += most) {
    const std::size_t real = std::min(most, end * group - v);
    tile.count = (real + 1) / 2 * 2;
    const visible_range visible = place_vectors(shape, rows, kv_head, v, real, tile);
    for (std::size_t m = 0; m < tile.count; ++m) tile.weights[m] = tile.scores + m * key_block;
    // Not -infinity: a vector that has seen nothing yet keeps weights e^(-infinity - lowest) = 0.
    std::fill_n(tile.highest, attention_tile::most, std::numeric_limits<float>::lowest());
    std::fill_n(tile.total, attention_tile::most, 0.0f);
    std::fill_n(tile.scores, tile.count * key_block, 0.0f);
    std::fill_n(tile.sums, tile.count * padded_dim, 0.0f);
    for_each_block<false>(rows.cache, visible, [&](const kv_span& span, std::size_t first, std::size_t count) {
      const std::size_t offset = kv_head * span.head_stride + (first - span.first_position) * stride;
      const bool more = first + 2 * count <= span.first_position + span.count;
      const std::size_t ahead = more && !transposed ? std::min(count * stride, pace_of_reads().most_ahead) : 0;
      of_cache.score(transposed, dim, {span.keys + offset, stride, count, ahead}, tile);
      weigh(shape, first, count, tile);
      of_cache.add_values(transposed, dim, padded_dim, {span.values + offset, stride, count, ahead}, tile);
    });
    store_vectors(
        shape, rows, kv_head, v, real, tile,
        [&](std::size_t m, std::size_t j) { return tile.sums + m * padded_dim + j; },
        [&](std::size_t m) { return tile.highest[m]; });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
