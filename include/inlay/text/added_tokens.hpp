// SPDX-License-Identifier: Apache-2.0
// Finds the added tokens of a vocabulary in a text: at each place the longest, from left to right.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/text/token.hpp"

namespace inlay::detail {

struct added_token {
  token_id id = -1;
  bool control = false;      ///< left alone when special tokens are text
  bool strip_left = false;   ///< takes the white space before it along
  bool strip_right = false;  ///< takes the white space after it along
  bool single_word = false;  ///< only between characters that are not part of words
};

/// A trie of the tokens' texts. No text is longer than `longest`, which bounds the time at each place.
class added_token_matcher {
 public:
  static constexpr std::size_t longest = 512;

  struct entry {
    std::string_view text;
    added_token token;
  };

  added_token_matcher() = default;

  /// Empty texts are left out; of equal texts the lowest id counts.
  static result<added_token_matcher> make(std::vector<entry> entries, std::string_view source) {
    added_token_matcher m;
    for (const entry& e : entries)
      if (e.text.size() > longest)
        return fail(errc::unsupported, concat(source, ": added token ", e.token.id, " has ", e.text.size(),
                                              " bytes, at most ", longest, " are supported"));
    std::erase_if(entries, [](const entry& e) { return e.text.empty(); });
    if (entries.empty()) return m;
    std::sort(entries.begin(), entries.end(), [](const entry& a, const entry& b) {
      return a.text != b.text ? a.text < b.text : a.token.id < b.token.id;
    });
    entries.erase(
        std::unique(entries.begin(), entries.end(), [](const entry& a, const entry& b) { return a.text == b.text; }),
        entries.end());
    for (const entry& e : entries) m.first_[static_cast<unsigned char>(e.text[0])] = true, m.tokens_.push_back(e.token);
    // Breadth first: a node is the range of sorted entries that share its text.
    struct range {
      std::size_t begin, end, depth;
    };
    std::vector<range> queue{{0, entries.size(), 0}};
    for (std::size_t at = 0; at < queue.size(); ++at) {
      range r = queue[at];
      node n{static_cast<std::uint32_t>(m.edges_.size()), 0, none};
      if (entries[r.begin].text.size() == r.depth) n.token = static_cast<std::uint32_t>(r.begin++);
      while (r.begin < r.end) {
        const char c = entries[r.begin].text[r.depth];
        std::size_t same = r.begin;
        while (same < r.end && entries[same].text[r.depth] == c) ++same;
        m.edges_.push_back({c, static_cast<std::uint32_t>(queue.size())});
        queue.push_back({r.begin, same, r.depth + 1});
        r.begin = same;
      }
      n.edges_end = static_cast<std::uint32_t>(m.edges_.size());
      m.nodes_.push_back(n);
    }
    return m;
  }

  bool empty() const noexcept { return nodes_.empty(); }

  struct found {
    std::size_t begin = 0, size = 0;  ///< size 0: nothing found
    const added_token* token = nullptr;
  };

  /// The first match at or after `from`.
  found find(std::string_view text, std::size_t from) const noexcept {
    if (empty()) return {};
    for (std::size_t i = from; i < text.size(); ++i) {
      if (!first_[static_cast<unsigned char>(text[i])]) continue;
      if (const found f = longest_at(text, i); f.token != nullptr) return f;
    }
    return {};
  }

 private:
  static constexpr std::uint32_t none = 0xFFFFFFFF;
  struct node {
    std::uint32_t edges_begin, edges_end, token;
  };
  struct edge {
    char byte;
    std::uint32_t target;
  };

  found longest_at(std::string_view text, std::size_t begin) const noexcept {
    found best;
    std::uint32_t at = 0;
    for (std::size_t i = begin; i < text.size(); ++i) {
      const auto low = edges_.begin() + nodes_[at].edges_begin, high = edges_.begin() + nodes_[at].edges_end;
      const auto next = std::lower_bound(low, high, text[i], [](const edge& e, char c) {
        return static_cast<unsigned char>(e.byte) < static_cast<unsigned char>(c);
      });
      if (next == high || next->byte != text[i]) break;
      at = next->target;
      if (nodes_[at].token != none) best = {begin, i + 1 - begin, &tokens_[nodes_[at].token]};
    }
    return best;
  }

  std::vector<node> nodes_;
  std::vector<edge> edges_;
  std::vector<added_token> tokens_;
  std::array<bool, 256> first_{};
};

}  // namespace inlay::detail
