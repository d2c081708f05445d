// SPDX-License-Identifier: Apache-2.0
// Matrix products in little code, for targets that are there so that something runs everywhere: nothing is packed or
// quantized, weights of all types are decoded and multiplied as floats.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

inline std::size_t panel_bytes(dtype, std::size_t, std::size_t) { return 0; }
inline void pack_panel(dtype, const std::byte* const*, std::size_t, std::size_t, std::byte*) {}
inline bool wants_quantized(dtype) { return false; }
inline std::size_t quantized_row_bytes(std::size_t) { return 0; }
inline void quantize_rows(const activations&, std::byte*) {}

inline void matmul(const matrix_ref& w, const activations& x, float* out, std::size_t stride, std::size_t begin,
                   std::size_t end, bool add) {
  INLAY_ASSERT(w.columns == x.columns && w.layout == layout::rows && end <= w.rows);
  constexpr std::size_t chunk = 1024;  // a whole number of blocks of every type
  const std::size_t bytes_per_row = row_bytes(w.type, w.columns);
  alignas(64) float weights[chunk];
  for (std::size_t r = begin; r < end; ++r) {
    for (std::size_t i = 0; i < x.count && !add; ++i) out[i * stride + r] = 0.0f;
    for (std::size_t c = 0; c < w.columns; c += chunk) {
      const std::size_t n = std::min(chunk, w.columns - c);
      dequantize_row(w.type, w.data + r * bytes_per_row + row_bytes(w.type, c), n, weights);
      for (std::size_t i = 0; i < x.count; ++i) out[i * stride + r] += dot(weights, x.values + i * x.stride + c, n);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
