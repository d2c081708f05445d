// SPDX-License-Identifier: Apache-2.0
// BPE on characters as SentencePiece has it (Llama 2, TinyLlama, Mistral 7B, Gemma): no words, spaces are characters
// like others, and characters without a token become the tokens of their bytes. Pairs are joined by the score of what
// they make (GGUF, .model files) or by the rank of a merge (tokenizer.json). (Kudo and Richardson 2018,
// arXiv:1808.06226.)
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "inlay/text/flat_index.hpp"
#include "inlay/text/merger.hpp"
#include "inlay/text/pretokenizer.hpp"
#include "inlay/text/table_tokenizer.hpp"
#include "inlay/text/utf8.hpp"

namespace inlay {

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

/// The byte of "<0x41>", or -1.
inline int byte_of_token(std::string_view text) noexcept {
  if (text.size() != 6 || text.substr(0, 3) != "<0x" || text[5] != '>') return -1;
  int value = 0;
  for (const char c : text.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/// Ranks in the order of falling scores; never merge::none. NaN is not allowed.
constexpr std::uint32_t rank_of_score(float score) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(score + 0.0f);  // -0 is 0
  const std::uint32_t ascending = bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
  return ~ascending;
}

/// Which pairs of bytes stand next to each other, over the border of two characters, in any token. Text can be cut
/// where no token could lie across, which makes words out of it, and words are quick.
class border_set {
 public:
  void add(std::string_view token) {
    const char* const end = token.data() + token.size();
    for (const char* p = token.data(); p != end;) {
      p += utf8::decode(p, end).size;
      if (p != end) row(p[-1])[byte(p[0]) / 64] |= std::uint64_t{1} << byte(p[0]) % 64;
    }
  }
  bool contains(char left, char right) const noexcept {
    return (pairs_[byte(left)][byte(right) / 64] >> byte(right) % 64 & 1) != 0;
  }

 private:
  static std::size_t byte(char c) noexcept { return static_cast<unsigned char>(c); }
  std::array<std::uint64_t, 4>& row(char c) noexcept { return pairs_[byte(c)]; }
  std::array<std::array<std::uint64_t, 4>, 256> pairs_{};
};

}  // namespace detail

class sentencepiece_bpe final : public detail::table_tokenizer {
 public:
  /// When a space is put before a text.
  enum class space_before : unsigned char {
    never,
    always,          ///< at the begin and after each added token
    unless_present,  ///< there, unless the text begins with a space
  };
  struct options {
    space_before space = space_before::always;
    bool first_only = false;       ///< at the begin only
    bool marks_spaces = true;      ///< U+2581 in tokens and text is a space
    bool fuse_unknown = true;      ///< neighbouring characters that have no token are one unknown token
    bool whole_words = false;      ///< a word of `words` that is a token is taken as it is
    bool whole_line_ends = false;  ///< so are runs of line ends, if `words` makes them words
    pretokenizer words = {};
  };
  /// Scores, one a token, or merges.
  using joins = std::variant<std::vector<float>, detail::merge_index>;

  /// Looking up pairs by their text costs time in proportion to its length.
  static constexpr std::size_t longest_scored = 1024;

  /// `bytes`: the tokens of single bytes, no_token where there is none.
  sentencepiece_bpe(detail::tokenizer_parts parts, joins by, const std::array<token_id, 256>& bytes, options how)
      : table_tokenizer(std::move(parts)), how_(how), bytes_(bytes) {
    for (std::size_t i = 0; i < size(); ++i) {
      const auto id = static_cast<token_id>(i);
      const token_kind k = kind(id);
      if (k != token_kind::normal && k != token_kind::user_defined && k != token_kind::unused) continue;
      borders_.add(piece(id));
      longest_ = std::max(longest_, piece(id).size());
    }
    if (const auto* scores = std::get_if<std::vector<float>>(&by)) {
      for (const float s : *scores) ranks_.push_back(detail::rank_of_score(s));
    } else if (auto* merges = std::get_if<detail::merge_index>(&by)) {
      merges_ = std::move(*merges);
      by_rank_ = true;
    }
  }

 protected:
  void encode_text(std::string_view text, text_place place, std::vector<token_id>& out) const override {
    const bool marks = how_.marks_spaces && text.find(detail::space_mark) != text.npos;
    std::string changed;
    if (marks) text = changed = detail::spaces_for_marks(text);
    const bool here = place == text_place::begin || (place == text_place::after_token && !how_.first_only);
    const bool prefix =
        here && (how_.space == space_before::always || (how_.space == space_before::unless_present && text[0] != ' '));
    if (prefix) {
      if (marks) {
        changed.insert(0, 1, ' ');
      } else {
        changed.reserve(text.size() + 1);
        changed = ' ';
        changed += text;
      }
      text = changed;
    }
    run state{out, {}, false};
    split_words(how_.words, text, [&](std::string_view word) {
      if (how_.whole_words || (how_.whole_line_ends && word[0] == '\n')) {
        if (const token_id id = tokens().find_text(word); id != detail::no_token) {
          emit(id, state);
          return;
        }
      }
      encode_word(word, state);
    });
  }

 private:
  struct run {
    std::vector<token_id>& out;
    detail::merger scratch;
    bool unknown_before;
  };

  // Positions in a part are 32 bit.
  static constexpr std::size_t longest_part = std::size_t{1} << 30;

  void encode_word(std::string_view word, run& state) const {
    const char* const end = word.data() + word.size();
    const char* begin = word.data();
    state.scratch.clear();
    for (const char* p = begin; p != end;) {
      const std::uint32_t n = utf8::decode(p, end).size;
      state.scratch.push(tokens().find_text({p, n}), static_cast<std::uint32_t>(p - begin));
      p += n;
      if (p == end || !borders_.contains(p[-1], p[0]) || static_cast<std::size_t>(p - begin) >= longest_part) {
        join({begin, static_cast<std::size_t>(p - begin)}, state);
        state.scratch.clear();
        begin = p;
      }
    }
  }

  void join(std::string_view part, run& state) const {
    const auto size = static_cast<std::uint32_t>(part.size());
    if (by_rank_)
      state.scratch.run(size, [this](token_id left, token_id right, std::uint32_t, std::uint32_t) {
        return merges_.find(left, right);
      });
    else
      state.scratch.run(size, [this, part](token_id, token_id, std::uint32_t begin, std::uint32_t end) {
        if (end - begin > longest_) return detail::merge{};
        const token_id id = tokens().find_text(part.substr(begin, end - begin));
        return id == detail::no_token ? detail::merge{} : detail::merge{rank(id), id};
      });
    state.scratch.for_each(size, [&](token_id id, std::uint32_t begin, std::uint32_t end) {
      if (id != detail::no_token)
        emit(id, state);
      else
        emit_bytes(part.substr(begin, end - begin), state);
    });
  }

  void emit(token_id id, run& state) const {
    state.out.push_back(id);
    state.unknown_before = false;
  }

  // A character without a token: its bytes, if all of them have tokens, otherwise the unknown token.
  void emit_bytes(std::string_view character, run& state) const {
    bool all = true;
    for (const char c : character) all = all && byte_token(c) != detail::no_token;
    if (all) {
      for (const char c : character) emit(byte_token(c), state);
      return;
    }
    if (!specials().unknown || (state.unknown_before && how_.fuse_unknown)) return;
    emit(*specials().unknown, state);
    state.unknown_before = true;
  }

  token_id byte_token(char c) const noexcept { return bytes_[static_cast<unsigned char>(c)]; }
  std::uint32_t rank(token_id id) const noexcept { return ranks_.empty() ? 0 : ranks_[static_cast<std::size_t>(id)]; }

  options how_;
  std::array<token_id, 256> bytes_;
  detail::border_set borders_;
  std::size_t longest_ = 0;
  std::vector<std::uint32_t> ranks_;  // by token
  detail::merge_index merges_;
  bool by_rank_ = false;
};

}  // namespace inlay
