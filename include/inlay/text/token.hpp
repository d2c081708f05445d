// SPDX-License-Identifier: Apache-2.0
// What a token is: its number, its kind, and the few tokens that have a role.
#pragma once

#include <cstdint>
#include <optional>

namespace inlay {

/// Index of a token in its vocabulary, which is also its row in the embedding and in the logits.
using token_id = std::int32_t;

/// The numbers are those of `tokenizer.ggml.token_type` in GGUF.
enum class token_kind : unsigned char {
  normal = 1,
  unknown = 2,       ///< stands for text that the vocabulary cannot express
  control = 3,       ///< carries no text: begin and end marks, turns of a chat
  user_defined = 4,  ///< added text that is always taken whole
  unused = 5,
  byte = 6,  ///< one byte of text, for characters without a token
};

/// Tokens with a role; what a vocabulary does not have is empty.
struct special_ids {
  std::optional<token_id> bos{};      ///< begin of sequence
  std::optional<token_id> eos{};      ///< end of sequence
  std::optional<token_id> eot{};      ///< end of turn
  std::optional<token_id> eom{};      ///< end of message, the turn goes on (tool calls)
  std::optional<token_id> unknown{};  ///< text without a token
  std::optional<token_id> padding{};
  std::optional<token_id> separator{};  ///< between and after texts (encoders)
  std::optional<token_id> classify{};   ///< before the text (encoders)
  std::optional<token_id> mask{};
};

}  // namespace inlay
