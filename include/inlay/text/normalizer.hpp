// SPDX-License-Identifier: Apache-2.0
// What is done to a text before it is cut into words: the steps that tokenizer.json calls normalizers. Those that need
// the tables of Unicode beyond general categories take them from a library behind `unicode_forms`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/text/charsmap.hpp"
#include "inlay/text/strip.hpp"
#include "inlay/text/tokenizer_options.hpp"
#include "inlay/text/unicode.hpp"
#include "inlay/text/utf8.hpp"

namespace inlay {

/// Normal forms and case, from a library: utf8proc in text/unicode_forms_utf8proc.hpp. Immutable.
class unicode_forms {
 public:
  enum class form : unsigned char { nfc, nfd, nfkc, nfkd };

  virtual ~unicode_forms() = default;
  /// Appends `text` in a normal form (Unicode Standard Annex 15). Bytes that are no characters stay as they are.
  virtual void normalize(form how, std::string_view text, std::string& out) const = 0;
  /// The lower-case letter, or `code`.
  virtual char32_t lower(char32_t code) const noexcept = 0;
};

/// A change of text.
class text_normalizer {
 public:
  virtual ~text_normalizer() = default;
  /// Replaces `text` by what it becomes.
  virtual void apply(std::string& text) const = 0;
};

namespace detail {

inline bool is_ascii(std::string_view text) noexcept {
  for (const char c : text)
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  return true;
}

/// Calls `visit(code, bytes)` for each character; ill-formed bytes have the code utf8::not_a_character.
template <class Visit>
void for_each_character(std::string_view text, const Visit& visit) {
  while (!text.empty()) {
    const utf8::decoded d = utf8::decode(text);
    visit(d.code, text.substr(0, d.size));
    text.remove_prefix(d.size);
  }
}

/// Ideographs between which BERT puts spaces; not kana, not Hangul.
constexpr bool is_bert_ideograph(char32_t c) noexcept {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

}  // namespace detail

/// Steps, one after the other.
class normalizer_chain final : public text_normalizer {
 public:
  enum class kind : unsigned char {
    nfc,
    nfd,
    nfkc,
    nfkd,
    lowercase,
    strip_accents,     ///< removes the marks that take no space (Mn), as BERT does
    strip_marks,       ///< removes all marks (M)
    clean,             ///< BERT: control characters go, white space becomes a space
    space_ideographs,  ///< BERT: spaces around each ideograph
    replace,           ///< every `from` by `to`
    prepend,           ///< `to` before a text that is not empty
    strip_left,
    strip_right,
    strip_spaces,     ///< spaces at both ends
    collapse_spaces,  ///< runs of spaces become one
    collapse_white,   ///< runs of white space become one space, none at the ends
    charsmap,         ///< SentencePiece's own table
  };
  struct step {
    kind what;
    std::string from = {}, to = {};
    detail::charsmap map = {};
  };

  /// `forms` may be null if no step needs them; it must outlive the chain.
  normalizer_chain(std::vector<step> steps, const unicode_forms* forms) : steps_(std::move(steps)), forms_(forms) {}

  static bool needs_forms(kind k) noexcept { return k <= kind::lowercase; }
  bool empty() const noexcept { return steps_.empty(); }

  void apply(std::string& text) const override {
    std::string next;
    for (const step& s : steps_) {
      if (text.empty()) return;
      const bool same = s.what <= kind::nfkd && detail::is_ascii(text);
      if (same) continue;
      next.clear();
      next.reserve(text.size() + text.size() / 8);
      apply(s, text, next);
      text.swap(next);
    }
  }

 private:
  void apply(const step& s, std::string_view text, std::string& out) const {
    using detail::for_each_character;
    using form = unicode_forms::form;
    switch (s.what) {
      case kind::nfc:
        return forms_->normalize(form::nfc, text, out);
      case kind::nfd:
        return forms_->normalize(form::nfd, text, out);
      case kind::nfkc:
        return forms_->normalize(form::nfkc, text, out);
      case kind::nfkd:
        return forms_->normalize(form::nfkd, text, out);
      case kind::lowercase:
        return for_each_character(text, [&](char32_t c, std::string_view bytes) {
          if (c < 0x80) {
            out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
          } else if (c == utf8::not_a_character) {
            out += bytes;
          } else if (c == 0x130) {  // the only letter whose lower case is two: i and a dot above
            out += "i\xCC\x87";
          } else {
            utf8::append(out, forms_->lower(c));
          }
        });
      case kind::strip_accents:
        return for_each_character(text, [&](char32_t c, std::string_view bytes) {
          if (unicode::category_of(c) != unicode::category::mn) out += bytes;
        });
      case kind::strip_marks:
        return for_each_character(text, [&](char32_t c, std::string_view bytes) {
          if (!unicode::is(unicode::mark, c)) out += bytes;
        });
      case kind::clean:
        return for_each_character(text, [&](char32_t c, std::string_view bytes) {
          const unicode::category k = unicode::category_of(c);
          if (c == '\t' || c == '\n' || c == '\r' || k == unicode::category::z)
            out += ' ';
          else if (c != 0xFFFD && c != utf8::not_a_character && !unicode::is(control_set, k) && !is_private(c))
            out += bytes;
        });
      case kind::space_ideographs:
        return for_each_character(text, [&](char32_t c, std::string_view bytes) {
          const bool spaced = detail::is_bert_ideograph(c);
          if (spaced) out += ' ';
          out += bytes;
          if (spaced) out += ' ';
        });
      case kind::replace:
        for (std::size_t at; (at = text.find(s.from)) != text.npos; text.remove_prefix(at + s.from.size())) {
          out += text.substr(0, at);
          out += s.to;
        }
        out += text;
        return;
      case kind::prepend:
        out += s.to;
        out += text;
        return;
      case kind::strip_spaces: {
        const std::size_t begin = text.find_first_not_of(' ');
        if (begin != text.npos) out += text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
        return;
      }
      case kind::collapse_spaces:
        for (const char c : text)
          if (c != ' ' || out.empty() || out.back() != ' ') out += c;
        return;
      case kind::collapse_white:
        for_each_character(strip_white(text, true, true), [&](char32_t c, std::string_view bytes) {
          if (!unicode::is(unicode::white_space, c))
            out += bytes;
          else if (out.back() != ' ')
            out += ' ';
        });
        return;
      case kind::charsmap:
        out = text;
        s.map.apply(out);
        return;
      case kind::strip_left:
        out += strip_white(text, true, false);
        return;
      case kind::strip_right:
        out += strip_white(text, false, true);
        return;
    }
  }

  static std::string_view strip_white(std::string_view text, bool left, bool right) noexcept {
    while (left && !text.empty()) {
      const utf8::decoded d = utf8::decode(text);
      if (!unicode::is(unicode::white_space, d.code)) break;
      text.remove_prefix(d.size);
    }
    while (right && !text.empty()) {
      const std::size_t last = detail::last_character(text);
      if (!unicode::is(unicode::white_space, utf8::decode(text.substr(last)).code)) break;
      text = text.substr(0, last);
    }
    return text;
  }

  static constexpr unicode::set control_set =
      unicode::any_of(unicode::category::cc, unicode::category::cf, unicode::category::ws);
  static constexpr bool is_private(char32_t c) noexcept {
    return (c >= 0xE000 && c <= 0xF8FF) || (c >= 0xF0000 && c <= 0xFFFFD) || (c >= 0x100000 && c <= 0x10FFFD);
  }

  std::vector<step> steps_;
  const unicode_forms* forms_;
};

}  // namespace inlay
