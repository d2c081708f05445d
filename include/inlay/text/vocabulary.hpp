// SPDX-License-Identifier: Apache-2.0
// A vocabulary as a model file carries it, ready for make_tokenizer (text/make_tokenizer.hpp). The views must stay
// valid until then; the tokenizer keeps copies.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/text/token.hpp"

namespace inlay {

/// The fields are named after the keys of GGUF, `tokenizer.ggml.*`. What a file does not say stays empty and takes the
/// default of its model.
struct vocabulary {
  std::string source;  ///< file name, for messages
  /// "gpt2": byte-level BPE, "llama": SentencePiece BPE by score, "gemma4": by rank, "bert": WordPiece, "t5": Unigram
  std::string model;
  std::string pre;  ///< how the text is cut into words, by the names of llama.cpp: "llama-bpe", "qwen2", ...
  std::vector<std::string_view> tokens;
  std::vector<float> scores;             ///< one a token, or none
  std::vector<std::int32_t> types;       ///< token_kind, one a token, or none
  std::vector<std::string_view> merges;  ///< "left right", best first

  /// Token ids; -1 (4294967295 in a file) is the same as absent.
  std::optional<std::int64_t> bos, eos, eot, eom, unknown, padding, separator, classify, mask;

  std::optional<bool> add_bos, add_eos, add_space_prefix, remove_extra_whitespaces;
  std::span<const std::uint8_t> precompiled_charsmap;
};

}  // namespace inlay
