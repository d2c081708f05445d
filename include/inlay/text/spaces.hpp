// SPDX-License-Identifier: Apache-2.0
// How SentencePiece treats spaces: a mark in their place, one more before the text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "inlay/text/tokenizer.hpp"

namespace inlay {

/// When a space is put before a text.
enum class space_before : unsigned char {
  never,
  always,          ///< at the begin and after each added token
  unless_present,  ///< there, unless the text begins with a space
};

namespace detail {

/// U+2581, which stands for a space in the files. In memory it is a space, in tokens and in text alike.
inline constexpr std::string_view space_mark = "\xE2\x96\x81";

inline std::string spaces_for_marks(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at; (at = text.find(space_mark)) != text.npos; text.remove_prefix(at + space_mark.size())) {
    out += text.substr(0, at);
    out += ' ';
  }
  return out += text;
}

}  // namespace detail

struct space_rules {
  space_before before = space_before::never;
  bool first_only = false;  ///< only where the sequence begins
  bool marked = true;       ///< U+2581 in tokens and text is a space

  /// The text as the model sees it; in `storage` if it is another. `text` is not empty.
  std::string_view apply(std::string_view text, text_place place, std::string& storage) const {
    const bool marks = marked && text.find(detail::space_mark) != text.npos;
    if (marks) text = storage = detail::spaces_for_marks(text);
    const bool here = place == text_place::begin || (place == text_place::after_token && !first_only);
    if (!here || before == space_before::never || (before == space_before::unless_present && text[0] == ' '))
      return text;
    if (marks) {
      storage.insert(0, 1, ' ');
    } else {
      storage.reserve(text.size() + 1);
      storage = ' ';
      storage += text;
    }
    return storage;
  }
};

}  // namespace inlay
