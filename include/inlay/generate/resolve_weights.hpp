// SPDX-License-Identifier: Apache-2.0
// Finds for every parameter of a model type the tensor of a checkpoint that holds it, and compares their shapes.
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

/// Where the rows of a parameter lie. For vectors a row is one number.
struct weight_source {
  std::vector<const tensor_view*> tensors;  ///< one with all matrices of a stack, or one for each
  std::size_t offset = 0;                   ///< rows of the tensor that belong to parameters before this one
  std::size_t tensor_rows = 0;              ///< rows of one matrix with all the parameters that share the tensor
  std::size_t head_dim = 0;
  row_order order = row_order::same;
  value_change change = value_change::none;

  /// The file's row for row r of matrix e.
  std::pair<const tensor_view*, std::size_t> locate(std::size_t e, std::size_t r) const {
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
      r = r / head_dim * 2 * head_dim + (order == row_order::second_of_head ? head_dim : 0) + r % head_dim;
    else
      r += offset;
    return tensors.size() > 1 ? std::pair{tensors[e], r} : std::pair{tensors[0], e * tensor_rows + r};
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

inline std::string shape_text(const tensor_view& t) {
  std::string out = "[";
  for (unsigned i = 0; i < t.rank; ++i) out += concat(i == 0 ? "" : ", ", t.shape[i]);
  return concat(out, "] ", name(t.type));
}
inline std::string shape_text(const weight_slot& s) {
  if (s.kind == slot_kind::vector) return concat("[", s.columns, "]");
  const std::string matrix = concat(s.rows, ", ", s.columns, "]");
  return s.stack > 1 ? concat("[", s.stack, ", ", matrix) : concat("[", matrix);
}

class weight_resolver {
 public:
  weight_resolver(const checkpoint& file, const checkpoint_description& description, std::span<const weight_slot> slots)
      : file_(file), description_(description), slots_(slots) {}

  /// One source for each slot; the error names the tensor and both shapes.
  result<std::vector<weight_source>> resolve() {
    std::vector<weight_source> sources;
    sources.reserve(slots_.size());
    for (const weight_slot& slot : slots_) {
      auto source = find(slot);
      if (!source) return unexpected<error>(std::move(source).error());
      for (const tensor_view* t : source->tensors) used_.push_back(t);
      sources.push_back(*std::move(source));
    }
    std::sort(used_.begin(), used_.end());
    return sources;
  }

  /// After resolve: the tensors that no parameter needed and the description does not know.
  std::vector<std::string> unknown() const {
    std::vector<std::string> names;
    for (const tensor_view& t : file_.tensors()) {
      if (std::binary_search(used_.begin(), used_.end(), &t)) continue;
      const auto known = [&](std::string_view pattern) { return matches(t.name, pattern); };
      if (std::none_of(description_.known.begin(), description_.known.end(), known)) names.emplace_back(t.name);
    }
    return names;
  }

 private:
  const in_file& place(const tensor_rule& rule) const {
    return file_.kind() == checkpoint::container::gguf ? rule.gguf : rule.safetensors;
  }

  result<weight_source> find(const weight_slot& slot) {
    // A tied head is the embedding again.
    const auto [path, block] = split_block_number(slot.shared ? std::string_view("embedding.weight") : slot.path);
    const auto same_path = [&](const tensor_rule& r) { return r.parameter == path; };
    const auto rule = std::find_if(description_.rules.begin(), description_.rules.end(), same_path);
    weight_source source;
    source.head_dim = slot.head_dim;
    std::string names = slot.shared ? std::string("embedding.weight") : slot.path;
    if (rule != description_.rules.end()) {
      names = substitute(place(*rule).name, '#', block);
      source.order = place(*rule).rows;
      source.change = place(*rule).change;
    } else if (!description_.rules.empty()) {
      return fail(errc::missing, concat(file_.path(), ": the model type has ", slot.path,
                                        ", for which its family knows no tensor name."));
    }
    const std::string used = look_up(names, slot.stack, source.tensors);
    if (used.empty()) return missing(slot, names);
    const std::size_t rows = slot.kind == slot_kind::vector ? slot.columns : slot.rows;
    source.tensor_rows = rows;
    if (rule != description_.rules.end()) add_sharers(*rule, block, used, slot.path, rows, source);
    if (auto fits = compare(slot, source); !fits) return unexpected<error>(fits.error());
    return source;
  }

  /// The tensor, also under the family's other prefixes.
  const tensor_view* get(std::string_view name) const {
    const std::string_view usual = description_.prefix;
    if (const tensor_view* t = file_.find(name)) return t;
    if (file_.kind() == checkpoint::container::gguf || !name.starts_with(usual)) return nullptr;
    for (const std::string_view prefix : description_.prefixes)
      if (const tensor_view* t = file_.find(concat(prefix, name.substr(usual.size())))) return t;
    return nullptr;
  }

  /// Fills `tensors` from the first alternative that the file has, and returns it; empty: none.
  std::string look_up(std::string_view alternatives, std::size_t stack,
                      std::vector<const tensor_view*>& tensors) const {
    while (!alternatives.empty()) {
      const std::size_t bar = std::min(alternatives.find('|'), alternatives.size());
      const std::string_view name = alternatives.substr(0, bar);
      alternatives.remove_prefix(std::min(bar + 1, alternatives.size()));
      if (name.find('@') == std::string_view::npos) {
        if (const tensor_view* t = get(name)) return tensors.push_back(t), std::string(name);
        continue;
      }
      for (std::size_t e = 0; e < stack; ++e) {
        const tensor_view* t = get(substitute(name, '@', std::to_string(e)));
        if (t == nullptr) break;
        tensors.push_back(t);
      }
      if (tensors.size() == stack) return std::string(name);
      tensors.clear();
    }
    return {};
  }

  /// Counts the rows of the other parameters in the same tensor.
  void add_sharers(const tensor_rule& mine, std::string_view block, std::string_view used, std::string_view path,
                   std::size_t rows, weight_source& source) const {
    bool before = true;
    for (const tensor_rule& rule : description_.rules) {
      if (&rule == &mine) {
        before = false;
        continue;
      }
      if (!names_tensor(place(rule).name, block, used)) continue;
      const std::string other = substitute(rule.parameter, '#', block);
      const auto slot =
          std::find_if(slots_.begin(), slots_.end(), [&](const weight_slot& s) { return s.path == other; });
      if (slot == slots_.end() || other == path || (slot->shared && rows == slot->rows)) continue;
      const std::size_t count = slot->kind == slot_kind::vector ? slot->columns : slot->rows;
      source.tensor_rows += count;
      if (before) source.offset += count;
    }
  }
  static bool names_tensor(std::string_view alternatives, std::string_view block, std::string_view used) {
    while (!alternatives.empty()) {
      const std::size_t bar = std::min(alternatives.find('|'), alternatives.size());
      if (substitute(alternatives.substr(0, bar), '#', block) == used) return true;
      alternatives.remove_prefix(std::min(bar + 1, alternatives.size()));
    }
    return false;
  }

  result<void> compare(const weight_slot& slot, const weight_source& source) const {
    const std::size_t each = source.tensors.size() > 1 ? 1 : slot.stack;
    for (const tensor_view* t : source.tensors) {
      const std::size_t numbers = t->rows() * t->columns();
      const bool fits = slot.kind == slot_kind::vector
                            ? numbers == source.tensor_rows && is_float(t->type)
                            : t->columns() == slot.columns && t->rows() == source.tensor_rows * each;
      if (fits) continue;
      const std::string shared = source.tensor_rows != (slot.kind == slot_kind::vector ? slot.columns : slot.rows)
                                     ? concat(" as part of ", source.tensor_rows, " rows")
                                     : std::string();
      return fail(errc::mismatch, concat(t->file, ": tensor ", t->name, " is ", shape_text(*t), "; the model type has ",
                                         slot.path, " ", shape_text(slot), shared, "."));
    }
    return {};
  }

  unexpected<error> missing(const weight_slot& slot, std::string_view names) const {
    const std::string_view first = names.substr(0, names.find('|'));
    if (auto found = file_.get(first); !found && found.error().code == errc::unsupported)
      return unexpected<error>(std::move(found).error());
    return fail(errc::missing,
                concat(file_.path(), ": there is no tensor ", first.empty() ? std::string_view(slot.path) : first,
                       ", which the model type needs as ", slot.path, " ", shape_text(slot), "."));
  }

  const checkpoint& file_;
  const checkpoint_description& description_;
  std::span<const weight_slot> slots_;
  std::vector<const tensor_view*> used_;
};

}  // namespace inlay::detail
