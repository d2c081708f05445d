// SPDX-License-Identifier: Apache-2.0
// The numbers of a model from a config.json to the keys of GGUF and back: a family's table of facts has both names.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/generate/check_facts.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/io/gguf_writer.hpp"
#include "inlay/io/json.hpp"
#include "inlay/models/checkpoint_description.hpp"

namespace inlay::detail {

/// Of the names a family goes by, that for a model with or without experts.
inline std::string_view kind_name(std::span<const std::string_view> names, const checkpoint_description& description) {
  const bool experts = std::any_of(description.facts.begin(), description.facts.end(),
                                   [](const checkpoint_fact& f) { return f.gguf == "expert_count" && f.value > 1; });
  for (const std::string_view name : names)
    if (name.ends_with("moe") == experts) return name;
  return names.empty() ? std::string_view() : names.front();
}

/// Keys whose values are real numbers, even where one happens to be whole.
inline bool is_real_key(std::string_view key) {
  for (const std::string_view part : {"epsilon", "eps", "freq_base", "theta", "factor", "scale", "scaling", "softcap",
                                      "beta", "attn_temp", "norm_rms"})
    if (key.find(part) != key.npos && !key.ends_with("context_length") && !key.ends_with("position_embeddings"))
      return true;
  return false;
}

/// Longest sequence that a checkpoint's config.json or GGUF states; 0: none.
inline std::uint64_t stated_context(const checkpoint& file) {
  if (const gguf_file* gguf = file.gguf()) {
    const auto architecture = gguf->get<std::string_view>("general.architecture");
    if (!architecture) return 0;
    const auto stated = gguf->get_or<std::uint64_t>(concat(*architecture, ".context_length"), 0);
    return stated ? *stated : 0;
  }
  const auto document = parse_json(file.config(), file.config_path());
  if (!document || !document->is_object()) return 0;
  const auto found = find_number(*document, "max_position_embeddings|max_context_length");
  return found && *found > 0 && *found < 1e12 ? static_cast<std::uint64_t>(*found) : 0;
}

/// general.architecture and all facts of the type.
inline void write_facts(const checkpoint& from, const checkpoint_description& description, gguf_writer& to) {
  const std::string architecture(kind_name(description.architectures, description));
  to.set("general.architecture", std::string_view(architecture));
  const auto key = [&](std::string_view name) { return concat(architecture, ".", name); };
  std::vector<std::string_view> written;
  const auto is_written = [&](std::string_view name) {
    return std::find(written.begin(), written.end(), name) != written.end();
  };
  for (const checkpoint_fact& fact : description.facts) {
    if (fact.gguf.empty() || is_written(fact.gguf)) continue;
    written.push_back(fact.gguf);
    if (is_real_key(fact.gguf) || fact.value != std::floor(fact.value) || fact.value < 0)
      to.set(key(fact.gguf), static_cast<float>(fact.value));
    else
      to.set(key(fact.gguf), static_cast<std::uint32_t>(fact.value));
    if (fact.gguf == "attention.key_length")
      to.set(key("attention.value_length"), static_cast<std::uint32_t>(fact.value));
  }
  if (const std::uint64_t context = stated_context(from); context != 0 && !is_written("context_length"))
    to.set(key("context_length"), static_cast<std::uint32_t>(std::min<std::uint64_t>(context, UINT32_MAX)));
}

/// All metadata but what belongs to the file rather than to the model.
inline void copy_metadata(const gguf_file& from, gguf_writer& to) {
  for (const gguf_entry& e : from.metadata())
    if (e.key != "general.alignment" && e.key != "general.file_type" && e.key != "general.quantization_version" &&
        !e.key.starts_with("split."))
      to.set(e.key, e.value);
}

/// Sets the member at a dotted path, making the objects on the way.
inline void set_at(json& root, std::string_view path, json value) {
  json* at = &root;
  while (!path.empty()) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    if (!at->is_object()) *at = json::object();
    at = &(*at)[std::string(path.substr(0, dot))];
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  *at = std::move(value);
}

/// A config.json with all facts and words of the type.
inline json config_of(const checkpoint& from, const checkpoint_description& description, bool tied) {
  json config = json::object();
  if (!description.config_types.empty())
    config["model_type"] = std::string(kind_name(description.config_types, description));
  for (const checkpoint_fact& fact : description.facts) {
    const std::string_view path = fact.config.substr(0, fact.config.find('|'));
    if (path.empty()) continue;
    if (is_real_key(path) || fact.value != std::floor(fact.value))
      set_at(config, path, fact.value);
    else
      set_at(config, path, static_cast<std::int64_t>(fact.value));
  }
  for (const checkpoint_word& word : description.words)
    if (!word.accepted.empty())
      set_at(config, word.config, std::string(word.accepted.substr(0, word.accepted.find('|'))));
  config["tie_word_embeddings"] = tied;
  if (const std::uint64_t context = stated_context(from); context != 0 && !config.contains("max_position_embeddings"))
    config["max_position_embeddings"] = context;
  return config;
}

}  // namespace inlay::detail
