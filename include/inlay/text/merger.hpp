// SPDX-License-Identifier: Apache-2.0
// The loop at the heart of every BPE: join the neighbours of the lowest rank, leftmost first, until none can be joined.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "inlay/text/flat_index.hpp"

namespace inlay::detail {

/// Merges the symbols of one word at a time; keeps its memory from word to word. A word has less than 2^31 symbols.
/// O(n^2) with a tiny constant for short words, O(n log n) for long ones; no recursion.
class merger {
 public:
  void clear() noexcept { symbols_.clear(); }
  bool empty() const noexcept { return symbols_.empty(); }
  /// A symbol that begins at byte `begin` of the word; no_token if the text has no token of its own.
  void push(token_id id, std::uint32_t begin) { symbols_.push_back({begin, id, {}}); }

  /// `join(left id, right id, begin, end)` -> merge of the two neighbours that cover the bytes [begin, end).
  template <class Join>
  void run(std::uint32_t word_size, const Join& join) {
    const std::size_t n = symbols_.size();
    for (std::size_t i = 0; i + 1 < n; ++i)
      symbols_[i].next =
          join(symbols_[i].id, symbols_[i + 1].id, symbols_[i].begin, i + 2 < n ? symbols_[i + 2].begin : word_size);
    if (n <= short_word)
      run_short(word_size, join);
    else
      run_long(word_size, join);
  }

  /// `emit(id, begin, end)` for each symbol that is left.
  template <class Emit>
  void for_each(std::uint32_t word_size, const Emit& emit) const {
    for (std::size_t i = 0; i < symbols_.size(); ++i)
      emit(symbols_[i].id, symbols_[i].begin, i + 1 < symbols_.size() ? symbols_[i + 1].begin : word_size);
  }

 private:
  static constexpr std::size_t short_word = 40;

  struct symbol {
    std::uint32_t begin;
    token_id id;
    merge next;  ///< with the neighbour to the right
  };
  struct link {
    std::uint32_t before, after;
  };

  template <class Join>
  void run_short(std::uint32_t word_size, const Join& join) {
    for (;;) {
      std::size_t best = 0;
      std::uint32_t rank = merge::none;
      for (std::size_t i = 0; i < symbols_.size(); ++i)
        if (symbols_[i].next.rank < rank) rank = symbols_[i].next.rank, best = i;
      if (rank == merge::none) return;
      symbols_[best].id = symbols_[best].next.id;
      symbols_.erase(symbols_.begin() + static_cast<std::ptrdiff_t>(best) + 1);
      const auto begin_of = [&](std::size_t i) { return i < symbols_.size() ? symbols_[i].begin : word_size; };
      const auto renew = [&](std::size_t i) {
        symbols_[i].next = i + 1 < symbols_.size()
                               ? join(symbols_[i].id, symbols_[i + 1].id, symbols_[i].begin, begin_of(i + 2))
                               : merge{};
      };
      renew(best);
      if (best != 0) renew(best - 1);
    }
  }

  // A heap of (rank, position). An entry is stale when the symbol's merge has another rank by now, or none because the
  // symbol was swallowed by its left neighbour.
  template <class Join>
  void run_long(std::uint32_t word_size, const Join& join) {
    const auto n = static_cast<std::uint32_t>(symbols_.size());
    links_.resize(n);
    heap_.clear();
    for (std::uint32_t i = 0; i < n; ++i) {
      links_[i] = {i - 1, i + 1};
      if (symbols_[i].next.rank != merge::none) heap_.push_back(entry(symbols_[i].next.rank, i));
    }
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>{});
    const auto begin_of = [&](std::uint32_t i) { return i < n ? symbols_[i].begin : word_size; };
    const auto renew = [&](std::uint32_t i) {
      const std::uint32_t right = links_[i].after;
      if (right >= n) {
        symbols_[i].next = {};
        return;
      }
      symbols_[i].next = join(symbols_[i].id, symbols_[right].id, symbols_[i].begin, begin_of(links_[right].after));
      if (symbols_[i].next.rank == merge::none) return;
      heap_.push_back(entry(symbols_[i].next.rank, i));
      std::push_heap(heap_.begin(), heap_.end(), std::greater<>{});
    };
    while (!heap_.empty()) {
      const std::uint64_t top = heap_.front();
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>{});
      heap_.pop_back();
      const auto i = static_cast<std::uint32_t>(top);
      if (symbols_[i].next.rank != top >> 32) continue;
      const std::uint32_t right = links_[i].after;
      symbols_[i].id = symbols_[i].next.id;
      symbols_[right].next = {};
      links_[i].after = links_[right].after;
      if (links_[i].after < n) links_[links_[i].after].before = i;
      renew(i);
      if (i != 0) renew(links_[i].before);
    }
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < n; i = links_[i].after) symbols_[kept++] = symbols_[i];
    symbols_.resize(kept);
  }

  static std::uint64_t entry(std::uint32_t rank, std::uint32_t position) noexcept {
    return static_cast<std::uint64_t>(rank) << 32 | position;
  }

  std::vector<symbol> symbols_;
  std::vector<link> links_;
  std::vector<std::uint64_t> heap_;
};

}  // namespace inlay::detail
