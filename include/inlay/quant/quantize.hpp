// SPDX-License-Identifier: Apache-2.0
// Storing numbers: float32 rows to the storage types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "inlay/config/macros.hpp"
#include "inlay/core/dtype.hpp"
#include "inlay/quant/float16.hpp"

namespace inlay {

/// `columns` numbers to a row of the type; the inverse of dequantize_row up to rounding.
inline void quantize_row(dtype type, const float* x, std::size_t columns, std::byte* out) {
  INLAY_ASSERT(is_float(type));
  if (type == dtype::f32) {
    std::memcpy(out, x, columns * sizeof(float));
    return;
  }
  for (std::size_t i = 0; i < columns; ++i) {
    const std::uint16_t bits = type == dtype::f16 ? f32_to_f16(x[i]) : f32_to_bf16(x[i]);
    std::memcpy(out + i * sizeof bits, &bits, sizeof bits);
  }
}

}  // namespace inlay
