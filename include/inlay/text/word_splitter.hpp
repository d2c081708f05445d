// SPDX-License-Identifier: Apache-2.0
// One matcher for the regular expressions by which byte-level BPE cuts text into words. It is made by hand, because the
// expressions are few, their alternatives need no backtracking beyond what is written out below, and the time must be
// linear on any input.
#pragma once

#include <cstddef>
#include <string_view>

#include "inlay/text/unicode.hpp"
#include "inlay/text/utf8.hpp"

namespace inlay::detail {

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
  unsigned digits;        ///< numbers at once: 1, 3, or 0 for ` ?\p{N}+`
  bool line_ends = true;  ///< has the alternative `\s*[\r\n]+`, and symbols take the line ends after them: `[\r\n]*`
  bool tail_slashes = false;  ///< `[\r\n/]*` instead
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

}  // namespace inlay::detail
