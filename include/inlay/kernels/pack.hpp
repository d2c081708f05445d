// SPDX-License-Identifier: Apache-2.0
// A whole matrix as a kernel policy reads it. `Packing` is the policy, or an object with its panel_bytes() and
// pack_panel().
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "inlay/core/dtype.hpp"
#include "inlay/kernels/types.hpp"
#include "inlay/quant/codec.hpp"

namespace inlay::kernels {

/// What pack_matrix() writes.
template <class Packing>
std::size_t packed_bytes(const Packing& pack, dtype type, std::size_t rows, std::size_t columns) {
  const std::size_t panel = pack.panel_bytes(type, rows, columns);
  return panel == 0 ? rows * row_bytes(type, columns) : (rows + panel_rows - 1) / panel_rows * panel;
}

/// Copies a matrix of rows to `out`: in panels, or as it is where the policy reads it so.
template <class Packing>
matrix_ref pack_matrix(const Packing& pack, const matrix_ref& file, std::byte* out) {
  const std::size_t row = row_bytes(file.type, file.columns);
  const std::size_t panel = pack.panel_bytes(file.type, file.rows, file.columns);
  if (panel == 0) {
    std::memcpy(out, file.data, file.rows * row);
    return {out, file.rows, file.columns, file.type, layout::rows};
  }
  for (std::size_t r = 0; r < file.rows; r += panel_rows) {
    const std::byte* rows[panel_rows];
    const std::size_t count = std::min(panel_rows, file.rows - r);
    for (std::size_t i = 0; i < count; ++i) rows[i] = file.data + (r + i) * row;
    pack.pack_panel(file.type, rows, count, file.columns, out + r / panel_rows * panel);
  }
  return {out, file.rows, file.columns, file.type, layout::panels};
}

}  // namespace inlay::kernels
