// SPDX-License-Identifier: Apache-2.0
// Low-rank changes of a model's weight matrices that are applied as it runs (LoRA, Hu et al. 2021): y = W x becomes
// y = W x + scale * B (A x). The products of a forward pass look themselves up by their weight's address.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>

#include "inlay/kernels/types.hpp"

namespace inlay {

/// B [rows, rank] and A [rank, columns] beside a weight [rows, columns].
struct low_rank_update {
  const std::byte* weight = nullptr;  ///< matrix_ref::data of what is changed
  kernels::matrix_ref a;
  kernels::matrix_ref b;
  float scale = 1.0f;
};

/// What a session changes of its model.
struct adaptation {
  std::span<const low_rank_update> updates;  ///< sorted by weight
  float* scratch = nullptr;                  ///< [rows of a batch, stride]
  std::size_t stride = 0;                    ///< at least the highest rank

  /// Those of one weight.
  std::span<const low_rank_update> of(const std::byte* weight) const {
    const auto first = std::lower_bound(
        updates.begin(), updates.end(), weight,
        [](const low_rank_update& u, const std::byte* w) { return std::less<const std::byte*>()(u.weight, w); });
    auto last = first;
    while (last != updates.end() && last->weight == weight) ++last;
    return {first, last};
  }
};

}  // namespace inlay
