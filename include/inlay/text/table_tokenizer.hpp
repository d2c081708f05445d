// SPDX-License-Identifier: Apache-2.0
// What all tokenizers share: the token table, the added tokens that are cut out of the text before the model sees it,
// and the tokens around a text.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/text/added_tokens.hpp"
#include "inlay/text/normalizer.hpp"
#include "inlay/text/strip.hpp"
#include "inlay/text/token_table.hpp"
#include "inlay/text/tokenizer.hpp"
#include "inlay/text/unicode.hpp"
#include "inlay/text/utf8.hpp"

namespace inlay::detail {

/// The parts of a tokenizer that do not depend on its model.
struct tokenizer_parts {
  token_table tokens;
  added_token_matcher added;                          ///< looked for in the text as it is
  added_token_matcher added_normalized;               ///< looked for in the normalized text
  std::unique_ptr<const text_normalizer> normalizer;  ///< null: the text stays as it is
  special_ids specials;
  std::vector<token_id> prefix, suffix;
  bool strips_first_space = false;
};

class table_tokenizer : public tokenizer {
 public:
  using tokenizer::encode;

  std::size_t size() const noexcept final { return parts_.tokens.size(); }
  std::string_view piece(token_id id) const noexcept final { return parts_.tokens[id]; }
  token_kind kind(token_id id) const noexcept final { return parts_.tokens.kind(id); }
  const special_ids& specials() const noexcept final { return parts_.specials; }
  std::span<const token_id> prefix() const noexcept final { return parts_.prefix; }
  std::span<const token_id> suffix() const noexcept final { return parts_.suffix; }
  bool strips_first_space() const noexcept final { return parts_.strips_first_space; }

  bool strips_after(token_id id) const noexcept final {
    return parts_.added.strips_after(id) || parts_.added_normalized.strips_after(id);
  }

  std::optional<token_id> find(std::string_view text) const noexcept final {
    token_id id = parts_.tokens.find_name(text);
    if (id == no_token) id = parts_.tokens.find_text(text);
    return id == no_token ? std::nullopt : std::optional(id);
  }

  void encode(std::string_view text, std::vector<token_id>& out, const encode_options& options) const final {
    if (options.add_special_tokens) out.insert(out.end(), parts_.prefix.begin(), parts_.prefix.end());
    cut(parts_.added, text, options.place, options.specials, out, [&](std::string_view part, text_place place) {
      std::string changed;
      if (parts_.normalizer) {
        changed = part;
        parts_.normalizer->apply(changed);
        part = changed;
      }
      cut(parts_.added_normalized, part, place, options.specials, out,
          [&](std::string_view rest, text_place where) { encode_text(rest, where, out); });
    });
    if (options.add_special_tokens) out.insert(out.end(), parts_.suffix.begin(), parts_.suffix.end());
  }

 protected:
  explicit table_tokenizer(tokenizer_parts parts) : parts_(std::move(parts)) {}

  /// Appends the ids of a text without added tokens, which is not empty.
  virtual void encode_text(std::string_view text, text_place place, std::vector<token_id>& out) const = 0;

  const token_table& tokens() const noexcept { return parts_.tokens; }

 private:
  /// Cuts the added tokens out of `text`: their ids go to `out`, what is between them to `on_text`.
  template <class OnText>
  static void cut(const added_token_matcher& added, std::string_view text, text_place place, special_tokens specials,
                  std::vector<token_id>& out, const OnText& on_text) {
    std::size_t done = 0, from = 0;
    for (added_token_matcher::found f; (f = added.find(text, from)).token != nullptr;) {
      std::size_t begin = f.begin, end = f.begin + f.size;
      from = end;
      if (f.token->control && specials == special_tokens::as_text) continue;
      if (f.token->single_word && (ends_in_word(text.substr(0, begin)) || begins_with_word(text.substr(end)))) continue;
      if (f.token->strip_left) begin = white_space_before(text, done, begin);
      if (f.token->strip_right) end = white_space_after(text, end);
      if (done < begin) on_text(text.substr(done, begin - done), place);
      out.push_back(f.token->id);
      place = text_place::after_token;
      done = from = end;
    }
    if (done < text.size()) on_text(text.substr(done), place);
  }

  static constexpr unicode::set word_set =
      unicode::letter | unicode::mark | unicode::any_of(unicode::category::nd, unicode::category::nl);

  static bool begins_with_word(std::string_view text) noexcept {
    return !text.empty() && in_word(utf8::decode(text).code);
  }
  static bool ends_in_word(std::string_view text) noexcept {
    return !text.empty() && in_word(utf8::decode(text.substr(last_character(text))).code);
  }
  static bool in_word(char32_t c) noexcept { return c == '_' || unicode::is(word_set, c); }

  static std::size_t white_space_before(std::string_view text, std::size_t low, std::size_t end) noexcept {
    while (low < end) {
      const std::size_t begin = low + last_character(text.substr(low, end - low));
      if (!unicode::is(unicode::white_space, utf8::decode(text.substr(begin, end - begin)).code)) break;
      end = begin;
    }
    return end;
  }
  static std::size_t white_space_after(std::string_view text, std::size_t begin) noexcept {
    while (begin < text.size()) {
      const utf8::decoded d = utf8::decode(text.substr(begin));
      if (!unicode::is(unicode::white_space, d.code)) break;
      begin += d.size;
    }
    return begin;
  }

  tokenizer_parts parts_;
};

}  // namespace inlay::detail
