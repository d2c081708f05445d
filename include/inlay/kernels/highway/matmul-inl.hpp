// SPDX-License-Identifier: Apache-2.0
// Matrix products: which storage types are packed into panels, and the kernels that each goes to.
#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#if HWY_ARCH_X86 && HWY_TARGET < HWY_AVX3_DL && (INLAY_COMPILED_TARGETS & HWY_AVX3_DL)

// These targets add nothing that the products use: take the other one's.
namespace inlay {
namespace HWY_NAMESPACE {
using N_AVX3_DL::matmul;
using N_AVX3_DL::pack_panel;
using N_AVX3_DL::panel_bytes;
using N_AVX3_DL::quantize_rows;
using N_AVX3_DL::quantized_row_bytes;
using N_AVX3_DL::wants_quantized;
}  // namespace HWY_NAMESPACE
}  // namespace inlay

#else

// clang-format off: each builds on those above it
#include "inlay/kernels/highway/quantize-inl.hpp"
#include "inlay/kernels/highway/block_base-inl.hpp"
#include "inlay/kernels/highway/pack-inl.hpp"
#include "inlay/kernels/highway/block_legacy-inl.hpp"
#include "inlay/kernels/highway/block_k-inl.hpp"
#include "inlay/kernels/highway/block_table-inl.hpp"
#include "inlay/kernels/highway/block_iq2-inl.hpp"
#include "inlay/kernels/highway/matmul_block_base-inl.hpp"
#include "inlay/kernels/highway/matmul_block_rows-inl.hpp"
#include "inlay/kernels/highway/matmul_block_tiles-inl.hpp"
#if INLAY_AMX_HOST & HWY_TARGET
#include "inlay/kernels/highway/unpack_bf16-inl.hpp"
#endif
#include "inlay/kernels/highway/matmul_block-inl.hpp"
#if INLAY_AMX_HOST & HWY_TARGET
#include "inlay/kernels/highway/matmul_bf16-inl.hpp"
#endif
#include "inlay/kernels/highway/matmul_float-inl.hpp"
#include "inlay/kernels/highway/matmul_panel-inl.hpp"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

/// Targets without fast products of bytes multiply in float instead, with weights as they are in the file.
inline constexpr bool packs_blocks = has_quad_u8_i8 || has_pair_u8_i8 || HWY_TARGET_IS_NEON || HWY_ARCH_WASM;

namespace detail {

template <dtype Type>
constexpr block_kernels kernels_of() {
  if constexpr (!packs_blocks || is_float(Type))
    return {};
  else if constexpr (Type == dtype::iq4_nl || Type == dtype::iq4_xs || Type == dtype::mxfp4)
    return kernels_of_format<table_format<Type> >();
  else if constexpr (Type == dtype::q4_k || Type == dtype::q5_k)
    return kernels_of_format<k_format_45<Type> >();
  else if constexpr (Type == dtype::q2_k)
    return kernels_of_format<k_format_2>();
  else if constexpr (Type == dtype::q3_k)
    return kernels_of_format<k_format_3>();
  else if constexpr (Type == dtype::q6_k)
    return kernels_of_format<k_format_6>();
  else if constexpr (Type == dtype::iq2_xxs)
    return kernels_of_format<iq2_format>();
  else
    return kernels_of_format<legacy_format<Type> >();
}

template <std::size_t... Types>
constexpr std::array<block_kernels, dtype_count> kernels_of_all(std::index_sequence<Types...>) {
  return {kernels_of<static_cast<dtype>(Types)>()...};
}
inline constexpr std::array<block_kernels, dtype_count> block_kernel_table =
    kernels_of_all(std::make_index_sequence<dtype_count>());

inline const block_kernels& format_of(dtype type) { return block_kernel_table[static_cast<std::size_t>(type)]; }

}  // namespace detail

inline bool wants_quantized(dtype type) { return detail::format_of(type).line_bytes != 0; }

inline std::size_t panel_bytes(dtype type, std::size_t rows, std::size_t columns) {
  if (is_float(type)) return float_panel_bytes(type, rows, columns);
  return packed_panel_bytes(detail::format_of(type), columns);
}

inline void pack_panel(dtype type, const std::byte* const* rows, std::size_t count, std::size_t columns,
                       std::byte* out) {
  INLAY_ASSERT(count <= panel_rows && columns % geometry(type).weights == 0);
  if (is_float(type)) return pack_float_panel(type, rows, count, columns, out);
  INLAY_ASSERT(wants_quantized(type));
  detail::format_of(type).pack(rows, count, columns, out);
}

inline void matmul(const matrix_ref& w, const activations& x, float* out, std::size_t stride, std::size_t begin,
                   std::size_t end, bool add) {
  INLAY_ASSERT(w.columns == x.columns && begin % panel_rows == 0 && end <= w.rows);
  if (x.count == 0 || begin >= end) return;
  if (w.layout == layout::rows) return multiply_file_rows(w, x, out, stride, begin, end, add);
  if (is_float(w.type)) return multiply_float_panels(w, x, out, stride, begin, end, add);
  INLAY_ASSERT(wants_quantized(w.type) && x.quantized != nullptr);
  const auto* lines = reinterpret_cast<const quantized_line*>(x.quantized);
  if (x.count == 1)
    multiply_row(detail::format_of(w.type), w, lines, out, begin, end, add);
  else
    multiply_rows(detail::format_of(w.type), w, lines, x.count, out, stride, begin, end, add);
}

#if INLAY_AMX_HOST & HWY_TARGET
inline void multiply_bf16(const matrix_ref& w, const activations& x, float* out, std::size_t stride, std::size_t begin,
                          std::size_t end, bool add) {
  INLAY_ASSERT(w.columns == x.columns && begin % panel_rows == 0 && end <= w.rows && x.quantized != nullptr);
  if (x.count != 0 && begin < end) multiply_bf16(detail::format_of(w.type), w, x, out, stride, begin, end, add);
}
#endif

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();

#endif
