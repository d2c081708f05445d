// SPDX-License-Identifier: Apache-2.0
// Matrix products in little code: nothing is packed or quantized, weights of all types are decoded and multiplied as
// floats.
#pragma once

#include <algorithm>
#include <cstddef>

#include "inlay/config/macros.hpp"
#include "inlay/kernels/types.hpp"
#include "inlay/quant/codec.hpp"

namespace inlay::kernels::detail {

/// Base of a kernel policy K: the part of it that is matrix products, made of K::dot. `Chunk` weights are decoded at a
/// time, on the stack.
template <class K, std::size_t Chunk>
struct decoded_products {
  static_assert(Chunk % 256 == 0, "a whole number of blocks of every type");

  static constexpr std::size_t panel_bytes(dtype, std::size_t, std::size_t) { return 0; }
  static void pack_panel(dtype, const std::byte* const*, std::size_t, std::size_t, std::byte*) {}
  static constexpr bool wants_quantized(dtype) { return false; }
  static constexpr activation_form form_for(std::size_t) { return activation_form::bytes; }
  static constexpr std::size_t quantized_row_bytes(std::size_t) { return 0; }
  static void quantize_rows(const activations&, std::byte*) {}

  static void matmul(const matrix_ref& w, const activations& x, float* out, std::size_t stride, std::size_t begin,
                     std::size_t end, bool add) {
    INLAY_ASSERT(w.columns == x.columns && w.layout == layout::rows && end <= w.rows);
    const std::size_t bytes_per_row = row_bytes(w.type, w.columns);
    for (std::size_t r = begin; r < end; ++r) {
      const std::byte* row = w.data + r * bytes_per_row;
      for (std::size_t i = 0; i < x.count && !add; ++i) out[i * stride + r] = 0.0f;
      for (std::size_t c = 0; c < w.columns; c += Chunk) {
        const std::size_t n = std::min(Chunk, w.columns - c);
        alignas(64) float weights[Chunk];
        dequantize_row(w.type, row + row_bytes(w.type, c), n, weights);
        for (std::size_t i = 0; i < x.count; ++i)
          out[i * stride + r] += K::dot(weights, x.values + i * x.stride + c, n);
      }
    }
  }
};

}  // namespace inlay::kernels::detail
