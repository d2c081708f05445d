// SPDX-License-Identifier: Apache-2.0
// Templates in the words of a Jinja engine that differs from Python's. The one of chat_jinja.hpp takes empty mappings
// for true, a null for something undefined, and mappings with an empty member for unequal to themselves; a template
// that names a filter wherever truth or equality is asked for, and null by a name of its own, leaves these to the
// caller.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace inlay::detail {

/// What a template has instead of Python's words.
struct jinja_words {
  std::string_view truth;    ///< filter: false for what Python takes for false
  std::string_view null;     ///< variable: None
  std::string_view equal;    ///< filter of one argument: ==
  std::string_view unequal;  ///< filter of one argument: !=
};

/// Rewrites templates. Only this of the text changes:
///
/// - `|truth` stands behind every operand of `and`, `or` and `not` and behind the condition of `if`, `elif` or a loop,
///   in so far as it may be a mapping or null: not behind comparisons, sums and other literals;
/// - `none` is the variable `null`, which `.get(key)` gives too;
/// - `is none`, `is true` and `is false` are `==`, what they are in Python, and `is undefined` is `is not defined`;
/// - `a == b` is `a|equal(b)` where both may be mappings or lists.
class jinja_source {
 public:
  static std::string rewritten(std::string_view source, const jinja_words& words) {
    jinja_source out(source, words);
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
    null,
    open,
    close,
    dot,
    bar,
    boundary,
    calculation,
    equality,
    identity,
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

  jinja_source(std::string_view source, const jinja_words& words) : source_(source), words_(words) {}

  static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80) != 0;
  }

  void copy_to(std::size_t end) {
    text_ += source_.substr(copied_, end - copied_);
    copied_ = end;
  }

  void replace(std::size_t begin, std::size_t end, std::string_view by) {
    copy_to(begin);
    text_ += by;
    copied_ = end;
  }

  std::string_view text_of(const token& t) const { return source_.substr(t.begin, t.end - t.begin); }

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
    const std::string_view first = text_of(tokens[0]);
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
    for (const std::string_view two : {"==", "!="})
      if (source_.substr(at).starts_with(two)) return of(part::equality, 2);
    for (const std::string_view two : {"<=", ">=", "//", "**"})
      if (source_.substr(at).starts_with(two)) return of(part::calculation, 2);
    return of(c == ',' || c == ':' || c == '=' ? part::boundary : part::calculation, 1);
  }

  static part word(std::string_view text) {
    if (text == "and") return part::truth_and;
    if (text == "or") return part::truth_or;
    if (text == "not") return part::negation;
    if (text == "if") return part::condition;
    if (text == "else") return part::otherwise;
    if (text == "in") return part::calculation;
    if (text == "is") return part::identity;
    if (text == "none" || text == "None") return part::null;
    for (const std::string_view value : {"true", "false", "True", "False"})
      if (text == value) return part::literal;
    return text[0] >= '0' && text[0] <= '9' ? part::literal : part::name;
  }

  static bool compares(part what) {
    return what == part::calculation || what == part::equality || what == part::identity;
  }
  /// Whether token `i` begins an operand that may be a mapping, a list or null.
  static bool may_be_container(const std::vector<token>& tokens, std::size_t i) {
    return i < tokens.size() &&
           (tokens[i].what == part::name || tokens[i].what == part::null || tokens[i].what == part::open);
  }

  /// Behind the bracket that token `i` opens.
  static std::size_t behind_bracket(const std::vector<token>& tokens, std::size_t i) {
    for (std::size_t depth = 0; i < tokens.size(); ++i) {
      if (tokens[i].what == part::open) ++depth;
      if (tokens[i].what == part::close && --depth == 0) return i + 1;
    }
    return tokens.size();
  }
  /// Behind the operand that begins with token `i`: a name, literal or bracket and what is taken from it.
  static std::size_t behind_operand(const std::vector<token>& tokens, std::size_t i) {
    while (i < tokens.size()) {
      switch (tokens[i].what) {
        case part::open:
          i = behind_bracket(tokens, i);
          break;
        case part::dot:
        case part::bar:
          ++i;
          if (i < tokens.size() && tokens[i].what != part::open && tokens[i].what != part::close) ++i;
          break;
        case part::name:
        case part::literal:
        case part::null:
          ++i;
          break;
        default:
          return i;
      }
    }
    return i;
  }

  /// Rewrites the operand that begins with token `i`, but for what is asked of it; the token behind it.
  std::size_t operand(const std::vector<token>& tokens, std::size_t i) {
    const std::size_t end = behind_operand(tokens, i);
    while (i < end) {
      const token& t = tokens[i];
      if (t.what == part::null) replace(t.begin, t.end, words_.null);
      if (t.what == part::open) {
        const bool is_get = i >= 2 && tokens[i - 2].what == part::dot && text_of(tokens[i - 1]) == "get";
        const std::size_t behind = behind_bracket(tokens, i);
        expression(tokens, i + 1, false);
        if (is_get && is_one_value(tokens, i + 1, behind)) {
          replace(tokens[behind - 1].begin, tokens[behind - 1].begin, ", ");
          text_ += words_.null;
        }
        i = behind;
        continue;
      }
      // What is taken: a word, whatever it is elsewhere.
      i += (t.what == part::dot || t.what == part::bar) && i + 1 < end && tokens[i + 1].what != part::open ? 2 : 1;
    }
    return end;
  }
  /// Whether a bracket that ends before token `end` holds something and no comma.
  bool is_one_value(const std::vector<token>& tokens, std::size_t i, std::size_t end) const {
    if (i + 1 >= end || tokens[end - 1].what != part::close) return false;
    for (; i + 1 < end; i += tokens[i].what != part::open) {
      if (tokens[i].what == part::open)
        i = behind_bracket(tokens, i);
      else if (source_[tokens[i].begin] == ',')
        return false;
    }
    return true;
  }

  /// `is none`, `is not true`, `is undefined`: behind the literal, or `i`.
  std::size_t identity(const std::vector<token>& tokens, std::size_t i) {
    const bool negated = i + 1 < tokens.size() && tokens[i + 1].what == part::negation;
    const std::size_t value = i + 1 + negated;
    if (value >= tokens.size()) return i;
    if (text_of(tokens[value]) == "undefined") {
      replace(tokens[i].begin, tokens[value].end, negated ? "is defined" : "is not defined");
      return value + 1;
    }
    const bool is_null = tokens[value].what == part::null;
    if (!is_null && text_of(tokens[value]) != "true" && text_of(tokens[value]) != "false") return i;
    replace(tokens[i].begin, tokens[value - 1].end, negated ? "!=" : "==");
    if (is_null) replace(tokens[value].begin, tokens[value].end, words_.null);
    return value + 1;
  }

  /// From token `i` to the bracket that closes, or the end; where that is. `condition`: its value is one.
  std::size_t expression(const std::vector<token>& tokens, std::size_t i, bool condition) {
    bool asked = condition;        // for the truth of what comes
    part before = part::boundary;  // the operand
    while (i < tokens.size() && tokens[i].what != part::close) {
      const part what = tokens[i].what;
      if (what == part::identity) {
        const std::size_t behind = identity(tokens, i);
        before = behind == i ? what : part::name;
        i = std::max(behind, i + 1);
        continue;
      }
      if (what != part::name && what != part::literal && what != part::null && what != part::open) {
        // "is not" and "not in" compare.
        const bool is_comparison =
            what == part::negation &&
            (compares(before) || (i + 1 < tokens.size() && compares(tokens[i + 1].what) && before == part::name));
        before = is_comparison ? part::calculation : what;
        if (what == part::condition) asked = true;
        if (what == part::otherwise || what == part::boundary) asked = condition;
        ++i;
        continue;
      }
      const std::size_t begin = i;
      i = operand(tokens, i);
      const part after = i < tokens.size() ? tokens[i].what : part::boundary;
      const bool container = may_be_container(tokens, begin);
      const bool may_be_false = container && source_[tokens[begin].begin] != '[';
      if (after == part::equality && !compares(before) && container && may_be_container(tokens, i + 1)) {
        const std::size_t end = behind_operand(tokens, i + 1);
        if (end == tokens.size() || !compares(tokens[end].what)) {
          const bool unequal = source_[tokens[i].begin] == '!';
          replace(tokens[i - 1].end, tokens[i + 1].begin, "|");
          text_ += unequal ? words_.unequal : words_.equal;
          text_ += '(';
          i = operand(tokens, i + 1);
          replace(tokens[i - 1].end, tokens[i - 1].end, ")");
          before = part::name;
          continue;
        }
      }
      const bool compared = compares(before) || compares(after) || (after == part::negation && i + 1 < tokens.size());
      const bool is_operand =
          before == part::truth_and || before == part::negation || after == part::truth_and || after == part::truth_or;
      const bool filtered = std::any_of(tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                                        tokens.begin() + static_cast<std::ptrdiff_t>(i),
                                        [](const token& t) { return t.what == part::dot || t.what == part::bar; });
      if (!compared && (asked || is_operand) && (may_be_false || filtered)) {
        replace(tokens[i - 1].end, tokens[i - 1].end, "|");
        text_ += words_.truth;
      }
      before = part::name;
    }
    return i;
  }

  std::string_view source_;
  jinja_words words_;
  std::size_t copied_ = 0;
  std::string text_;
};

}  // namespace inlay::detail
