// SPDX-License-Identifier: Apache-2.0
// Products with weights as they are in the checkpoint, row after row.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

template <dtype Type>
float dot_row(const std::byte* w, const float* x, std::size_t n) {
  f32s sums[4] = {zero(), zero(), zero(), zero()};
  std::size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    INLAY_UNROLL
    for (std::size_t j = 0; j < 4; ++j)
      sums[j] = multiply_add(load<Type>(w, i + j * lanes), load(x + i + j * lanes), sums[j]);
  }
  for (; i + lanes <= n; i += lanes) sums[0] = multiply_add(load<Type>(w, i), load(x + i), sums[0]);
  if (i < n) sums[1] = multiply_add(load_tail<Type>(w, i, n - i), load_tail(x + i, n - i), sums[1]);
  return sum(hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3])));
}

inline void multiply_unpacked(const matrix_ref& w, const activations& x, float* out, std::size_t stride,
                              std::size_t begin, std::size_t end, bool add) {
  constexpr std::size_t chunk = 1024;  // a whole number of blocks of every type
  const std::size_t bytes_per_row = row_bytes(w.type, w.columns);
  for (std::size_t r = begin; r < end; ++r) {
    const std::byte* row = w.data + r * bytes_per_row;
    for (std::size_t c = 0; c < w.columns; c += chunk) {
      const std::size_t n = std::min(chunk, w.columns - c);
      const std::byte* part = row + row_bytes(w.type, c);
      alignas(64) float weights[chunk];
      if (!is_float(w.type)) dequantize_row(w.type, part, n, weights);
      for (std::size_t i = 0; i < x.count; ++i) {
        const float* values = x.values + i * x.stride + c;
        float* y = out + i * stride + r;
        const float before = add || c != 0 ? *y : 0.0f;
        switch (w.type) {
          case dtype::f32:
            *y = before + dot_row<dtype::f32>(part, values, n);
            break;
          case dtype::f16:
            *y = before + dot_row<dtype::f16>(part, values, n);
            break;
          case dtype::bf16:
            *y = before + dot_row<dtype::bf16>(part, values, n);
            break;
          default:
            *y = before + dot(weights, values, n);
        }
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
