// SPDX-License-Identifier: Apache-2.0
// Token ids to text as they come. Tokens may hold parts of characters; the text never does.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "inlay/text/tokenizer.hpp"
#include "inlay/text/utf8.hpp"

namespace inlay {

struct decode_options {
  bool control_tokens = false;  ///< write the names of control tokens; otherwise they give nothing
  /// The tokens begin a text: vocabularies that put a space before the first word lose it again.
  bool at_start = true;
};

/// Turns a stream of tokens into well-formed UTF-8. A character that is not complete is held back; bytes that cannot
/// become one give U+FFFD, one for each longest part a character could begin with. Refers to the tokenizer.
class text_decoder {
 public:
  explicit text_decoder(const tokenizer& vocabulary, const decode_options& options = {})
      : vocabulary_(&vocabulary), options_(options), strip_(options.at_start && vocabulary.strips_first_space()) {
    out_.reserve(256);
  }

  /// The text that this token completes, often that of the token alone. Valid until the next call. Allocates only for
  /// tokens whose text is longer than all before and than 256 bytes.
  std::string_view push(token_id id) {
    if (vocabulary_->is_control(id) && !options_.control_tokens) return {};
    std::string_view piece = vocabulary_->piece(id);
    if (piece.empty()) return {};
    if (strip_) {
      strip_ = false;
      if (piece[0] == ' ') piece.remove_prefix(1);
    }
    if (held_size_ == 0 && utf8::valid_prefix(piece) == piece.size()) return piece;
    out_.clear();
    append(piece);
    return out_;
  }

  /// What is left at the end of the stream: U+FFFD if a character was begun and not completed. Starts anew.
  std::string_view flush() {
    const bool incomplete = held_size_ != 0;
    held_size_ = 0;
    strip_ = options_.at_start && vocabulary_->strips_first_space();
    return incomplete ? utf8::replacement : std::string_view{};
  }

 private:
  void append(std::string_view piece) {
    // First the character that is held, byte by byte: at most three are ever held.
    while (held_size_ != 0 && !piece.empty()) {
      char bytes[4];
      std::memcpy(bytes, held_, held_size_);
      bytes[held_size_] = piece[0];
      const utf8::decoded d = utf8::decode(bytes, bytes + held_size_ + 1);
      if (d.code != utf8::not_a_character) {
        out_.append(bytes, held_size_ + 1);
        held_size_ = 0;
        piece.remove_prefix(1);
      } else if (d.truncated) {
        held_[held_size_++] = piece[0];
        piece.remove_prefix(1);
      } else {
        out_ += utf8::replacement;
        held_size_ = 0;  // the new byte is looked at again, on its own
      }
    }
    while (!piece.empty()) {
      const std::size_t valid = utf8::valid_prefix(piece);
      out_ += piece.substr(0, valid);
      piece.remove_prefix(valid);
      if (piece.empty()) return;
      const utf8::decoded d = utf8::decode(piece);
      if (d.truncated) {
        std::memcpy(held_, piece.data(), piece.size());
        held_size_ = piece.size();
        return;
      }
      out_ += utf8::replacement;
      piece.remove_prefix(d.size);
    }
  }

  const tokenizer* vocabulary_;
  decode_options options_;
  bool strip_;
  char held_[4] = {};
  std::size_t held_size_ = 0;
  std::string out_;
};

/// The text of a whole sequence.
inline std::string decode(const tokenizer& vocabulary, std::span<const token_id> ids,
                          const decode_options& options = {}) {
  text_decoder decoder(vocabulary, options);
  std::string out;
  for (const token_id id : ids) out += decoder.push(id);
  out += decoder.flush();
  return out;
}

}  // namespace inlay
