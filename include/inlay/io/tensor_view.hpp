// SPDX-License-Identifier: Apache-2.0
// A tensor of a checkpoint, where it lies in the mapped file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "inlay/core/dtype.hpp"

namespace inlay {

inline constexpr unsigned max_tensor_rank = 4;

/// The same whatever the container. Names and bytes belong to the checkpoint; the sizes have been checked against each
/// other: data.size() == rows() * row_bytes(type, columns()).
struct tensor_view {
  std::string_view name;
  std::string_view file;  ///< path of the file it is in, for messages
  dtype type{};
  unsigned rank = 0;
  std::array<std::uint64_t, max_tensor_rank> shape{1, 1, 1, 1};  ///< slowest first: [rows, columns]; 1 from rank on
  std::span<const std::byte> data;                               ///< row after row, no padding, no alignment promised

  /// Length of a row, the fastest dimension.
  constexpr std::uint64_t columns() const { return rank == 0 ? 1 : shape[rank - 1]; }
  /// The product of the other dimensions.
  constexpr std::uint64_t rows() const {
    std::uint64_t product = 1;
    for (unsigned i = 0; i + 1 < rank; ++i) product *= shape[i];
    return product;
  }
};

}  // namespace inlay
