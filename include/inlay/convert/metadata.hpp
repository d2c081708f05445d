// SPDX-License-Identifier: Apache-2.0
// The numbers of a model from a config.json to the keys of GGUF and back: a family's table of facts has both names.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/convert/statements.hpp"
#include "inlay/core/error.hpp"
#include "inlay/generate/check_facts.hpp"
#include "inlay/generate/read_labels.hpp"
#include "inlay/generate/weight_slot.hpp"
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

/// Of a classifier; 0: it is none.
inline std::size_t class_count(std::span<const weight_slot> slots) {
  for (const weight_slot& slot : slots)
    if (slot.path == "classifier.weight") return slot.rows;
  return 0;
}
inline std::vector<std::string> labels_or_numbers(const checkpoint& from, std::size_t count) {
  std::vector<std::string> labels = read_labels(from, count);
  for (std::size_t i = labels.size(); i < count; ++i) labels.push_back(concat("LABEL_", i));
  return labels;
}

/// general.architecture and all that the type says about itself.
inline void write_facts(const checkpoint& from, const checkpoint_description& description,
                        std::span<const weight_slot> slots, std::size_t vocab, gguf_writer& to) {
  const std::string architecture(kind_name(description.architectures, description));
  to.set("general.architecture", std::string_view(architecture));
  const auto key = [&](std::string_view name) {
    return name.starts_with("tokenizer.") ? std::string(name) : concat(architecture, ".", name);
  };
  std::vector<std::string_view> written;
  const auto is_new = [&](std::string_view name) {
    if (name.empty() || std::find(written.begin(), written.end(), name) != written.end()) return false;
    written.push_back(name);
    return true;
  };
  const std::vector<block_parameters> blocks = blocks_of(slots);
  for (const checkpoint_statement& statement : description.statements)
    if (is_new(statement.gguf)) write_statement(key(statement.gguf), statement, blocks, to);
  for (const checkpoint_fact& fact : description.facts) {
    if (!fact.written || !is_new(fact.gguf)) continue;
    write_number(key(fact.gguf), fact.value, to);
    if (fact.gguf == "attention.key_length") write_number(key("attention.value_length"), fact.value, to);
    if (fact.gguf == "attention.key_length_swa") write_number(key("attention.value_length_swa"), fact.value, to);
  }
  if (const std::size_t classes = class_count(slots); classes != 0) {
    const std::vector<std::string> labels = labels_or_numbers(from, classes);
    const std::vector<std::string_view> views(labels.begin(), labels.end());
    to.set_array(key("classifier.output_labels"), std::span<const std::string_view>(views));
  }
  if (vocab != 0 && is_new("vocab_size")) write_number(key("vocab_size"), static_cast<double>(vocab), to);
  if (const std::uint64_t context = stated_context(from); context != 0 && is_new("context_length"))
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

/// A config.json with all facts, words and statements of the type.
inline json config_of(const checkpoint& from, const checkpoint_description& description,
                      std::span<const weight_slot> slots) {
  json config = json::object();
  if (!description.config_types.empty())
    config["model_type"] = std::string(kind_name(description.config_types, description));
  if (!description.config_class.empty()) config["architectures"] = json::array({std::string(description.config_class)});
  for (const checkpoint_fact& fact : description.facts) {
    const std::string_view path = fact.config.substr(0, fact.config.find('|'));
    if (fact.written && !path.empty()) set_at(config, path, json_number(path, fact.value));
  }
  const std::vector<block_parameters> blocks = blocks_of(slots);
  for (const checkpoint_statement& statement : description.statements) {
    if (statement.config.empty()) continue;
    if (auto value = json_of(statement, blocks)) set_at(config, statement.config, *std::move(value));
  }
  for (const checkpoint_word& word : description.words)
    if (!word.accepted.empty())
      set_at(config, word.config, std::string(word.accepted.substr(0, word.accepted.find('|'))));
  for (const weight_slot& slot : slots)
    if (slot.path == "head.weight") config["tie_word_embeddings"] = slot.shared;
  if (const std::size_t classes = class_count(slots); classes != 0) {
    const std::vector<std::string> labels = labels_or_numbers(from, classes);
    for (std::size_t i = 0; i < classes; ++i) config["id2label"][std::to_string(i)] = labels[i];
  }
  if (const std::uint64_t context = stated_context(from); context != 0 && !config.contains(description.context_key))
    config[std::string(description.context_key)] = context;
  return config;
}

}  // namespace inlay::detail
