// SPDX-License-Identifier: Apache-2.0
// Storing the rows of a key/value cache: the few types that caches may have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "inlay/config/macros.hpp"
#include "inlay/core/dtype.hpp"
#include "inlay/quant/block.hpp"
#include "inlay/quant/float16.hpp"
#include "inlay/quant/legacy_blocks.hpp"

namespace inlay {

/// `columns` numbers to a row of a cache type; the inverse of dequantize_row up to rounding.
inline void store_cache_row(dtype type, const float* x, std::size_t columns, std::byte* out) {
  INLAY_ASSERT(is_cache_type(type) && columns % geometry(type).weights == 0);
  if (type == dtype::f32) {
    if (columns != 0) std::memcpy(out, x, columns * sizeof(float));
  } else if (is_float(type)) {
    for (std::size_t i = 0; i < columns; ++i) {
      const std::uint16_t bits = type == dtype::f16 ? f32_to_f16(x[i]) : f32_to_bf16(x[i]);
      std::memcpy(out + i * sizeof bits, &bits, sizeof bits);
    }
  } else {
    constexpr std::size_t weights = geometry(dtype::q8_0).weights;
    for (std::size_t i = 0; i < columns / weights; ++i) {
      block<dtype::q8_0> made;
      encode(x + i * weights, made);
      store_block<dtype::q8_0>(made, out, i);
    }
  }
}

}  // namespace inlay
