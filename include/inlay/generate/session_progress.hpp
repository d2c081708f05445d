// SPDX-License-Identifier: Apache-2.0
// What a session knows beside the tokens it has read and the model's state: copied by marks, written into files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "inlay/generate/session.hpp"
#include "inlay/text/chat_prompt.hpp"
#include "inlay/text/token.hpp"

namespace inlay::detail {

struct session_progress {
  std::vector<token_id> unread = {};    ///< tokens that belong to the sequence and are not read yet
  std::vector<std::size_t> turns = {};  ///< positions where turns begin
  std::vector<message> conversation = {};
  bool in_conversation = false;  ///< its last message is a user's, for the model to answer
  bool answering = false;        ///< and the model has read it
  std::size_t answer_begin = 0;  ///< position of the answer's first token
  bool has_logits = false;       ///< of what follows the last token
  finish finished = finish::stopped;
};

}  // namespace inlay::detail
