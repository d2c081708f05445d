// SPDX-License-Identifier: Apache-2.0
// Values in a config.json by their paths.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "inlay/core/json_events.hpp"

namespace inlay::detail {

/// What a dotted path leads to, "rope_scaling.factor"; null if there is nothing.
inline const json* value_at(const json* from, std::string_view path) {
  while (from != nullptr && !path.empty()) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    if (!from->is_object()) return nullptr;
    const auto found = from->find(std::string(path.substr(0, dot)));
    from = found == from->end() ? nullptr : &*found;
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return from;
}

/// What `read`, which gives an optional, makes of the first of the `|`-separated paths of which it makes something.
/// Each is looked for in "text_config", where models of text and images state what the text's is, and then in the
/// document.
template <class Read>
auto first_at(const json& document, std::string_view paths, const Read& read) -> decltype(read(document)) {
  const json* const inner = value_at(&document, "text_config");
  while (!paths.empty()) {
    const std::size_t bar = std::min(paths.find('|'), paths.size());
    for (const json* root : {inner, &document})
      if (const json* value = value_at(root, paths.substr(0, bar)))
        if (auto out = read(*value)) return out;
    paths.remove_prefix(std::min(bar + 1, paths.size()));
  }
  return {};
}

}  // namespace inlay::detail
