// SPDX-License-Identifier: Apache-2.0
// Finds the added tokens of a vocabulary in a text: at each place the longest, from left to right.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/text/byte_trie.hpp"
#include "inlay/text/token.hpp"

namespace inlay::detail {

struct added_token {
  token_id id = -1;
  bool control = false;      ///< left alone when special tokens are text
  bool strip_left = false;   ///< takes the white space before it along
  bool strip_right = false;  ///< takes the white space after it along
  bool single_word = false;  ///< only between characters that are not part of words
};

/// No text is longer than `longest`, which bounds the time at each place.
class added_token_matcher {
 public:
  static constexpr std::size_t longest = 512;

  struct entry {
    std::string_view text;
    added_token token;
  };

  added_token_matcher() = default;

  /// Empty texts are left out; of equal texts the first counts.
  static result<added_token_matcher> make(const std::vector<entry>& entries, std::string_view source) {
    added_token_matcher m;
    std::vector<byte_trie::entry> texts;
    for (const entry& e : entries) {
      if (e.text.size() > longest)
        return fail(errc::unsupported, concat(source, ": added token ", e.token.id, " has ", e.text.size(),
                                              " bytes, at most ", longest, " are supported."));
      if (e.text.empty()) continue;
      m.first_[static_cast<unsigned char>(e.text[0])] = true;
      m.strips_ = m.strips_ || e.token.strip_right;
      texts.push_back({e.text, static_cast<std::uint32_t>(m.tokens_.size())});
      m.tokens_.push_back(e.token);
    }
    m.trie_ = byte_trie(std::move(texts));
    return m;
  }

  bool strips_after(token_id id) const noexcept {
    if (!strips_) return false;
    for (const added_token& t : tokens_)
      if (t.id == id) return t.strip_right;
    return false;
  }

  struct found {
    std::size_t begin = 0, size = 0;
    const added_token* token = nullptr;  ///< null: nothing found
  };

  /// The first match at or after `from`.
  found find(std::string_view text, std::size_t from) const noexcept {
    if (trie_.empty()) return {};
    for (std::size_t i = from; i < text.size(); ++i) {
      if (!first_[static_cast<unsigned char>(text[i])]) continue;
      found best;
      trie_.for_each_prefix(text.substr(i),
                            [&](std::size_t length, std::uint32_t token) { best = {i, length, &tokens_[token]}; });
      if (best.token != nullptr) return best;
    }
    return {};
  }

 private:
  byte_trie trie_;
  std::vector<added_token> tokens_;
  std::array<bool, 256> first_{};
  bool strips_ = false;
};

}  // namespace inlay::detail
