// SPDX-License-Identifier: Apache-2.0
// BPE by scores, as SentencePiece has it, in place of BPE by a list of merges.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/text/build.hpp"
#include "inlay/text/token.hpp"
#include "inlay/text/tokenizer_file.hpp"

namespace inlay::detail {

/// Scores of tokens, by which neighbours are merged as the ranks of the file's merges say. `types` (token_kind) and
/// `scores` are those of all ids. Where there are no such scores, what is in the way.
class merge_scores {
 public:
  merge_scores(const tokenizer_file& file, std::span<const std::int32_t> types)
      : file_(file), types_(types), made_(types.size()) {
    for (const auto& e : file.vocabulary) ids_.emplace(e.text, static_cast<std::size_t>(e.id));
  }

  std::optional<std::string> write(std::span<float> scores) {
    std::fill(scores.begin(), scores.end(), -std::numeric_limits<float>::max());
    std::string text, last;
    std::size_t rank = 0;
    for (const auto& [left, right] : file_.merges) {
      text = left + right;
      if (text == last) continue;
      const auto id = ids_.find(text);
      if (id == ids_.end()) return concat("merges to ", shown(text), ", which is no token");
      if (made_[id->second]) return concat("ranks the merges that make ", shown(text), " apart from each other");
      made_[id->second] = true;
      scores[id->second] = -static_cast<float>(rank++);
      last = text;
    }
    if (rank >= std::size_t{1} << 24) return "has too many merges for scores in f32";
    for (std::size_t i = 0; i < scores.size(); ++i)
      if (!made_[i]) scores[i] = is_normal(i) ? -static_cast<float>(rank) : 0.0f;
    return accidental_merge();
  }

 private:
  bool is_normal(std::size_t id) const { return types_[id] == static_cast<std::int32_t>(token_kind::normal); }

  /// By scores any two neighbours that make a token are merged, whether or not the list has the pair.
  std::optional<std::string> accidental_merge() const {
    std::unordered_set<std::string> pairs;
    for (const auto& [left, right] : file_.merges) pairs.insert(concat(left, " ", right));
    for (const auto& [text, id] : ids_) {
      if (!is_normal(id)) continue;
      for (std::size_t at = 1; at < text.size(); ++at) {
        const auto left = ids_.find(text.substr(0, at)), right = ids_.find(text.substr(at));
        if (left == ids_.end() || right == ids_.end()) continue;
        if (is_normal(left->second) && is_normal(right->second) &&
            !pairs.contains(concat(left->first, " ", right->first)))
          return concat(made_[id] ? "does not merge every pair that makes " : "never makes ", shown(text));
      }
    }
    return std::nullopt;
  }

  const tokenizer_file& file_;
  std::span<const std::int32_t> types_;
  std::unordered_map<std::string_view, std::size_t> ids_;
  std::vector<bool> made_;  ///< by a merge, by id
};

}  // namespace inlay::detail
