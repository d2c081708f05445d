// SPDX-License-Identifier: Apache-2.0
// What an encoder's forward pass is asked to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "inlay/layers/rows.hpp"
#include "inlay/models/batch.hpp"

namespace inlay {

/// Whole sequences of tokens, one behind the other, without padding.
struct encoder_batch {
  std::span<const std::int32_t> tokens;       ///< all in [0, vocab)
  std::span<const std::int32_t> token_types;  ///< as many, all in [0, token_types); empty: all 0
  std::span<const sequence_rows> sequences;   ///< of 1 to max_tokens rows each, at position 0, without a state
  float* out = nullptr;                       ///< [sequences, outputs]; [tokens, outputs] if the model says per_token
};

}  // namespace inlay
