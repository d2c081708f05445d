// SPDX-License-Identifier: Apache-2.0
// Steps that the readers of vocabularies share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "inlay/core/error.hpp"
#include "inlay/text/flat_index.hpp"
#include "inlay/text/token_table.hpp"

namespace inlay::detail {

/// For messages: a token's text, cut where it is long, bytes that would spoil a terminal replaced.
inline std::string shown(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, 40)) out.push_back(static_cast<unsigned char>(c) < 32 || c == 127 ? '?' : c);
  return out + (text.size() > 40 ? "...\"" : "\"");
}

/// The merges of a BPE, best first. `pair_of(i)` gives the bytes of the two parts, empty where the file has nothing
/// sensible. Both parts and what they make must be tokens. Merges of control tokens are left out: text never makes one.
template <class PairOf>
result<merge_index> index_merges(const token_table& tokens, std::size_t count, std::string_view source,
                                 const PairOf& pair_of) {
  if (count >= merge::none) return fail(errc::format, concat(source, ": too many merges."));
  merge_index out(count);
  std::string whole;
  for (std::size_t i = 0; i < count; ++i) {
    const std::pair<std::string_view, std::string_view> pair = pair_of(i);
    if (pair.first.empty() || pair.second.empty())
      return fail(errc::format, concat(source, ": merge ", i, " is not two tokens."));
    whole.assign(pair.first);
    whole += pair.second;
    token_id ids[3];
    bool skip = false;
    const std::string_view texts[3] = {pair.first, pair.second, whole};
    for (std::size_t k = 0; k < 3; ++k) {
      ids[k] = tokens.find_text(texts[k]);
      if (ids[k] != no_token) continue;
      if (tokens.find_name(texts[k]) == no_token)
        return fail(errc::format, concat(source, ": merge ", i, " is of ", shown(texts[0]), " and ", shown(texts[1]),
                                         ", but ", shown(texts[k]), " is not in the vocabulary."));
      skip = true;
    }
    if (!skip && !out.insert(ids[0], ids[1], {static_cast<std::uint32_t>(i), ids[2]}))
      return fail(errc::format, concat(source, ": merge ", i, " collides with too many others."));
  }
  return out;
}

}  // namespace inlay::detail
