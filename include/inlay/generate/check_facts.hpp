// SPDX-License-Identifier: Apache-2.0
// Compares what a checkpoint says about itself with the type it is loaded into.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>

#include "inlay/core/error.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/io/json.hpp"
#include "inlay/io/json_paths.hpp"
#include "inlay/models/checkpoint_description.hpp"

namespace inlay::detail {

inline std::string number_text(double value) {
  if (value == std::floor(value) && std::fabs(value) < 1e15) return std::to_string(static_cast<long long>(value));
  char digits[32];
  return std::string(digits, std::to_chars(digits, digits + sizeof digits, static_cast<float>(value)).ptr);
}

inline bool same_number(double a, double b) { return std::fabs(a - b) <= 1e-5 * std::max(std::fabs(a), std::fabs(b)); }

/// The number at the first of the `|`-separated paths that is there.
inline std::optional<double> find_number(const json& document, std::string_view paths) {
  return first_at(document, paths, [](const json& value) {
    return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
  });
}

inline result<void> check_kind(std::string_view file, std::string_view key, std::string_view found,
                               std::span<const std::string_view> accepted) {
  if (accepted.empty() || std::find(accepted.begin(), accepted.end(), found) != accepted.end()) return {};
  std::string list;
  for (const std::string_view a : accepted) list += concat(list.empty() ? "" : " or ", '"', a, '"');
  return fail(errc::mismatch,
              concat(file, ": ", key, " is \"", found, "\", but the model type is of the kind ", list, "."));
}

/// A word that is not stated is taken to be right.
inline result<void> check_word(std::string_view path, const json& document, const checkpoint_word& word) {
  const auto found = document.find(std::string(word.config));
  if (found == document.end() || !found->is_string() || word.accepted.empty()) return {};
  const auto text = found->get<std::string>();
  for (std::string_view left = word.accepted; !left.empty();) {
    const std::size_t bar = std::min(left.find('|'), left.size());
    if (left.substr(0, bar) == text) return {};
    left.remove_prefix(std::min(bar + 1, left.size()));
  }
  return fail(errc::mismatch, concat(path, ": ", word.config, " is \"", text, "\", but the model type has ",
                                     word.accepted.substr(0, word.accepted.find('|')), "."));
}

inline result<void> check_fact(std::string_view file, std::string_view key, std::optional<double> found,
                               const checkpoint_fact& fact) {
  if (!found) {
    if (!fact.required) return {};
    return fail(errc::missing,
                concat(file, ": does not state ", key, "; the model type has ", number_text(fact.value), "."));
  }
  if (same_number(*found, fact.value)) return {};
  return fail(errc::mismatch, concat(file, ": ", key, " is ", number_text(*found), ", but the model type has ",
                                     number_text(fact.value), "."));
}

inline result<void> check_gguf_facts(const gguf_file& file, const checkpoint_description& description) {
  if (description.architectures.empty()) return {};
  const auto architecture = file.get<std::string_view>("general.architecture");
  if (!architecture) return unexpected<error>(architecture.error());
  if (auto r = check_kind(file.path(), "general.architecture", *architecture, description.architectures); !r) return r;
  for (const checkpoint_fact& fact : description.facts) {
    if (fact.gguf.empty()) continue;
    const std::string key = concat(*architecture, ".", fact.gguf);
    const gguf_value* value = file.find(key);
    std::optional<double> found;
    if (value != nullptr) found = value->as<double>();
    if (value != nullptr && !found) continue;  // an array, one number a layer: the tensors' shapes are compared anyway
    if (auto r = check_fact(file.path(), key, found, fact); !r) return r;
  }
  return {};
}

inline result<void> check_config_facts(std::string_view path, std::string_view text,
                                       const checkpoint_description& description) {
  if (description.config_types.empty() || text.empty()) return {};
  const auto document = parse_json(text, path);
  if (!document) return unexpected<error>(document.error());
  if (!document->is_object()) return fail(errc::format, concat(path, ": is not a JSON object."));
  if (const auto type = document->find("model_type"); type != document->end() && type->is_string()) {
    const auto found = type->get<std::string>();
    if (auto r = check_kind(path, "model_type", found, description.config_types); !r) return r;
  }
  for (const checkpoint_fact& fact : description.facts) {
    if (fact.config.empty()) continue;
    const std::string_view key = fact.config.substr(0, fact.config.find('|'));
    if (auto r = check_fact(path, key, find_number(*document, fact.config), fact); !r) return r;
  }
  for (const checkpoint_word& word : description.words)
    if (auto r = check_word(path, *document, word); !r) return r;
  return {};
}

/// errc::mismatch where the file states another number than the type has, errc::missing where it must and does not.
inline result<void> check_facts(const checkpoint& file, const checkpoint_description& description) {
  if (file.gguf() != nullptr) return check_gguf_facts(*file.gguf(), description);
  return check_config_facts(file.config_path(), file.config(), description);
}

}  // namespace inlay::detail
