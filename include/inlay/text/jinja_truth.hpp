// SPDX-License-Identifier: Apache-2.0
// Asks a Jinja engine for the truth of values in a filter's words. The engine of chat_jinja.hpp takes an empty mapping
// for true, where Python takes it for false; a template that names a filter wherever truth is asked for leaves it to
// the filter.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace inlay::detail {

/// Puts `|filter` behind every operand of `and`, `or` and `not` and behind what is the condition of `if`, `elif` or a
/// loop, in so far as it may be a mapping: not behind comparisons, sums and literals. Nothing else of the text changes.
class jinja_truth {
 public:
  /// `source` with the filter named.
  static std::string ask(std::string_view source, std::string_view filter) {
    jinja_truth out(source, filter);
    for (std::size_t at = 0; (at = source.find('{', at)) != source.npos && at + 1 < source.size();) {
      const char kind = source[at + 1];
      if (kind == '#') at = std::min(source.find("#}", at + 2), source.size());
      if (kind != '{' && kind != '%') {
        at += 1;
        continue;
      }
      at = out.tag(at + 2, kind == '%');
    }
    out.copy_to(source.size());
    return std::move(out.text_);
  }

 private:
  enum class part : std::uint8_t {
    name,
    literal,
    open,
    close,
    dot,
    bar,
    boundary,
    calculation,
    truth_and,
    truth_or,
    negation,
    condition,
    otherwise
  };
  struct token {
    part what;
    std::size_t begin, end;
  };

  jinja_truth(std::string_view source, std::string_view filter) : source_(source), filter_(filter) {}

  static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80) != 0;
  }

  void copy_to(std::size_t end) {
    text_ += source_.substr(copied_, end - copied_);
    copied_ = end;
  }

  /// Reads a tag's inside from `at`; where it ends.
  std::size_t tag(std::size_t at, bool statement) {
    std::vector<token> tokens;
    std::size_t depth = 0;
    while (at < source_.size()) {
      if (depth == 0 && source_.substr(at).starts_with(statement ? "%}" : "}}")) break;
      const token t = next(at);
      at = t.end;
      if (t.end == t.begin) {
        ++at;  // white space
        continue;
      }
      if (t.what == part::open) ++depth;
      if (t.what == part::close && depth != 0) --depth;
      tokens.push_back(t);
    }
    // The "-" or "+" of "{%-" and "-%}".
    const auto is_control = [](const token& t) { return t.what == part::calculation; };
    if (!tokens.empty() && is_control(tokens.back())) tokens.pop_back();
    if (!tokens.empty() && is_control(tokens.front())) tokens.erase(tokens.begin());
    if (tokens.empty()) return at;
    const std::string_view first = source_.substr(tokens[0].begin, tokens[0].end - tokens[0].begin);
    expression(tokens, statement ? 1 : 0, statement && (first == "if" || first == "elif"));
    return at;
  }

  token next(std::size_t at) const {
    const char c = source_[at];
    const auto of = [&](part what, std::size_t size) { return token{what, at, at + size}; };
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') return of(part::boundary, 0);
    if (c == '\'' || c == '"') {
      std::size_t end = at + 1;
      while (end < source_.size() && source_[end] != c) end += source_[end] == '\\' ? 2 : 1;
      return {part::literal, at, std::min(end + 1, source_.size())};
    }
    if (is_word(c)) {
      std::size_t end = at;
      while (end < source_.size() && is_word(source_[end])) ++end;
      return {word(source_.substr(at, end - at)), at, end};
    }
    if (c == '(' || c == '[' || c == '{') return of(part::open, 1);
    if (c == ')' || c == ']' || c == '}') return of(part::close, 1);
    if (c == '.') return of(part::dot, 1);
    if (c == '|') return of(part::bar, 1);
    for (const std::string_view two : {"==", "!=", "<=", ">=", "//", "**"})
      if (source_.substr(at).starts_with(two)) return of(part::calculation, 2);
    return of(c == ',' || c == ':' || c == '=' ? part::boundary : part::calculation, 1);
  }

  static part word(std::string_view text) {
    if (text == "and") return part::truth_and;
    if (text == "or") return part::truth_or;
    if (text == "not") return part::negation;
    if (text == "if") return part::condition;
    if (text == "else") return part::otherwise;
    if (text == "in" || text == "is") return part::calculation;
    for (const std::string_view value : {"true", "false", "none", "True", "False", "None"})
      if (text == value) return part::literal;
    return text[0] >= '0' && text[0] <= '9' ? part::literal : part::name;
  }

  /// From token `i` to the bracket that closes, or the end; where that is. `condition`: its value is one.
  std::size_t expression(const std::vector<token>& tokens, std::size_t i, bool condition) {
    bool asked = condition;        // for the truth of what comes
    part before = part::boundary;  // the operand
    while (i < tokens.size() && tokens[i].what != part::close) {
      const part what = tokens[i].what;
      if (what != part::name && what != part::literal && what != part::open) {
        // "is not" and "not in" compare.
        const bool compares =
            what == part::negation &&
            (before == part::calculation ||
             (i + 1 < tokens.size() && tokens[i + 1].what == part::calculation && before == part::name));
        before = compares ? part::calculation : what;
        if (what == part::condition) asked = true;
        if (what == part::otherwise || what == part::boundary) asked = condition;
        ++i;
        continue;
      }
      // An operand: a name, literal or bracket and what is taken from it.
      const bool may_be_mapping = what == part::name || (what == part::open && source_[tokens[i].begin] != '[');
      bool filtered = false;
      for (bool more = true; more && i < tokens.size();) {
        switch (tokens[i].what) {
          case part::open:
            i = expression(tokens, i + 1, false) + 1;
            break;
          case part::dot:
          case part::bar:
            filtered = true;
            ++i;
            if (i < tokens.size() && tokens[i].what != part::open && tokens[i].what != part::close) ++i;
            break;
          case part::name:
          case part::literal:
            ++i;
            break;
          default:
            more = false;
        }
      }
      i = std::min(i, tokens.size());
      const part after = i < tokens.size() ? tokens[i].what : part::boundary;
      const bool compared = before == part::calculation || after == part::calculation ||
                            (after == part::negation && i + 1 < tokens.size());
      const bool operand =
          before == part::truth_and || before == part::negation || after == part::truth_and || after == part::truth_or;
      if (!compared && (asked || operand) && (may_be_mapping || filtered)) {
        copy_to(tokens[i - 1].end);
        text_ += '|';
        text_ += filter_;
      }
      before = part::name;
    }
    return i;
  }

  std::string_view source_, filter_;
  std::size_t copied_ = 0;
  std::string text_;
};

}  // namespace inlay::detail
