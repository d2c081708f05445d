// SPDX-License-Identifier: Apache-2.0
// Activations: a batch of rows of a width known at compile time. One row a token.
#pragma once

#include <cstddef>

namespace inlay {

/// [count, Width] floats, row after row. A view.
template <std::size_t Width>
struct rows {
  static constexpr std::size_t width = Width;
  float* data = nullptr;
  std::size_t count = 0;
  float* operator[](std::size_t i) const { return data + i * Width; }
};

template <std::size_t Width>
struct const_rows {
  static constexpr std::size_t width = Width;
  const float* data = nullptr;
  std::size_t count = 0;
  const_rows() = default;
  constexpr const_rows(const float* d, std::size_t n) : data(d), count(n) {}
  constexpr const_rows(rows<Width> r) : data(r.data), count(r.count) {}  // NOLINT(google-explicit-constructor)
  const float* operator[](std::size_t i) const { return data + i * Width; }
};

/// Consecutive rows of a batch that belong to one sequence: they continue it at `position`.
struct sequence_rows {
  std::byte* state = nullptr;  ///< the sequence's state object (model::state)
  std::size_t first_row = 0;
  std::size_t count = 0;
  std::size_t position = 0;
  std::size_t context = 0;  ///< positions that the sequence may have in all
};

}  // namespace inlay
