// SPDX-License-Identifier: Apache-2.0
// BPE on characters as SentencePiece has it (Llama 2, TinyLlama, Mistral 7B, Gemma): no words, spaces are characters
// like others, and characters without a token become the tokens of their bytes. Pairs are joined by the score of what
// they make (GGUF, .model files) or by the rank of a merge (tokenizer.json). (Kudo and Richardson 2018,
// arXiv:1808.06226.)
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "inlay/text/border_set.hpp"
#include "inlay/text/byte_tokens.hpp"
#include "inlay/text/flat_index.hpp"
#include "inlay/text/merger.hpp"
#include "inlay/text/pretokenizer.hpp"
#include "inlay/text/spaces.hpp"
#include "inlay/text/table_tokenizer.hpp"
#include "inlay/text/utf8.hpp"

namespace inlay {

namespace detail {

/// Ranks in the order of falling scores; never merge::none. NaN is not allowed.
constexpr std::uint32_t rank_of_score(float score) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(score + 0.0f);  // -0 is 0
  const std::uint32_t ascending = bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
  return ~ascending;
}

}  // namespace detail

class sentencepiece_bpe final : public detail::table_tokenizer {
 public:
  struct options {
    space_rules spaces;
    bool fuse_unknown = true;      ///< neighbouring characters that have no token are one unknown token
    bool whole_words = false;      ///< a word of `words` that is a token is taken as it is
    bool whole_line_ends = false;  ///< so are runs of line ends, if `words` makes them words
    pretokenizer words = {};
  };
  /// Scores, one a token, or merges.
  using joins = std::variant<std::vector<float>, detail::merge_index>;

  /// Looking up pairs by their text costs time in proportion to its length.
  static constexpr std::size_t longest_scored = 1024;

  sentencepiece_bpe(detail::tokenizer_parts parts, joins by, const detail::byte_tokens& bytes, options how)
      : table_tokenizer(std::move(parts)), how_(std::move(how)), bytes_(bytes) {
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
    std::string storage;
    text = how_.spaces.apply(text, place, storage);
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
    if (bytes_.spell(character, state.out)) {
      state.unknown_before = false;
      return;
    }
    if (!specials().unknown || (state.unknown_before && how_.fuse_unknown)) return;
    emit(*specials().unknown, state);
    state.unknown_before = true;
  }

  std::uint32_t rank(token_id id) const noexcept { return ranks_.empty() ? 0 : ranks_[static_cast<std::size_t>(id)]; }

  options how_;
  detail::byte_tokens bytes_;
  detail::border_set borders_;
  std::size_t longest_ = 0;
  std::vector<std::uint32_t> ranks_;  // by token
  detail::merge_index merges_;
  bool by_rank_ = false;
};

}  // namespace inlay
