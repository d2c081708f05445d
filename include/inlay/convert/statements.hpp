// SPDX-License-Identifier: Apache-2.0
// What a model's type states about itself beside its facts (checkpoint_statement), as values of a GGUF and of
// config.json.
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

#include "inlay/generate/tensor_places.hpp"
#include "inlay/generate/weight_slot.hpp"
#include "inlay/io/gguf_writer.hpp"
#include "inlay/io/json.hpp"
#include "inlay/models/checkpoint_description.hpp"

namespace inlay::detail {

/// Keys whose values are real numbers, even where one happens to be whole.
inline bool is_real_key(std::string_view key) {
  for (const std::string_view part : {"epsilon", "eps", "freq_base", "theta", "factor", "scale", "scaling", "softcap",
                                      "beta", "attn_temp", "norm_rms", "multiplier"})
    if (key.find(part) != key.npos && !key.ends_with("context_length") && !key.ends_with("position_embeddings"))
      return true;
  return false;
}

struct block_parameter {
  std::string name;  ///< below the block
  const weight_slot* slot;
};
using block_parameters = std::vector<block_parameter>;

/// The parameters of a model's blocks, which point into `slots`.
inline std::vector<block_parameters> blocks_of(std::span<const weight_slot> slots) {
  std::vector<block_parameters> blocks;
  for (const weight_slot& slot : slots) {
    const auto [path, block] = split_block_number(slot.path);
    constexpr std::string_view prefix = "blocks.#.";
    if (!path.starts_with(prefix)) continue;
    std::size_t number = 0;
    std::from_chars(block.data(), block.data() + block.size(), number);
    if (number >= blocks.size()) blocks.resize(number + 1);
    blocks[number].push_back({std::string(path.substr(prefix.size())), &slot});
  }
  return blocks;
}

/// The parameter that one of `|`-separated names has; null if there is none.
inline const weight_slot* find_parameter(const block_parameters& block, std::string_view names) {
  for (const block_parameter& p : block)
    if (any_alternative(names, [&](std::string_view name) { return name == p.name; })) return p.slot;
  return nullptr;
}

/// What a list has for a block.
inline double block_value(const checkpoint_statement& statement, const block_parameters& block) {
  using enum checkpoint_statement::kind;
  const weight_slot* slot = find_parameter(block, statement.text);
  if (statement.what == blocks_without) return slot == nullptr;
  if (slot == nullptr) return 0;
  if (statement.what == windows_of_blocks) return slot->window != 0;
  double unit = statement.number != 0 ? statement.number : 1;
  if (statement.what == heads_of_blocks) unit = static_cast<double>(std::max<std::size_t>(slot->head_dim, 1));
  return static_cast<double>(slot->rows) / unit;
}

inline std::string_view name_of(const checkpoint_statement& statement, const block_parameters& block) {
  for (const block_name& n : statement.names) {
    const weight_slot* slot = n.parameter.empty() ? nullptr : find_parameter(block, n.parameter);
    if (n.parameter.empty() || (slot != nullptr && (!n.window || slot->window != 0))) return n.name;
  }
  return "";
}

inline void write_number(std::string_view key, double value, gguf_writer& to) {
  if (is_real_key(key) || value != std::floor(value) || value < 0)
    to.set(key, static_cast<float>(value));
  else
    to.set(key, static_cast<std::uint32_t>(value));
}

inline void write_statement(std::string_view key, const checkpoint_statement& statement,
                            std::span<const block_parameters> blocks, gguf_writer& to) {
  using enum checkpoint_statement::kind;
  switch (statement.what) {
    case word:
      return to.set(key, statement.text);
    case number:
      return write_number(key, statement.number, to);
    case truth:
      return to.set(key, statement.number != 0);
    case numbers:
      return to.set_array(key, statement.numbers);
    case rows_of_blocks:
    case heads_of_blocks: {
      std::vector<std::int32_t> values;
      for (const block_parameters& b : blocks) values.push_back(static_cast<std::int32_t>(block_value(statement, b)));
      return to.set_array(key, std::span<const std::int32_t>(values));
    }
    case windows_of_blocks:
    case blocks_without: {
      const auto flags = std::make_unique<bool[]>(blocks.size());
      for (std::size_t i = 0; i < blocks.size(); ++i) flags[i] = block_value(statement, blocks[i]) != 0;
      return to.set_array(key, std::span<const bool>(flags.get(), blocks.size()));
    }
    default:  // those of config.json alone
      return;
  }
}

/// A number as config.json has it; what a type has as a float with as many digits as tell it from the next float.
inline json json_number(std::string_view key, double value) {
  if (is_real_key(key) || value != std::floor(value)) {
    if (value != static_cast<float>(value)) return value;
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, static_cast<float>(value)).ptr;
    std::from_chars(digits, end, value);
    return value;
  }
  return static_cast<std::int64_t>(value);
}

/// Nothing where the model has nothing to state.
inline std::optional<json> json_of(const checkpoint_statement& statement, std::span<const block_parameters> blocks) {
  using enum checkpoint_statement::kind;
  json list = json::array();
  std::string letters;
  switch (statement.what) {
    case word:
      return std::string(statement.text);
    case number:
      return json_number(statement.config, statement.number);
    case truth:
      return statement.number != 0;
    case numbers:
      for (const std::int32_t n : statement.numbers) list.push_back(n);
      return list;
    case reals:
      for (const double x : statement.reals) list.push_back(x);
      return list;
    case null:
      return json(nullptr);
    case rows:
    case presence:
      for (const block_parameters& b : blocks)
        if (const weight_slot* slot = find_parameter(b, statement.text))
          return statement.what == presence ? json(true) : json(slot->rows);
      return statement.what == presence ? std::optional<json>(false) : std::nullopt;
    case rows_of_blocks:
    case heads_of_blocks:
      for (const block_parameters& b : blocks) list.push_back(json_number(statement.config, block_value(statement, b)));
      return list;
    case windows_of_blocks:
    case blocks_without:
      for (const block_parameters& b : blocks) list.push_back(block_value(statement, b) != 0);
      return list;
    case blocks_with:
      for (std::size_t i = 0; i < blocks.size(); ++i)
        if (find_parameter(blocks[i], statement.text) != nullptr) list.push_back(i);
      return list;
    case names_of_blocks:
      for (const block_parameters& b : blocks) list.push_back(std::string(name_of(statement, b)));
      return list;
    case letters_of_blocks:
      for (const block_parameters& b : blocks) letters += name_of(statement, b);
      return letters;
  }
  return std::nullopt;
}

}  // namespace inlay::detail
