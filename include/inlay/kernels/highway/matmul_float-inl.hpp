// SPDX-License-Identifier: Apache-2.0
// Products with weights as they are in the checkpoint, row after row: f32, f16 and bf16 in place, which costs no memory
// and no time to load; block formats decoded a few rows at a time. Sums in f32.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

namespace detail {

inline constexpr std::size_t float_tile_weights = HWY_MAX_BYTES == 32 ? 2 : 4;  // AVX2 has but 16 registers
inline constexpr std::size_t float_tile_rows = 4;
inline constexpr std::size_t float_block = 1024;  ///< columns: of a tile, they fit the L1 cache

/// sums[m * Weights + r] = w[r] . x[m], over n columns. `Ahead`: weights come from memory.
template <dtype Type, bool Ahead, std::size_t Weights, std::size_t Rows>
HWY_INLINE void dot_tile(const std::byte* const (&w)[Weights], const float* const (&x)[Rows], std::size_t n,
                         float* sums) {
  constexpr std::size_t chains = Weights * Rows < 8 ? 2 : 1;  // enough to hide the latency of additions
  constexpr std::size_t count = Weights * Rows;
  f32s v[chains][count];
  INLAY_UNROLL
  for (std::size_t c = 0; c < chains; ++c) INLAY_UNROLL
  for (std::size_t i = 0; i < count; ++i) v[c][i] = zero();
  std::size_t i = 0;
  for (; i + chains * lanes <= n; i += chains * lanes) {
    INLAY_UNROLL
    for (std::size_t c = 0; c < chains; ++c) {
      f32s weights[Weights];
      INLAY_UNROLL
      for (std::size_t r = 0; r < Weights; ++r) {
        if constexpr (Ahead)
          if (row_bytes(Type, i) % 64 == 0) hwy::Prefetch(w[r] + row_bytes(Type, i) + prefetch_distance);
        weights[r] = load<Type>(w[r], i + c * lanes);
      }
      INLAY_UNROLL
      for (std::size_t m = 0; m < Rows; ++m) {
        const f32s value = load(x[m] + i + c * lanes);
        INLAY_UNROLL
        for (std::size_t r = 0; r < Weights; ++r)
          v[c][m * Weights + r] = multiply_add(weights[r], value, v[c][m * Weights + r]);
      }
    }
  }
  for (; i < n; i += lanes) {
    const std::size_t rest = std::min(lanes, n - i);
    INLAY_UNROLL
    for (std::size_t r = 0; r < Weights; ++r) {
      const f32s weights = rest == lanes ? load<Type>(w[r], i) : load_tail<Type>(w[r], i, rest);
      INLAY_UNROLL
      for (std::size_t m = 0; m < Rows; ++m)
        v[0][m * Weights + r] =
            multiply_add(weights, rest == lanes ? load(x[m] + i) : load_tail(x[m] + i, rest), v[0][m * Weights + r]);
    }
  }
  INLAY_UNROLL
  for (std::size_t c = 1; c < chains; ++c) INLAY_UNROLL
  for (std::size_t j = 0; j < count; ++j) v[0][j] = hn::Add(v[0][j], v[c][j]);
  if constexpr (count % lanes == 0) {
    INLAY_UNROLL
    for (std::size_t j = 0; j < count; j += lanes) {
      f32s part[lanes];
      INLAY_UNROLL
      for (std::size_t k = 0; k < lanes; ++k) part[k] = v[0][j + k];
      store(reduce_each<false>(part), sums + j);
    }
  } else {
    INLAY_UNROLL
    for (std::size_t j = 0; j < count; ++j) sums[j] = sum(v[0][j]);
  }
}

/// out[m * stride + r] = or += sums[m * Weights + r].
template <std::size_t Weights>
HWY_INLINE void store_tile(const float* sums, std::size_t weights, std::size_t rows, float* out, std::size_t stride,
                           bool add) {
  for (std::size_t m = 0; m < rows; ++m)
    for (std::size_t r = 0; r < weights; ++r) {
      float& to = out[m * stride + r];
      to = (add ? to : 0.0f) + sums[m * Weights + r];
    }
}

/// One activation row, and weights that come from memory. As many streams as in multiply_row.
template <dtype Type>
void multiply_float_row(const matrix_ref& w, const float* x, float* out, std::size_t begin, std::size_t end, bool add) {
  constexpr std::size_t streams = 4;
  const std::size_t bytes = row_bytes(Type, w.columns);
  const std::size_t each = (end - begin) / streams;
  const float* const row[1] = {x};
  float sums[streams];
  const std::byte* p[streams];
  for (std::size_t i = 0; i < each; ++i) {
    INLAY_UNROLL
    for (std::size_t s = 0; s < streams; ++s) p[s] = w.data + (begin + s * each + i) * bytes;
    dot_tile<Type, true>(p, row, w.columns, sums);
    for (std::size_t s = 0; s < streams; ++s) store_tile<1>(sums + s, 1, 1, out + begin + s * each + i, 0, add);
  }
  if (const std::size_t done = begin + each * streams; done < end) {
    INLAY_UNROLL
    for (std::size_t s = 0; s < streams; ++s) p[s] = w.data + std::min(done + s, end - 1) * bytes;
    dot_tile<Type, true>(p, row, w.columns, sums);
    INLAY_UNROLL
    for (std::size_t s = 0; s < streams; ++s)
      if (done + s < end) store_tile<1>(sums + s, 1, 1, out + done + s, 0, add);
  }
}

/// The tiles of `weights` <= float_tile_weights rows of w, `w_stride` bytes apart, with all rows of x, for n columns.
template <dtype Type>
HWY_NOINLINE void multiply_float_tiles(const std::byte* w, std::size_t w_stride, std::size_t weights, const float* x,
                                       std::size_t x_stride, std::size_t count, std::size_t n, float* out,
                                       std::size_t stride, bool add) {
  constexpr std::size_t tile = float_tile_rows;
  const std::byte* w_row[float_tile_weights];
  INLAY_UNROLL
  for (std::size_t r = 0; r < float_tile_weights; ++r) w_row[r] = w + std::min(r, weights - 1) * w_stride;
  for (std::size_t i = 0; i < count; i += tile) {
    const std::size_t rows = std::min(tile, count - i);
    const float* x_row[tile];
    INLAY_UNROLL
    for (std::size_t m = 0; m < tile; ++m) x_row[m] = x + (i + std::min(m, rows - 1)) * x_stride;
    float sums[float_tile_weights * tile];
    dot_tile<Type, false>(w_row, x_row, n, sums);
    store_tile<float_tile_weights>(sums, weights, rows, out + i * stride, stride, add);
  }
}

/// Weights are taken a block of rows and columns at a time, that stays in the L2 cache, and activations a tile of rows,
/// that stays in the L1 cache.
template <dtype Type>
void multiply_float_rows(const matrix_ref& w, const activations& x, float* out, std::size_t stride, std::size_t begin,
                         std::size_t end, bool add) {
  constexpr std::size_t block_rows = 64;
  const std::size_t bytes = row_bytes(Type, w.columns);
  for (std::size_t r0 = begin; r0 < end; r0 += block_rows)
    for (std::size_t c = 0; c < w.columns; c += float_block) {
      const std::size_t n = std::min(float_block, w.columns - c);
      for (std::size_t i = 0; i < x.count; i += float_tile_rows)
        for (std::size_t r = r0; r < std::min(r0 + block_rows, end); r += float_tile_weights)
          multiply_float_tiles<Type>(w.data + r * bytes + row_bytes(Type, c), bytes,
                                     std::min(float_tile_weights, end - r), x.values + i * x.stride + c, x.stride,
                                     std::min(float_tile_rows, x.count - i), n, out + i * stride + r, stride,
                                     add || c != 0);
    }
}

/// Block formats: decoded to f32, a block of a few rows at a time.
inline void multiply_decoded_rows(const matrix_ref& w, const activations& x, float* out, std::size_t stride,
                                  std::size_t begin, std::size_t end, bool add) {
  static_assert(float_block % 256 == 0);  // a whole number of blocks of every format
  const std::size_t bytes = row_bytes(w.type, w.columns);
  alignas(64) float decoded[float_tile_weights * float_block];
  for (std::size_t r = begin; r < end; r += float_tile_weights) {
    const std::size_t weights = std::min(float_tile_weights, end - r);
    for (std::size_t c = 0; c < w.columns; c += float_block) {
      const std::size_t n = std::min(float_block, w.columns - c);
      for (std::size_t i = 0; i < weights; ++i)
        dequantize_row(w.type, w.data + (r + i) * bytes + row_bytes(w.type, c), n, decoded + i * float_block);
      multiply_float_tiles<dtype::f32>(reinterpret_cast<const std::byte*>(decoded), float_block * sizeof(float),
                                       weights, x.values + c, x.stride, x.count, n, out + r, stride, add || c != 0);
    }
  }
}

}  // namespace detail

/// matmul for layout::rows.
inline void multiply_file_rows(const matrix_ref& w, const activations& x, float* out, std::size_t stride,
                               std::size_t begin, std::size_t end, bool add) {
  visit_dtype(w.type, [&]<dtype Type>() HWY_ATTR {
    if constexpr (!is_float(Type))
      detail::multiply_decoded_rows(w, x, out, stride, begin, end, add);
    else if (x.count == 1)
      detail::multiply_float_row<Type>(w, x.values, out, begin, end, add);
    else
      detail::multiply_float_rows<Type>(w, x, out, stride, begin, end, add);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
