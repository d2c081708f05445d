// SPDX-License-Identifier: Apache-2.0
// How a family's files name a parameter and where in the tensor its rows are: what a loader, a converter and adapters
// have in common.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/generate/weight_slot.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/models/checkpoint_description.hpp"

namespace inlay::detail {

/// The rows of one matrix of a parameter within its tensor. For vectors a row is one number.
struct tensor_place {
  std::size_t offset = 0;       ///< rows of the tensor that belong to parameters before this one
  std::size_t tensor_rows = 0;  ///< rows of one matrix with all the parameters that share the tensor
  std::size_t head_dim = 0;
  row_order order = row_order::same;
  value_change change = value_change::none;

  /// The tensor's row for row r of the parameter.
  std::size_t row(std::size_t r) const {
    if (order == row_order::interleaved_pairs) {
      const std::size_t in_head = r % head_dim;
      const std::size_t half = head_dim / 2;
      r = r - in_head + (in_head < half ? 2 * in_head : 2 * (in_head - half) + 1);
    }
    if (order == row_order::taps_last) {
      const std::size_t channels = tensor_rows / head_dim;
      r = r % channels * head_dim + r / channels;
    }
    if (order == row_order::first_of_head || order == row_order::second_of_head)
      return r / head_dim * 2 * head_dim + (order == row_order::second_of_head ? head_dim : 0) + r % head_dim;
    return r + offset;
  }
};

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// "blocks.12.mlp.norm.weight" -> "blocks.#.mlp.norm.weight", "12".
inline std::pair<std::string, std::string> split_block_number(std::string_view path) {
  constexpr std::string_view blocks = "blocks.";
  if (!path.starts_with(blocks)) return {std::string(path), {}};
  std::size_t end = blocks.size();
  while (end < path.size() && is_digit(path[end])) ++end;
  return {concat(blocks, "#", path.substr(end)), std::string(path.substr(blocks.size(), end - blocks.size()))};
}

inline std::string substitute(std::string_view text, char mark, std::string_view with) {
  std::string out;
  for (const char c : text) {
    if (c == mark)
      out += with;
    else
      out += c;
  }
  return out;
}

/// Whether `name` is `pattern` with every # some number and a * at its end anything.
inline bool matches(std::string_view name, std::string_view pattern) {
  std::size_t at = 0;
  for (const char c : pattern) {
    if (c == '*') {
      return true;
    } else if (c == '#') {
      if (at == name.size() || !is_digit(name[at])) return false;
      while (at < name.size() && is_digit(name[at])) ++at;
    } else if (at == name.size() || name[at++] != c) {
      return false;
    }
  }
  return at == name.size();
}

/// Calls f(alternative) for each of the `|`-separated alternatives until it returns true; whether it did.
template <class F>
bool any_alternative(std::string_view alternatives, const F& f) {
  while (!alternatives.empty()) {
    const std::size_t bar = std::min(alternatives.find('|'), alternatives.size());
    if (f(alternatives.substr(0, bar))) return true;
    alternatives.remove_prefix(std::min(bar + 1, alternatives.size()));
  }
  return false;
}

inline const in_file& in_container(const tensor_rule& rule, checkpoint::container kind) {
  return kind == checkpoint::container::gguf ? rule.gguf : rule.safetensors;
}

/// The path a parameter has in files: a tied head is the embedding again.
inline std::string_view file_path(const weight_slot& slot) {
  return slot.shared ? std::string_view("embedding.weight") : std::string_view(slot.path);
}

/// Null where the family has no rule for the parameter.
inline const tensor_rule* find_rule(const checkpoint_description& description, std::string_view parameter) {
  const auto same = [&](const tensor_rule& r) { return r.parameter == parameter; };
  const auto found = std::find_if(description.rules.begin(), description.rules.end(), same);
  return found == description.rules.end() ? nullptr : &*found;
}

inline std::size_t rows_in_tensor(const weight_slot& slot) {
  return slot.kind == slot_kind::vector ? slot.columns : slot.rows;
}

/// Where the rows of `slot` are in its tensor. `used` is the tensor's name, its alternative with the block's number but
/// still with @ for the expert's: rows are shared with the parameters that name it too.
inline tensor_place place_rows(const checkpoint_description& description, checkpoint::container kind,
                               std::span<const weight_slot> slots, const weight_slot& slot, std::string_view used) {
  const auto [path, block] = split_block_number(file_path(slot));
  const tensor_rule* mine = find_rule(description, path);
  tensor_place place;
  place.head_dim = slot.head_dim;
  place.tensor_rows = rows_in_tensor(slot);
  if (mine == nullptr) return place;
  place.order = in_container(*mine, kind).rows;
  place.change = in_container(*mine, kind).change;
  bool before = true;
  for (const tensor_rule& rule : description.rules) {
    if (&rule == mine) {
      before = false;
      continue;
    }
    const auto names_it = [&, &number = block](std::string_view name) { return substitute(name, '#', number) == used; };
    if (!any_alternative(in_container(rule, kind).name, names_it)) continue;
    const std::string other = substitute(rule.parameter, '#', block);
    const auto sharer = std::find_if(slots.begin(), slots.end(), [&](const weight_slot& s) { return s.path == other; });
    if (sharer == slots.end() || other == slot.path || (sharer->shared && slot.rows == sharer->rows)) continue;
    place.tensor_rows += rows_in_tensor(*sharer);
    if (before) place.offset += rows_in_tensor(*sharer);
  }
  return place;
}

}  // namespace inlay::detail
