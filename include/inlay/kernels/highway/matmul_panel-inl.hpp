// SPDX-License-Identifier: Apache-2.0
// Products with float weights that are packed into panels: small matrices, which stay in the caches. A panel has the
// numbers of `panel_rows` rows side by side, column after column. So a product of one row reads them as one stream,
// which the L2 cache gives faster than several, and no sums are taken across lanes.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

inline constexpr std::size_t most_float_panel_bytes = 512 << 10;  ///< of a matrix: the rest is read in the file

/// Of one panel; 0 if such a matrix is not packed.
inline std::size_t float_panel_bytes(dtype type, std::size_t rows, std::size_t columns) {
  const std::size_t row = row_bytes(type, columns);
  return rows < panel_rows || rows * row > most_float_panel_bytes ? 0 : (panel_rows * row + 63) / 64 * 64;
}

namespace detail {

inline constexpr std::size_t float_panel_tile = HWY_MAX_BYTES >= 64 ? 8 : 4;  ///< activation rows

template <std::size_t Bytes>
void pack_floats(const std::byte* const* rows, std::size_t count, std::size_t columns, std::byte* out) {
  for (std::size_t r = 0; r < panel_rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) {
      std::byte* to = out + (c * panel_rows + r) * Bytes;
      if (r < count)
        hwy::CopyBytes<Bytes>(rows[r] + c * Bytes, to);
      else
        hwy::ZeroBytes<Bytes>(to);
    }
}

/// out[m * stride + r] = or += w[r] . x[m] for a panel's first `weights` rows.
template <dtype Type, std::size_t Rows>
HWY_INLINE void multiply_float_panel(const std::byte* w, std::size_t weights, const float* x, std::size_t x_stride,
                                     std::size_t n, float* out, std::size_t stride, bool add) {
  constexpr std::size_t parts = panel_rows / lanes;
  constexpr std::size_t chains = std::max<std::size_t>(8 / (parts * Rows), 1);  // hide the latency of additions
  f32s v[chains][Rows][parts];
  INLAY_UNROLL
  for (std::size_t c = 0; c < chains; ++c) INLAY_UNROLL
  for (std::size_t m = 0; m < Rows; ++m) INLAY_UNROLL
  for (std::size_t p = 0; p < parts; ++p) v[c][m][p] = zero();
  const auto add_column = [&](std::size_t column, f32s(&sums)[Rows][parts]) HWY_ATTR {
    f32s weight[parts];
    INLAY_UNROLL
    for (std::size_t p = 0; p < parts; ++p) weight[p] = load<Type>(w, column * panel_rows + p * lanes);
    INLAY_UNROLL
    for (std::size_t m = 0; m < Rows; ++m) {
      const f32s value = splat(x[m * x_stride + column]);
      INLAY_UNROLL
      for (std::size_t p = 0; p < parts; ++p) sums[m][p] = multiply_add(weight[p], value, sums[m][p]);
    }
  };
  std::size_t i = 0;
  for (; i + chains <= n; i += chains) INLAY_UNROLL
  for (std::size_t c = 0; c < chains; ++c) add_column(i + c, v[c]);
  for (; i < n; ++i) add_column(i, v[0]);
  INLAY_UNROLL
  for (std::size_t half = chains / 2; half != 0; half /= 2) INLAY_UNROLL
  for (std::size_t c = 0; c < half; ++c) INLAY_UNROLL
  for (std::size_t m = 0; m < Rows; ++m) INLAY_UNROLL
  for (std::size_t p = 0; p < parts; ++p) v[c][m][p] = hn::Add(v[c][m][p], v[c + half][m][p]);
  INLAY_UNROLL
  for (std::size_t m = 0; m < Rows; ++m) INLAY_UNROLL
  for (std::size_t p = 0; p < parts; ++p) {
    const std::size_t at = p * lanes;
    float* const to = out + m * stride + at;
    if (at + lanes <= weights)
      store(add ? hn::Add(v[0][m][p], load(to)) : v[0][m][p], to);
    else if (at < weights)
      store_tail(add ? hn::Add(v[0][m][p], load_tail(to, weights - at)) : v[0][m][p], to, weights - at);
  }
}

/// The same for count < 2 * Rows rows of x.
template <dtype Type, std::size_t Rows>
HWY_INLINE void multiply_float_panel_rest(const std::byte* w, std::size_t weights, const float* x, std::size_t x_stride,
                                          std::size_t count, std::size_t n, float* out, std::size_t stride, bool add) {
  if (count >= Rows) {
    multiply_float_panel<Type, Rows>(w, weights, x, x_stride, n, out, stride, add);
    x += Rows * x_stride;
    out += Rows * stride;
    count -= Rows;
  }
  if constexpr (Rows > 1)
    multiply_float_panel_rest<Type, Rows / 2>(w, weights, x, x_stride, count, n, out, stride, add);
}

/// sum + vector K of the panel's numbers from `column` on, times x of the columns they are in.
template <dtype Type, std::size_t K>
HWY_INLINE f32s add_vector(const std::byte* w, const float* x, std::size_t column, f32s sum) {
  return multiply_add(load<Type>(w, column * panel_rows + K * lanes), splat(x[column + K * lanes / panel_rows]), sum);
}

/// out[r] = or += w[r] . x for the rows r < weights of consecutive panels. The sums are no array, which g++ would write
/// to memory behind the loop.
template <dtype Type>
HWY_NOINLINE void multiply_float_panels_row(const std::byte* w, std::size_t weights, const float* x, std::size_t n,
                                            float* out, bool add) {
  constexpr std::size_t parts = panel_rows / lanes;
  static_assert(parts == 1 || parts == 2 || parts == 4);
  constexpr std::size_t columns = 8 / parts;  // eight sums hide the latency of additions
  const std::size_t bytes = float_panel_bytes(Type, panel_rows, n);
  for (std::size_t r = 0; r < weights; r += panel_rows, w += bytes) {
    f32s v0 = zero(), v1 = zero(), v2 = zero(), v3 = zero(), v4 = zero(), v5 = zero(), v6 = zero(), v7 = zero();
    std::size_t i = 0;
    for (; i + columns <= n; i += columns) {
      v0 = add_vector<Type, 0>(w, x, i, v0);
      v1 = add_vector<Type, 1>(w, x, i, v1);
      v2 = add_vector<Type, 2>(w, x, i, v2);
      v3 = add_vector<Type, 3>(w, x, i, v3);
      v4 = add_vector<Type, 4>(w, x, i, v4);
      v5 = add_vector<Type, 5>(w, x, i, v5);
      v6 = add_vector<Type, 6>(w, x, i, v6);
      v7 = add_vector<Type, 7>(w, x, i, v7);
    }
    v0 = hn::Add(v0, v4);
    v1 = hn::Add(v1, v5);
    v2 = hn::Add(v2, v6);
    v3 = hn::Add(v3, v7);
    if constexpr (parts < 4) {
      v0 = hn::Add(v0, v2);
      v1 = hn::Add(v1, v3);
    }
    if constexpr (parts < 2) v0 = hn::Add(v0, v1);
    f32s sums[4] = {v0, v1, v2, v3};
    for (; i < n; ++i) INLAY_UNROLL
    for (std::size_t p = 0; p < parts; ++p)
      sums[p] = multiply_add(load<Type>(w, i * panel_rows + p * lanes), splat(x[i]), sums[p]);
    INLAY_UNROLL
    for (std::size_t p = 0; p < parts; ++p) {
      const std::size_t at = r + p * lanes;
      if (at + lanes <= weights)
        store(add ? hn::Add(sums[p], load(out + at)) : sums[p], out + at);
      else if (at < weights)
        store_tail(add ? hn::Add(sums[p], load_tail(out + at, weights - at)) : sums[p], out + at, weights - at);
    }
  }
}

template <dtype Type>
void multiply_float_panels(const matrix_ref& w, const activations& x, float* out, std::size_t stride, std::size_t begin,
                           std::size_t end, bool add) {
  constexpr std::size_t tile = float_panel_tile;
  const std::size_t bytes = float_panel_bytes(Type, panel_rows, w.columns);
  const std::byte* panel = w.data + begin / panel_rows * bytes;
  if (x.count == 1) return multiply_float_panels_row<Type>(panel, end - begin, x.values, w.columns, out + begin, add);
  for (std::size_t r = begin; r < end; r += panel_rows, panel += bytes) {
    const std::size_t weights = std::min(panel_rows, end - r);
    std::size_t i = 0;
    for (; i + tile <= x.count; i += tile)
      multiply_float_panel<Type, tile>(panel, weights, x.values + i * x.stride, x.stride, w.columns,
                                       out + i * stride + r, stride, add);
    multiply_float_panel_rest<Type, tile / 2>(panel, weights, x.values + i * x.stride, x.stride, x.count - i, w.columns,
                                              out + i * stride + r, stride, add);
  }
}

}  // namespace detail

inline void pack_float_panel(dtype type, const std::byte* const* rows, std::size_t count, std::size_t columns,
                             std::byte* out) {
  return geometry(type).bytes == 4 ? detail::pack_floats<4>(rows, count, columns, out)
                                   : detail::pack_floats<2>(rows, count, columns, out);
}

/// matmul for layout::panels of float types.
inline void multiply_float_panels(const matrix_ref& w, const activations& x, float* out, std::size_t stride,
                                  std::size_t begin, std::size_t end, bool add) {
  switch (w.type) {
    case dtype::f32:
      return detail::multiply_float_panels<dtype::f32>(w, x, out, stride, begin, end, add);
    case dtype::f16:
      return detail::multiply_float_panels<dtype::f16>(w, x, out, stride, begin, end, add);
    case dtype::bf16:
      return detail::multiply_float_panels<dtype::bf16>(w, x, out, stride, begin, end, add);
    default:
      INLAY_ASSERT(!is_float(w.type));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
