// SPDX-License-Identifier: Apache-2.0
// How the next token is picked from logits. Order of the steps: logit bias, repetition penalty, temperature, top-k,
// top-p, min-p.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "inlay/text/token.hpp"

namespace inlay {

struct sampling {
  float temperature = 0.0f;  ///< 0: always the likeliest token
  std::size_t top_k = 0;     ///< only the k likeliest tokens; 0: all
  float top_p = 1.0f;        ///< only the likeliest tokens that together reach this probability (Holtzman et al. 2020)
  float min_p = 0.0f;        ///< only tokens at least this times as likely as the likeliest (Nguyen et al. 2024)
  float repeat_penalty = 1.0f;     ///< positive logits of recent tokens are divided by this, negative ones multiplied
  std::size_t repeat_window = 64;  ///< how many tokens are recent
  std::uint64_t seed = 0;          ///< the same seed gives the same tokens on any number of threads
  std::vector<std::pair<token_id, float>> logit_bias = {};  ///< added to these tokens' logits
};

}  // namespace inlay
