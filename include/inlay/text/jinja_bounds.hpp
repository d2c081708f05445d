// SPDX-License-Identifier: Apache-2.0
// Which Jinja templates are handed to the engine of chat_jinja.hpp. Its parser recurses as deep as a template nests, so
// a hostile one is refused before.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "inlay/core/error.hpp"

namespace inlay::detail {

/// errc::unsupported where a template is too long, or nests too deep: brackets and prefixes in a tag, tags in each
/// other.
inline result<void> check_jinja_bounds(std::string_view source) {
  constexpr std::size_t longest = std::size_t{1} << 20, most_brackets = 100, most_words = 1000, most_blocks = 100;
  if (source.size() > longest)
    return fail(errc::unsupported,
                concat("The chat template has ", source.size(), " bytes, at most ", longest, " are read."));
  std::size_t blocks = 0;
  for (std::size_t at = 0; (at = source.find('{', at)) != source.npos && at + 1 < source.size();) {
    const char kind = source[++at];
    if (kind != '{' && kind != '%') continue;
    std::string_view tag = source.substr(at + 1);
    if (tag.starts_with('-')) tag.remove_prefix(1);
    const std::size_t first = tag.find_first_not_of(" \t\r\n");
    const std::string_view word = first == tag.npos ? std::string_view{} : tag.substr(first);
    if (kind == '%') {
      const bool opens = word.starts_with("if") || word.starts_with("for") || word.starts_with("macro") ||
                         word.starts_with("filter") || word.starts_with("call") || word.starts_with("set");
      if (word.starts_with("end"))
        blocks -= blocks != 0;
      else
        blocks += opens && !(word.starts_with("set") && word.substr(0, word.find("%}")).find('=') != word.npos);
    }
    std::size_t brackets = 0, deepest = 0, words = 0, i = 0;
    for (char quote = 0; i < tag.size(); ++i) {
      const char c = tag[i];
      if (quote != 0) {
        if (c == '\\') ++i;
        if (c == quote) quote = 0;
      } else if (c == '\'' || c == '"') {
        quote = c;
      } else if (tag.substr(i).starts_with(kind == '%' ? "%}" : "}}") && brackets == 0) {
        break;
      } else if (c == '(' || c == '[' || c == '{') {
        deepest = std::max(deepest, ++brackets);
      } else if ((c == ')' || c == ']' || c == '}') && brackets != 0) {
        --brackets;
      } else {
        words += c == '-' || c == '+' || c == ' ';
      }
    }
    if (deepest > most_brackets || words > most_words || blocks > most_blocks)
      return fail(errc::unsupported, "The chat template nests too deep.");
    at += i;
  }
  return {};
}

}  // namespace inlay::detail
