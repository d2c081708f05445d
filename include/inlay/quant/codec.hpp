// SPDX-License-Identifier: Apache-2.0
// Rows of any storage type to float, in plain C++: what loading, tests and the plain kernels stand on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "inlay/config/macros.hpp"
#include "inlay/core/dtype.hpp"
#include "inlay/quant/block.hpp"
#include "inlay/quant/iq2_blocks.hpp"
#include "inlay/quant/iq4_blocks.hpp"
#include "inlay/quant/k_blocks.hpp"
#include "inlay/quant/legacy_blocks.hpp"

namespace inlay {

/// Decodes a row of `columns` weights, a whole number of blocks. The bytes need no alignment; they and `out` do not
/// overlap.
template <dtype Type>
void dequantize_row(const std::byte* row, std::size_t columns, float* out) {
  INLAY_ASSERT(columns % geometry(Type).weights == 0);
  if constexpr (Type == dtype::f32) {
    if (columns != 0) std::memcpy(out, row, columns * sizeof(float));
  } else if constexpr (is_float(Type)) {
    for (std::size_t i = 0; i < columns; ++i) {
      std::uint16_t bits;
      std::memcpy(&bits, row + i * sizeof bits, sizeof bits);
      out[i] = Type == dtype::f16 ? f16_to_f32(bits) : bf16_to_f32(bits);
    }
  } else {
    constexpr std::size_t weights = geometry(Type).weights;
    for (std::size_t i = 0; i < columns / weights; ++i) decode(load_block<Type>(row, i), out + i * weights);
  }
}

/// Calls `visitor.template operator()<Type>()` for the type that is known at run time only.
template <class Visitor>
constexpr decltype(auto) visit_dtype(dtype type, Visitor&& visitor) {
  switch (type) {
    case dtype::f32:
      return visitor.template operator()<dtype::f32>();
    case dtype::f16:
      return visitor.template operator()<dtype::f16>();
    case dtype::bf16:
      return visitor.template operator()<dtype::bf16>();
    case dtype::q4_0:
      return visitor.template operator()<dtype::q4_0>();
    case dtype::q4_1:
      return visitor.template operator()<dtype::q4_1>();
    case dtype::q5_0:
      return visitor.template operator()<dtype::q5_0>();
    case dtype::q5_1:
      return visitor.template operator()<dtype::q5_1>();
    case dtype::q8_0:
      return visitor.template operator()<dtype::q8_0>();
    case dtype::q2_k:
      return visitor.template operator()<dtype::q2_k>();
    case dtype::q3_k:
      return visitor.template operator()<dtype::q3_k>();
    case dtype::q4_k:
      return visitor.template operator()<dtype::q4_k>();
    case dtype::q5_k:
      return visitor.template operator()<dtype::q5_k>();
    case dtype::q6_k:
      return visitor.template operator()<dtype::q6_k>();
    case dtype::iq4_nl:
      return visitor.template operator()<dtype::iq4_nl>();
    case dtype::iq4_xs:
      return visitor.template operator()<dtype::iq4_xs>();
    case dtype::mxfp4:
      return visitor.template operator()<dtype::mxfp4>();
    case dtype::iq2_xxs:
      break;
  }
  return visitor.template operator()<dtype::iq2_xxs>();
}

/// dequantize_row of a storage type known at run time only.
inline void dequantize_row(dtype type, const std::byte* row, std::size_t columns, float* out) {
  visit_dtype(type, [&]<dtype Type>() { dequantize_row<Type>(row, columns, out); });
}

}  // namespace inlay
