// SPDX-License-Identifier: Apache-2.0
// A low-rank change of one matrix as it was read.
#pragma once

#include <cstddef>
#include <vector>

namespace inlay::detail {

/// What an adapter does to one matrix of the model: W + scale B A, rows in the model's order.
struct lora_pair {
  std::size_t slot = 0;
  std::size_t matrix = 0;  ///< of a stack
  std::size_t rank = 0;
  float scale = 1.0f;
  std::vector<float> a;  ///< [rank, columns]
  std::vector<float> b;  ///< [rows, rank]
};

/// Adds row r of scale B A to a row of weights.
inline void add_row(const lora_pair& pair, std::size_t r, std::vector<float>& row) {
  for (std::size_t k = 0; k < pair.rank; ++k) {
    const float factor = pair.scale * pair.b[r * pair.rank + k];
    const float* a = pair.a.data() + k * row.size();
    for (std::size_t i = 0; i < row.size(); ++i) row[i] += factor * a[i];
  }
}

}  // namespace inlay::detail
