// SPDX-License-Identifier: Apache-2.0
// Which of a set of strings begin a text.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace inlay::detail {

/// A trie of bytes in three flat lists. Immutable once made.
class byte_trie {
 public:
  struct entry {
    std::string_view text;
    std::uint32_t value;
  };

  byte_trie() = default;
  /// Empty texts are left out; of equal texts the lowest value counts.
  explicit byte_trie(std::vector<entry> entries) {
    std::erase_if(entries, [](const entry& e) { return e.text.empty(); });
    if (entries.empty()) return;
    std::sort(entries.begin(), entries.end(),
              [](const entry& a, const entry& b) { return a.text != b.text ? a.text < b.text : a.value < b.value; });
    entries.erase(
        std::unique(entries.begin(), entries.end(), [](const entry& a, const entry& b) { return a.text == b.text; }),
        entries.end());
    // Breadth first: a node is the range of sorted entries that share its text.
    struct range {
      std::size_t begin, end, depth;
    };
    std::vector<range> queue{{0, entries.size(), 0}};
    for (std::size_t at = 0; at < queue.size(); ++at) {
      range r = queue[at];
      node n{static_cast<std::uint32_t>(edges_.size()), 0, none};
      if (entries[r.begin].text.size() == r.depth) n.value = entries[r.begin++].value;
      while (r.begin < r.end) {
        const char c = entries[r.begin].text[r.depth];
        std::size_t same = r.begin;
        while (same < r.end && entries[same].text[r.depth] == c) ++same;
        edges_.push_back({c, static_cast<std::uint32_t>(queue.size())});
        queue.push_back({r.begin, same, r.depth + 1});
        r.begin = same;
      }
      n.edges_end = static_cast<std::uint32_t>(edges_.size());
      nodes_.push_back(n);
    }
  }

  bool empty() const noexcept { return nodes_.empty(); }

  /// Calls `visit(length, value)` for each string that begins `text`, the shortest first.
  template <class Visit>
  void for_each_prefix(std::string_view text, const Visit& visit) const {
    if (empty()) return;
    std::uint32_t at = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto low = edges_.begin() + nodes_[at].edges_begin, high = edges_.begin() + nodes_[at].edges_end;
      const auto next = std::lower_bound(low, high, text[i], [](const edge& e, char c) {
        return static_cast<unsigned char>(e.byte) < static_cast<unsigned char>(c);
      });
      if (next == high || next->byte != text[i]) return;
      at = next->target;
      if (nodes_[at].value != none) visit(i + 1, nodes_[at].value);
    }
  }

 private:
  static constexpr std::uint32_t none = 0xFFFFFFFF;
  struct node {
    std::uint32_t edges_begin, edges_end, value;
  };
  struct edge {
    char byte;
    std::uint32_t target;
  };
  std::vector<node> nodes_;
  std::vector<edge> edges_;
};

}  // namespace inlay::detail
