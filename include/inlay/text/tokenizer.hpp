// SPDX-License-Identifier: Apache-2.0
// The interface of every tokenizer. Cheap to include; the implementations are in headers of their own.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "inlay/text/token.hpp"

namespace inlay {

/// What happens to the names of control tokens that stand in the text itself, such as "<|im_end|>".
enum class special_tokens : bool {
  as_text,     ///< they are ordinary text: for everything that a user or a document says
  recognised,  ///< they become the control token: for templates that were written by the program
};

/// Where a text stands in its sequence. Vocabularies that put a space before the first word (SentencePiece) look at it.
enum class text_place : unsigned char {
  begin,        ///< nothing but BOS before it
  after_token,  ///< after a control token that is not part of a text, as in a chat
  inside,       ///< continues the text before it
};

struct encode_options {
  special_tokens specials = special_tokens::as_text;
  /// Adds what the model was trained to see around a text (BOS, EOS, [CLS] and [SEP]), if anything.
  bool add_special_tokens = false;
  text_place place = text_place::begin;
};

/// Text to token ids and back. Immutable: one object serves any number of threads.
class tokenizer {
 public:
  virtual ~tokenizer() = default;

  /// Number of tokens; ids are 0 ... size() - 1.
  virtual std::size_t size() const noexcept = 0;

  /// Appends the ids of `text`. Any bytes are accepted: what is not UTF-8 becomes byte tokens where the vocabulary has
  /// them and the unknown token otherwise. Time and memory are O(n log n) and O(n) in the length of the text.
  virtual void encode(std::string_view text, std::vector<token_id>& out, const encode_options& options = {}) const = 0;

  std::vector<token_id> encode(std::string_view text, const encode_options& options = {}) const {
    std::vector<token_id> out;
    encode(text, out, options);
    return out;
  }

  /// The bytes that a token stands for: text in UTF-8, or a part of a character. Empty for ids out of range. Control
  /// tokens give their name. Lives as long as the tokenizer.
  virtual std::string_view piece(token_id id) const noexcept = 0;

  /// The token whose bytes are exactly `text`: a control token ("<|im_end|>") or an ordinary one (" the").
  virtual std::optional<token_id> find(std::string_view text) const noexcept = 0;

  /// token_kind::unused for ids out of range.
  virtual token_kind kind(token_id id) const noexcept = 0;
  bool is_control(token_id id) const noexcept { return kind(id) == token_kind::control; }

  virtual const special_ids& specials() const noexcept = 0;

  /// What `add_special_tokens` puts before and after a text.
  virtual std::span<const token_id> prefix() const noexcept = 0;
  virtual std::span<const token_id> suffix() const noexcept = 0;

  /// The first text piece of a sequence loses one leading space when it is decoded (SentencePiece, WordPiece).
  virtual bool strips_first_space() const noexcept = 0;

  /// The white space after this control token is not part of the text (Phi-3).
  virtual bool strips_after(token_id id) const noexcept = 0;

 protected:
  tokenizer() = default;
  tokenizer(const tokenizer&) = default;
  tokenizer& operator=(const tokenizer&) = default;
};

}  // namespace inlay
