// SPDX-License-Identifier: Apache-2.0
// What a model's forward pass is asked to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "inlay/core/buffer.hpp"
#include "inlay/core/function_ref.hpp"
#include "inlay/core/thread_pool.hpp"
#include "inlay/layers/adaptation.hpp"
#include "inlay/layers/observer.hpp"
#include "inlay/layers/rows.hpp"

namespace inlay {

/// Where a row of a table can be read: where it is, or as a copy in memory with room for it. Called by several threads.
using fetch_row = function_ref<const std::byte*(std::span<const std::byte> row, std::byte* room)>;

/// Tokens of one or several sequences, each continuing its own state: a prompt's chunk, one token, or one token of each
/// of many sequences. The states are advanced.
struct batch {
  std::span<const std::int32_t> tokens;      ///< all in [0, vocab)
  std::span<const sequence_rows> sequences;  ///< whose tokens these are, in order; together all of `tokens`
  std::span<const std::uint32_t> wanted;     ///< rows whose logits are computed, increasing
  float* logits = nullptr;                   ///< [wanted.size(), vocab]
  const adaptation* adapted = nullptr;       ///< of the model's weights, for all of the tokens; null: none
  product_observer* observer = nullptr;      ///< of the pass; null: none
  fetch_row fetch = {};                      ///< how rows of the embedding are read; empty: where they are
};

/// What a forward pass works with.
struct workspace {
  arena& memory;  ///< at least scratch_bytes(tokens) free
  thread_pool& pool;
};

}  // namespace inlay
