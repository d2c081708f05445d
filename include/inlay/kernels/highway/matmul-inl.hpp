// SPDX-License-Identifier: Apache-2.0
// Matrix products: which storage types are packed into panels, and the kernels that each goes to.
#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include "hwy/cache_control.h"

// clang-format off: each builds on those above it
#include "inlay/kernels/highway/quantize-inl.hpp"
#include "inlay/kernels/highway/block_base-inl.hpp"
#include "inlay/kernels/highway/pack-inl.hpp"
#include "inlay/kernels/highway/block_legacy-inl.hpp"
#include "inlay/kernels/highway/block_k-inl.hpp"
#include "inlay/kernels/highway/block_table-inl.hpp"
#include "inlay/kernels/highway/matmul_block-inl.hpp"
#include "inlay/kernels/highway/matmul_float-inl.hpp"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

namespace detail {

struct unpacked_only {};

template <dtype Type>
struct packed_format {
  using type = unpacked_only;
};
template <dtype Type>
  requires(Type == dtype::q4_0 || Type == dtype::q4_1 || Type == dtype::q5_0 || Type == dtype::q5_1 ||
           Type == dtype::q8_0)
struct packed_format<Type> {
  using type = legacy_format<Type>;
};

template <dtype Type>
  requires(Type == dtype::q4_k || Type == dtype::q5_k)
struct packed_format<Type> {
  using type = k_format_45<Type>;
};
template <dtype Type>
  requires(Type == dtype::iq4_nl || Type == dtype::iq4_xs || Type == dtype::mxfp4)
struct packed_format<Type> {
  using type = table_format<Type>;
};
template <>
struct packed_format<dtype::q2_k> {
  using type = k_format_2;
};
template <>
struct packed_format<dtype::q3_k> {
  using type = k_format_3;
};
template <>
struct packed_format<dtype::q6_k> {
  using type = k_format_6;
};

}  // namespace detail

template <dtype Type>
using packed_format = typename detail::packed_format<Type>::type;
template <dtype Type>
inline constexpr bool is_packed = !std::is_same_v<packed_format<Type>, detail::unpacked_only>;

inline std::size_t panel_bytes(dtype type, std::size_t columns) {
  return visit_dtype(type, [&]<dtype Type>() HWY_ATTR -> std::size_t {
    if constexpr (is_packed<Type>)
      return panel_bytes_of<packed_format<Type>>(columns);
    else
      return 0;
  });
}

inline void pack_panel(dtype type, const std::byte* const* rows, std::size_t count, std::size_t columns,
                       std::byte* out) {
  visit_dtype(type, [&]<dtype Type>() HWY_ATTR {
    if constexpr (is_packed<Type>) packed_format<Type>::pack(rows, count, columns, out);
  });
}

inline bool wants_quantized(dtype type) {
  return visit_dtype(type, []<dtype Type>() { return is_packed<Type>; });
}

inline void matmul(const matrix_ref& w, const activations& x, float* out, std::size_t stride, std::size_t begin,
                   std::size_t end, bool add) {
  INLAY_ASSERT(w.columns == x.columns && begin % panel_rows == 0 && end <= w.rows);
  if (x.count == 0 || begin >= end) return;
  if (w.layout == layout::rows) return multiply_file_rows(w, x, out, stride, begin, end, add);
  visit_dtype(w.type, [&]<dtype Type>() HWY_ATTR {
    if constexpr (is_packed<Type>) {
      INLAY_ASSERT(x.quantized != nullptr);
      if (x.count == 1)
        multiply_row<packed_format<Type>>(w, x, out, begin, end, add);
      else
        multiply_rows<packed_format<Type>>(w, x, out, stride, begin, end, add);
    }
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
