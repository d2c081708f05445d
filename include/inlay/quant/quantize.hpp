// SPDX-License-Identifier: Apache-2.0
// Rows of floats to any storage type: what conversion and tests stand on. Decoding is in codec.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "inlay/config/macros.hpp"
#include "inlay/core/dtype.hpp"
#include "inlay/quant/block.hpp"
#include "inlay/quant/codec.hpp"
#include "inlay/quant/iq2_encode.hpp"
#include "inlay/quant/k_encode.hpp"
#include "inlay/quant/legacy_blocks.hpp"
#include "inlay/quant/table_encode.hpp"

namespace inlay {

/// Encodes a row of `columns` finite values, a whole number of blocks, into row_bytes(Type, columns) bytes, which need
/// no alignment. `importance` is null or `columns` non-negative factors, how much each column counts (such as the mean
/// square of the activations it meets); the K formats, iq4 and iq2 use it, the others have no choice to make.
template <dtype Type>
void quantize_row(const float* in, std::size_t columns, std::byte* row, const float* importance = nullptr) {
  INLAY_ASSERT(columns % geometry(Type).weights == 0);
  if constexpr (Type == dtype::f32) {
    if (columns != 0) std::memcpy(row, in, columns * sizeof(float));
  } else if constexpr (is_float(Type)) {
    for (std::size_t i = 0; i < columns; ++i) {
      const std::uint16_t bits = Type == dtype::f16 ? f32_to_f16(in[i]) : f32_to_bf16(in[i]);
      std::memcpy(row + i * sizeof bits, &bits, sizeof bits);
    }
  } else {
    constexpr std::size_t weights = geometry(Type).weights;
    for (std::size_t i = 0; i < columns / weights; ++i) {
      block<Type> made;
      if constexpr (requires { encode(in, made, importance); }) {
        encode(in + i * weights, made, importance == nullptr ? nullptr : importance + i * weights);
      } else {
        encode(in + i * weights, made);
      }
      store_block<Type>(made, row, i);
    }
  }
}

/// quantize_row to a storage type known at run time only.
inline void quantize_row(dtype type, const float* in, std::size_t columns, std::byte* row,
                         const float* importance = nullptr) {
  visit_dtype(type, [&]<dtype Type>() { quantize_row<Type>(in, columns, row, importance); });
}

}  // namespace inlay
