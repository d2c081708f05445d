// SPDX-License-Identifier: Apache-2.0
// What a classifier calls its classes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/generate/vocabulary_gguf.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/io/json.hpp"

namespace inlay::detail {

/// The names in config.json's id2label, or in a GGUF's list, if there is one for each of `count` outputs.
inline std::vector<std::string> read_labels(const checkpoint& file, std::size_t count) {
  std::vector<std::string> labels;
  if (file.gguf() != nullptr) {
    const auto architecture = file.gguf()->get<std::string_view>("general.architecture");
    if (!architecture) return {};
    const auto names = read_strings(*file.gguf(), concat(*architecture, ".classifier.output_labels"));
    if (!names || names->size() != count) return {};
    return {names->begin(), names->end()};
  }
  const auto document = parse_json(file.config(), file.config_path());
  if (!document || !document->is_object()) return {};
  const auto names = document->find("id2label");
  if (names == document->end() || !names->is_object() || names->size() != count) return {};
  for (std::size_t i = 0; i < count; ++i) {
    const auto name = names->find(std::to_string(i));
    if (name == names->end() || !name->is_string()) return {};
    labels.push_back(name->get<std::string>());
  }
  return labels;
}

}  // namespace inlay::detail
