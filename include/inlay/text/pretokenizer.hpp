// SPDX-License-Identifier: Apache-2.0
// Cuts text into the words within which byte-level BPE merges. Each family states its cut as a regular expression;
// here each is a hand-made matcher, because the expressions are few, their alternatives need no backtracking beyond
// what is written out below, and the time must be linear on any input.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "inlay/text/unicode.hpp"
#include "inlay/text/utf8.hpp"

namespace inlay {

/// One way to cut, most by the family they are known for. The expressions are spelled out below, at split_rules.
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

/// One expression of the common shape. The alternatives, in order:
///   contraction | letters | numbers | ` ?[^\s\p{L}\p{N}]+` tail* | `\s*[\r\n]+` | `\s+(?!\S)` | `\s+`
struct split_rules {
  enum class words : unsigned char {
    after_space,  ///< ` ?\p{L}+`
    after_any,    ///< `[^\r\n\p{L}\p{N}]?\p{L}+`
    with_marks,   ///< `[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+`, and marks are no symbols
    by_case,  ///< `[^\r\n\p{L}\p{N}]?(U*L+|U+L*)`, U = [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}], L = [\p{Ll}\p{Lm}\p{Lo}\p{M}]
  } word;
  enum class contractions : unsigned char { none, exact, any_case, any_case_suffix } contraction;
  unsigned digits;    ///< numbers at once: 1, 3, or 0 for ` ?\p{N}+`
  bool line_ends;     ///< has the alternative `\s*[\r\n]+`, and symbols take the line ends after them: `[\r\n]*`
  bool tail_slashes;  ///< `[\r\n/]*` instead
};

template <split_rules Rules>
class splitter {
 public:
  /// Length of the word at the begin of `text`, which must not be empty: at least 1.
  static std::size_t match(std::string_view text) noexcept {
    const splitter s{text};
    const character first = s.at(0);
    std::size_t n = 0;
    if constexpr (Rules.contraction == split_rules::contractions::exact ||
                  Rules.contraction == split_rules::contractions::any_case)
      n = s.contraction(0);
    if (n == 0) n = s.word(first);
    if (n == 0) n = s.numbers(first);
    if (n == 0) n = s.symbols(first);
    return n != 0 ? n : s.white_space();
  }

 private:
  struct character {
    char32_t code = 0;
    std::size_t size = 0;  ///< 0 at the end of the text
    unicode::category kind = unicode::category::co;
    bool in(unicode::set categories) const noexcept { return size != 0 && unicode::is(categories, kind); }
  };
  using words = split_rules::words;

  static constexpr unicode::set common = unicode::mark | unicode::any_of(unicode::category::lm, unicode::category::lo);
  static constexpr unicode::set upper = common | unicode::any_of(unicode::category::lu, unicode::category::lt);
  static constexpr unicode::set lower = common | unicode::any_of(unicode::category::ll);
  static constexpr unicode::set word_set = unicode::letter | (Rules.word == words::with_marks ? unicode::mark : 0);
  static constexpr unicode::set not_symbol = unicode::white_space | unicode::number | word_set;

  explicit splitter(std::string_view text) : text_(text) {}

  character at(std::size_t i) const noexcept {
    if (i >= text_.size()) return {};
    const auto byte = static_cast<unsigned char>(text_[i]);
    if (byte < 0x80) return {byte, 1, unicode::detail::first_categories[byte]};
    const utf8::decoded d = utf8::decode(text_.data() + i, text_.data() + text_.size());
    return {d.code, d.size, unicode::category_of(d.code)};
  }

  /// End of the run of characters of `categories` that begins at `i`.
  std::size_t run(std::size_t i, unicode::set categories) const noexcept {
    for (character c = at(i); c.in(categories); c = at(i)) i += c.size;
    return i;
  }

  // 's 't 're 've 'm 'll 'd. Ignoring case, the long s (U+017F) is an s too.
  std::size_t contraction(std::size_t begin) const noexcept {
    if (begin >= text_.size() || text_[begin] != '\'') return 0;
    constexpr bool exact = Rules.contraction == split_rules::contractions::exact;
    const auto letter_at = [&](std::size_t i) -> char {
      if (i >= text_.size()) return 0;
      const char c = text_[i];
      return !exact && c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    };
    const char a = letter_at(begin + 1), b = letter_at(begin + 2);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
    if (!exact && text_.substr(begin + 1, 2) == "\xC5\xBF") return 3;
    return 0;
  }

  std::size_t word(character first) const noexcept {
    if constexpr (Rules.word == words::after_space) {
      const std::size_t begin = first.code == ' ' ? 1 : 0;
      const std::size_t end = run(begin, word_set);
      return end == begin ? 0 : end;
    } else {
      const bool prefix =
          first.code != '\r' && first.code != '\n' && !unicode::is(unicode::letter | unicode::number, first.kind);
      if constexpr (Rules.word == words::by_case) {
        std::size_t end = 0;
        if (prefix) end = capitals_then_small(first.size);
        if (end == 0) end = capitals_then_small(0);
        if (end == 0 && prefix) end = capitals(first.size);
        if (end == 0) end = capitals(0);
        if constexpr (Rules.contraction == split_rules::contractions::any_case_suffix)
          if (end != 0) end += contraction(end);
        return end;
      } else {
        const std::size_t begin = prefix && !first.in(word_set) ? first.size : 0;
        const std::size_t end = run(begin, word_set);
        return end == begin ? 0 : end;
      }
    }
  }

  // U*L+ from `begin`; 0 if there is none. The greedy U* gives back only as far as the last character of the run that
  // is also an L.
  std::size_t capitals_then_small(std::size_t begin) const noexcept {
    std::size_t i = begin, after_common = 0;
    character c = at(i);
    for (; c.in(upper); c = at(i)) {
      i += c.size;
      if (c.in(common)) after_common = i;
    }
    return c.in(lower) ? run(i, lower) : after_common;
  }

  // U+ from `begin`. The L* behind it is empty: with one more L the alternative above would have matched.
  std::size_t capitals(std::size_t begin) const noexcept {
    const std::size_t end = run(begin, upper);
    return end == begin ? 0 : end;
  }

  std::size_t numbers(character first) const noexcept {
    if constexpr (Rules.digits == 0) {
      const std::size_t begin = first.code == ' ' ? 1 : 0;
      const std::size_t end = run(begin, unicode::number);
      return end == begin ? 0 : end;
    } else {
      std::size_t end = 0;
      character c = first;
      for (unsigned n = 0; n < Rules.digits && c.in(unicode::number); ++n, c = at(end)) end += c.size;
      return end;
    }
  }

  std::size_t symbols(character first) const noexcept {
    const std::size_t begin = first.code == ' ' ? 1 : 0;
    const std::size_t end = run(begin, ~not_symbol);
    if (end == begin) return 0;
    std::size_t i = end;
    if constexpr (Rules.line_ends)
      while (i < text_.size() && (text_[i] == '\r' || text_[i] == '\n' || (Rules.tail_slashes && text_[i] == '/'))) ++i;
    return i;
  }

  // `\s*[\r\n]+` takes a run of white space up to its last line end; `\s+(?!\S)` leaves the last character of a run to
  // the word that follows, unless it is the only one.
  std::size_t white_space() const noexcept {
    std::size_t end = 0, last = 0, after_line_end = 0;
    for (character c = at(0); c.in(unicode::white_space); c = at(end)) {
      last = end;
      end += c.size;
      if (c.code == '\r' || c.code == '\n') after_line_end = end;
    }
    if (Rules.line_ends && after_line_end != 0) return after_line_end;
    return end == text_.size() || last == 0 ? end : last;
  }

  std::string_view text_;
};

inline constexpr split_rules gpt2_rules{split_rules::words::after_space, split_rules::contractions::exact, 0, false,
                                        false};
inline constexpr split_rules llama3_rules{split_rules::words::after_any, split_rules::contractions::any_case, 3, true,
                                          false};
inline constexpr split_rules qwen2_rules{split_rules::words::after_any, split_rules::contractions::any_case, 1, true,
                                         false};
inline constexpr split_rules qwen35_rules{split_rules::words::with_marks, split_rules::contractions::any_case, 1, true,
                                          false};
inline constexpr split_rules tekken_rules{split_rules::words::by_case, split_rules::contractions::none, 1, true, true};
inline constexpr split_rules gpt4o_rules{split_rules::words::by_case, split_rules::contractions::any_case_suffix, 3,
                                         true, true};

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

/// What `tokenizer.ggml.pre` names; empty for a pattern that is not one of ours.
inline std::optional<pretokenizer> pretokenizer_by_gguf_name(std::string_view name) {
  const auto is_one_of = [name](std::initializer_list<std::string_view> names) {
    for (const std::string_view n : names)
      if (n == name) return true;
    return false;
  };
  if (is_one_of({"gpt-2", "phi-2", "gigachat", "exaone4", "mpt", "olmo", "jais", "roberta-bpe", "jina-es", "jina-de",
                 "jina-v1-en", "jina-v2-es", "jina-v2-de", "jina-v2-code"}))
    return pretokenizer{word_split::gpt2};
  if (is_one_of({"smollm", "codeshell", "starcoder", "refact", "command-r"}))
    return pretokenizer{word_split::digits, word_split::gpt2};
  if (is_one_of({"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "dbrx",
                 "smaug-bpe", "glm4", "chatglm-bpe"}))
    return pretokenizer{word_split::llama3};
  if (is_one_of({"qwen2", "deepseek-r1-qwen", "megrez", "stablelm2", "hunyuan"}))
    return pretokenizer{word_split::qwen2};
  if (name == "qwen35") return pretokenizer{word_split::qwen35};
  if (name == "tekken") return pretokenizer{word_split::tekken};
  if (is_one_of({"gpt-4o", "llama4"})) return pretokenizer{word_split::gpt4o};
  return std::nullopt;
}

namespace detail {

/// How tokenizer.json spells the cuts.
struct known_expression {
  std::string_view expression;
  word_split how;
};
inline constexpr known_expression known_expressions[] = {
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", word_split::gpt2},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     word_split::llama3},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     word_split::qwen2},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     word_split::qwen35},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     word_split::tekken},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     word_split::gpt4o},
    {R"(\p{N})", word_split::digits},
    {R"([^\n]+|[\n]+)", word_split::lines},
};

}  // namespace detail

/// The cut of a regular expression as tokenizer.json spells it; empty for one that is not ours.
inline std::optional<word_split> word_split_by_expression(std::string_view expression) noexcept {
  for (const detail::known_expression& k : detail::known_expressions)
    if (k.expression == expression) return k.how;
  return std::nullopt;
}

/// The other way; empty for cuts that are no Split by an expression.
inline std::string_view expression_of(word_split how) noexcept {
  for (const detail::known_expression& k : detail::known_expressions)
    if (k.how == how) return k.expression;
  return {};
}

/// A word that is a token is taken whole, whatever the merges say: tokenizers that were made with tiktoken.
inline bool takes_whole_words(std::string_view gguf_name) noexcept {
  for (const std::string_view name :
       {"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "tekken"})
    if (gguf_name == name) return true;
  return false;
}

/// Text is brought into NFC before it is cut (Qwen's tokenizer.json; a GGUF has no key for it).
inline bool implies_nfc(std::string_view gguf_name) noexcept { return gguf_name.starts_with("qwen"); }

}  // namespace inlay
