// SPDX-License-Identifier: Apache-2.0
// WordPiece (BERT): the text is cut at white space and around punctuation, and a word into the longest tokens from the
// left. (Wu et al. 2016, arXiv:1609.08144; Devlin et al. 2018, arXiv:1810.04805.)
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/text/table_tokenizer.hpp"
#include "inlay/text/unicode.hpp"
#include "inlay/text/utf8.hpp"

namespace inlay {

namespace detail {

constexpr bool is_ascii_punctuation(char32_t c) noexcept {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

/// Calls `sink(word)` for the words of BERT: the runs between white space, each punctuation character alone.
template <class Sink>
void split_bert_words(std::string_view text, const Sink& sink) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size();) {
    const utf8::decoded d = utf8::decode(text.substr(i));
    const unicode::category k = unicode::category_of(d.code);
    const bool space = unicode::is(unicode::white_space, k);
    const bool alone = k == unicode::category::p || is_ascii_punctuation(d.code);
    if (space || alone) {
      if (begin < i) sink(text.substr(begin, i - begin));
      if (alone) sink(text.substr(i, d.size));
      begin = i + d.size;
    }
    i += d.size;
  }
  if (begin < text.size()) sink(text.substr(begin));
}

}  // namespace detail

/// In the table, a token that begins a word begins with a space; one that continues a word does not.
class wordpiece final : public detail::table_tokenizer {
 public:
  /// A word of more characters than `longest_word` is unknown.
  wordpiece(detail::tokenizer_parts parts, std::size_t longest_word)
      : table_tokenizer(std::move(parts)), longest_word_(longest_word) {
    for (std::size_t i = 0; i < size(); ++i) {
      const auto id = static_cast<token_id>(i);
      if (kind(id) == token_kind::normal) longest_token_ = std::max(longest_token_, piece(id).size());
    }
  }

 protected:
  void encode_text(std::string_view text, text_place, std::vector<token_id>& out) const override {
    std::string spaced;
    detail::split_bert_words(text, [&](std::string_view word) {
      std::size_t characters = 0;
      for (const char c : word) characters += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
      spaced = ' ';
      spaced += word;
      const std::size_t before = out.size();
      if (characters <= longest_word_ && cut(spaced, out)) return;
      out.resize(before);
      if (specials().unknown) out.push_back(*specials().unknown);
    });
  }

 private:
  /// False where no token fits.
  bool cut(std::string_view word, std::vector<token_id>& out) const {
    while (!word.empty()) {
      std::size_t n = std::min(word.size(), longest_token_);
      token_id id = detail::no_token;
      for (; n != 0; --n) {
        if (n < word.size() && (static_cast<unsigned char>(word[n]) & 0xC0) == 0x80) continue;  // inside a character
        if (id = tokens().find_text(word.substr(0, n)); id != detail::no_token) break;
      }
      if (id == detail::no_token) return false;
      out.push_back(id);
      word.remove_prefix(n);
    }
    return true;
  }

  std::size_t longest_word_;
  std::size_t longest_token_ = 0;
};

}  // namespace inlay
