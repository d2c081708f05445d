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
#include "inlay/generate/tensor_places.hpp"
#include "inlay/generate/weight_slot.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/models/checkpoint_description.hpp"

namespace inlay::detail {

/// Where the rows of a parameter lie in an open checkpoint. For vectors a row is one number.
struct weight_source : tensor_place {
  std::vector<const tensor_view*> tensors;  ///< one with all matrices of a stack, or one for each

  /// The file's row for row r of matrix e.
  std::pair<const tensor_view*, std::size_t> locate(std::size_t e, std::size_t r) const {
    return tensors.size() > 1 ? std::pair{tensors[e], row(r)} : std::pair{tensors[0], e * tensor_rows + row(r)};
  }
};

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
  result<weight_source> find(const weight_slot& slot) {
    const auto [path, block] = split_block_number(file_path(slot));
    const tensor_rule* rule = find_rule(description_, path);
    std::string names(file_path(slot));
    if (rule != nullptr) {
      names = substitute(in_container(*rule, file_.kind()).name, '#', block);
    } else if (!description_.rules.empty()) {
      return fail(errc::missing, concat(file_.path(), ": the model type has ", slot.path,
                                        ", for which its family knows no tensor name."));
    }
    weight_source source;
    const std::string used = look_up(names, slot.stack, source.tensors);
    if (used.empty()) return missing(slot, names);
    static_cast<tensor_place&>(source) = place_rows(description_, file_.kind(), slots_, slot, used);
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
