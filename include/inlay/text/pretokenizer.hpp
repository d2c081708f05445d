// SPDX-License-Identifier: Apache-2.0
// Cuts text into the words within which byte-level BPE merges. Each family states its cut as a regular expression.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "inlay/text/unicode.hpp"
#include "inlay/text/utf8.hpp"
#include "inlay/text/word_splitter.hpp"

namespace inlay {

/// One way to cut, most by the family they are known for. pretokenizer_names.hpp spells out the expressions.
enum class word_split : unsigned char {
  gpt2,           ///< GPT-2, and ByteLevel's own expression
  llama3,         ///< Llama 3, Phi-4: numbers in threes
  qwen2,          ///< as llama3, digits alone
  qwen35,         ///< as qwen2, marks belong to words
  tekken,         ///< Mistral Nemo and later: words change at a capital
  gpt4o,          ///< as tekken, numbers in threes, contractions end a word
  digits,         ///< each digit alone
  lines,          ///< lines and runs of line ends (Gemma 4)
  before_spaces,  ///< a word begins at each space (SentencePiece)
};

/// Cuts that are applied one after the other to the pieces of the one before; none: the text is one word.
using pretokenizer = std::vector<word_split>;

namespace detail {

inline constexpr split_rules gpt2_rules{.word = split_rules::words::after_space,
                                        .contraction = split_rules::contractions::exact,
                                        .digits = 0,
                                        .line_ends = false};
inline constexpr split_rules llama3_rules{
    .word = split_rules::words::after_any, .contraction = split_rules::contractions::any_case, .digits = 3};
inline constexpr split_rules qwen2_rules{
    .word = split_rules::words::after_any, .contraction = split_rules::contractions::any_case, .digits = 1};
inline constexpr split_rules qwen35_rules{
    .word = split_rules::words::with_marks, .contraction = split_rules::contractions::any_case, .digits = 1};
inline constexpr split_rules tekken_rules{.word = split_rules::words::by_case,
                                          .contraction = split_rules::contractions::none,
                                          .digits = 1,
                                          .tail_slashes = true};
inline constexpr split_rules gpt4o_rules{.word = split_rules::words::by_case,
                                         .contraction = split_rules::contractions::any_case_suffix,
                                         .digits = 3,
                                         .tail_slashes = true};

template <class Match, class Sink>
void split_by(std::string_view text, const Match& match, const Sink& sink) {
  while (!text.empty()) {
    const std::size_t n = match(text);
    sink(text.substr(0, n));
    text.remove_prefix(n);
  }
}

/// A number alone, or everything up to the next one.
inline std::size_t match_digits(std::string_view text) noexcept {
  const char* const end = text.data() + text.size();
  const char* p = text.data();
  do {
    const utf8::decoded d = utf8::decode(p, end);
    if (unicode::is(unicode::number, d.code)) {
      if (p == text.data()) p += d.size;
      break;
    }
    p += d.size;
  } while (p != end);
  return static_cast<std::size_t>(p - text.data());
}

/// A run of line ends, or everything up to the next one.
inline std::size_t match_line(std::string_view text) noexcept {
  const std::size_t n = text[0] == '\n' ? text.find_first_not_of('\n') : text.find('\n');
  return n == std::string_view::npos ? text.size() : n;
}

inline std::size_t match_to_space(std::string_view text) noexcept {
  const std::size_t n = text.find(' ', 1);
  return n == std::string_view::npos ? text.size() : n;
}

}  // namespace detail

/// Calls `sink(word)` for each word of `text`; the words follow each other without gaps.
template <class Sink>
void split_words(std::span<const word_split> how, std::string_view text, const Sink& sink) {
  using namespace detail;
  if (how.empty()) {
    if (!text.empty()) sink(text);
    return;
  }
  const auto then = [&](std::string_view piece) {
    if (how.size() == 1)
      sink(piece);
    else
      split_words(how.subspan(1), piece, sink);
  };
  switch (how[0]) {
    case word_split::gpt2:
      return split_by(text, splitter<gpt2_rules>::match, then);
    case word_split::llama3:
      return split_by(text, splitter<llama3_rules>::match, then);
    case word_split::qwen2:
      return split_by(text, splitter<qwen2_rules>::match, then);
    case word_split::qwen35:
      return split_by(text, splitter<qwen35_rules>::match, then);
    case word_split::tekken:
      return split_by(text, splitter<tekken_rules>::match, then);
    case word_split::gpt4o:
      return split_by(text, splitter<gpt4o_rules>::match, then);
    case word_split::digits:
      return split_by(text, match_digits, then);
    case word_split::lines:
      return split_by(text, match_line, then);
    case word_split::before_spaces:
      return split_by(text, match_to_space, then);
  }
}

}  // namespace inlay
