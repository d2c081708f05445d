// SPDX-License-Identifier: Apache-2.0
// The numbers of a model from a config.json to the keys of GGUF and back: a family's table of facts has both names.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/generate/check_facts.hpp"
#include "inlay/generate/read_labels.hpp"
#include "inlay/generate/tensor_places.hpp"
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

/// Keys whose values are real numbers, even where one happens to be whole.
inline bool is_real_key(std::string_view key) {
  for (const std::string_view part : {"epsilon", "eps", "freq_base", "theta", "factor", "scale", "scaling", "softcap",
                                      "beta", "attn_temp", "norm_rms", "multiplier"})
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

/// A number or a bool for every block, by what a statement asks of its parameters.
inline std::vector<std::int32_t> block_values(const gguf_statement& statement, std::span<const weight_slot> slots) {
  const bool without = statement.what == gguf_statement::kind::blocks_without;
  std::vector<std::int32_t> values;
  for (const weight_slot& slot : slots) {
    const auto [path, block] = split_block_number(slot.path);
    constexpr std::string_view blocks = "blocks.#.";
    if (!path.starts_with(blocks)) continue;
    std::size_t number = 0;
    std::from_chars(block.data(), block.data() + block.size(), number);
    if (number >= values.size()) values.resize(number + 1, without ? 1 : 0);
    const std::string_view parameter = std::string_view(path).substr(blocks.size());
    if (!any_alternative(statement.text, [&](std::string_view name) { return name == parameter; })) continue;
    const std::size_t head = std::max<std::size_t>(slot.head_dim, 1);
    std::size_t value = slot.rows;
    if (statement.what == gguf_statement::kind::heads_of_blocks) value = slot.rows / head;
    if (statement.what == gguf_statement::kind::blocks_with_heads)
      value = static_cast<double>(head) == statement.number;
    values[number] = without ? 0 : static_cast<std::int32_t>(value);
  }
  return values;
}

inline void write_number(std::string_view key, double value, gguf_writer& to) {
  if (is_real_key(key) || value != std::floor(value) || value < 0)
    to.set(key, static_cast<float>(value));
  else
    to.set(key, static_cast<std::uint32_t>(value));
}

inline void write_statement(std::string_view key, const gguf_statement& statement, std::span<const weight_slot> slots,
                            gguf_writer& to) {
  const auto numbers = [&](std::span<const std::int32_t> values) { to.set_array(key, values); };
  switch (statement.what) {
    case gguf_statement::kind::word:
      return to.set(key, statement.text);
    case gguf_statement::kind::number:
      return write_number(key, statement.number, to);
    case gguf_statement::kind::truth:
      return to.set(key, statement.number != 0);
    case gguf_statement::kind::numbers:
      return numbers(statement.numbers);
    case gguf_statement::kind::rows_of_blocks:
    case gguf_statement::kind::heads_of_blocks:
      return numbers(block_values(statement, slots));
    case gguf_statement::kind::blocks_with_heads:
    case gguf_statement::kind::blocks_without: {
      const std::vector<std::int32_t> values = block_values(statement, slots);
      const auto flags = std::make_unique<bool[]>(values.size());
      for (std::size_t i = 0; i < values.size(); ++i) flags[i] = values[i] != 0;
      return to.set_array(key, std::span<const bool>(flags.get(), values.size()));
    }
  }
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
  for (const gguf_statement& statement : description.statements)
    if (is_new(statement.key)) write_statement(key(statement.key), statement, slots, to);
  for (const checkpoint_fact& fact : description.facts) {
    if (!is_new(fact.gguf)) continue;
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

/// A config.json with all facts and words of the type.
inline json config_of(const checkpoint& from, const checkpoint_description& description,
                      std::span<const weight_slot> slots) {
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
  config["tie_word_embeddings"] =
      std::any_of(slots.begin(), slots.end(), [](const weight_slot& s) { return s.shared; });
  if (const std::size_t classes = class_count(slots); classes != 0) {
    const std::vector<std::string> labels = labels_or_numbers(from, classes);
    for (std::size_t i = 0; i < classes; ++i) config["id2label"][std::to_string(i)] = labels[i];
  }
  if (const std::uint64_t context = stated_context(from); context != 0 && !config.contains("max_position_embeddings"))
    config["max_position_embeddings"] = context;
  return config;
}

}  // namespace inlay::detail
