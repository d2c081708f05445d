// SPDX-License-Identifier: Apache-2.0
// Unigram language models (T5, XLM-R): of all ways to cut a text into tokens, the one with the highest sum of scores.
// (Kudo 2018, arXiv:1804.10959.)
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/text/border_set.hpp"
#include "inlay/text/byte_tokens.hpp"
#include "inlay/text/byte_trie.hpp"
#include "inlay/text/flat_index.hpp"
#include "inlay/text/pretokenizer.hpp"
#include "inlay/text/spaces.hpp"
#include "inlay/text/table_tokenizer.hpp"
#include "inlay/text/utf8.hpp"

namespace inlay {

class unigram final : public detail::table_tokenizer {
 public:
  struct options {
    space_rules spaces;
    pretokenizer words = {};
  };
  /// Bounds the time at each place of a text.
  static constexpr std::size_t longest_token = 1024;

  /// `scores`: one a token, none of them NaN. A character without a token costs the lowest of them and ten more.
  unigram(detail::tokenizer_parts parts, std::vector<double> scores, const detail::byte_tokens& bytes, options how)
      : table_tokenizer(std::move(parts)), how_(std::move(how)), bytes_(bytes), scores_(std::move(scores)) {
    std::vector<detail::byte_trie::entry> texts;
    double lowest = scores_.empty() ? 0.0 : scores_[0];
    for (std::size_t i = 0; i < size(); ++i) {
      const auto id = static_cast<token_id>(i);
      lowest = std::min(lowest, scores_[i]);
      if (kind(id) != token_kind::normal && kind(id) != token_kind::user_defined) continue;
      texts.push_back({piece(id), static_cast<std::uint32_t>(i)});
      borders_.add(piece(id));
    }
    trie_ = detail::byte_trie(std::move(texts));
    unknown_score_ = lowest - 10.0;
  }

 protected:
  void encode_text(std::string_view text, text_place place, std::vector<token_id>& out) const override {
    std::string storage;
    text = how_.spaces.apply(text, place, storage);
    std::vector<step> best;
    split_words(how_.words, text, [&](std::string_view word) {
      std::string_view unknown;  // characters without tokens, as far as they are neighbours
      const char* const end = word.data() + word.size();
      for (const char *begin = word.data(), *p = begin; p != end;) {
        p += utf8::decode(p, end).size;
        if (p != end && borders_.contains(p[-1], p[0]) && static_cast<std::size_t>(p - begin) < longest_part) continue;
        cut({begin, static_cast<std::size_t>(p - begin)}, best, unknown, out);
        begin = p;
      }
      spell(unknown, out);
    });
  }

 private:
  static constexpr std::size_t longest_part = std::size_t{1} << 30;

  /// The best way to a place in the text: its score, and the token it ends with.
  struct step {
    double score = 0;
    std::uint32_t begin = 0;
    token_id id = unreached;
  };
  static constexpr token_id unreached = -2;

  void cut(std::string_view part, std::vector<step>& best, std::string_view& unknown,
           std::vector<token_id>& out) const {
    best.assign(part.size() + 1, step{});
    best[0].id = detail::no_token;
    const auto reach = [&](std::size_t begin, std::size_t end, double score, token_id id) {
      step& s = best[end];
      const double sum = best[begin].score + score;
      if (s.id == unreached || sum > s.score) s = {sum, static_cast<std::uint32_t>(begin), id};
    };
    for (std::size_t i = 0; i < part.size();) {
      const std::size_t character = utf8::decode(part.substr(i)).size;
      bool single = false;
      if (best[i].id != unreached) {
        trie_.for_each_prefix(part.substr(i), [&](std::size_t length, std::uint32_t id) {
          reach(i, i + length, scores_[id], static_cast<token_id>(id));
          single = single || length == character;
        });
        if (!single) reach(i, i + character, unknown_score_, detail::no_token);
      }
      i += character;
    }
    // Back from the end; the places are turned round in the list of steps itself.
    std::uint32_t end = static_cast<std::uint32_t>(part.size());
    std::uint32_t next = end;
    for (std::uint32_t at = end; at != 0;) {
      const std::uint32_t begin = best[at].begin;
      best[at].begin = next;  // from now on: where the token after this one ends
      next = at;
      at = begin;
    }
    for (std::uint32_t begin = 0, at = next;; begin = at, at = best[at].begin) {
      if (best[at].id == detail::no_token) {
        const char* const from = unknown.empty() ? part.data() + begin : unknown.data();
        unknown = {from, static_cast<std::size_t>(part.data() + at - from)};
      } else {
        spell(unknown, out);
        unknown = {};
        out.push_back(best[at].id);
      }
      if (at == end) break;
    }
  }

  // Characters without tokens: the tokens of their bytes, or one unknown token for all of them.
  void spell(std::string_view characters, std::vector<token_id>& out) const {
    if (characters.empty() || bytes_.spell(characters, out)) return;
    if (specials().unknown) out.push_back(*specials().unknown);
  }

  options how_;
  detail::byte_tokens bytes_;
  std::vector<double> scores_;
  double unknown_score_ = 0;
  detail::byte_trie trie_;
  detail::border_set borders_;
};

}  // namespace inlay
