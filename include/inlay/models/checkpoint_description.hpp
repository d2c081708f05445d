// SPDX-License-Identifier: Apache-2.0
// How a family's published checkpoints name and arrange what its type declares. A family states this once, as tables;
// the loader, the converter and the inspector read them.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace inlay {

/// The order of a matrix's rows in a file, seen from the model's order.
enum class row_order : std::uint8_t {
  same,
  /// Within every head of dimension d the file has rows 0, d/2, 1, d/2 + 1, ... : converters to GGUF turn half-split
  /// rotary pairs into interleaved ones for some architectures.
  interleaved_pairs,
  /// A convolution's taps: the file has all taps of a channel together, the model all channels of a tap.
  taps_last,
  /// The file has, for every head, the rows of this parameter and then those of another.
  first_of_head,
  second_of_head,
};

/// What is done to each number of a vector when it is read.
enum class value_change : std::uint8_t {
  none,
  add_one,       ///< norms stored as an offset from 1
  negative_exp,  ///< -exp(x): decay rates stored as logarithms
};

struct in_file {
  /// With `#` for the block's number and `@` for the expert's (where a file has one tensor an expert); alternatives are
  /// separated by `|`, the first that the file has counts. Empty: never there.
  std::string_view name;
  row_order rows = row_order::same;
  value_change change = value_change::none;
  bool by_head = false;  ///< a vector that is a matrix in the file, with a row for each head
};

/// One parameter of the type. Rules that name the same tensor share its rows, in the order of the rules.
struct tensor_rule {
  std::string_view parameter;  ///< path in the type, with `#` for the block's number
  in_file safetensors;
  in_file gguf;
};

/// A number of the type that the files state too.
struct checkpoint_fact {
  std::string_view config;  ///< key in config.json, empty: not there
  std::string_view gguf;    ///< key behind "architecture.", empty: not there
  double value;
  bool required = true;  ///< an error if the file does not state it
  bool written = true;   ///< stated in files that are made
};

/// A word of the type that the files may state too.
struct checkpoint_word {
  std::string_view config;    ///< key in config.json
  std::string_view accepted;  ///< separated by `|`
};

/// How a list in config.json calls the blocks that have a parameter.
struct block_name {
  std::string_view parameter;  ///< below the block; empty: any
  std::string_view name;
  bool window = false;  ///< only where it belongs to attention with a sliding window
};

/// What files state beside the facts, since their other readers ask for it: written, never compared.
struct checkpoint_statement {
  enum class kind : std::uint8_t {
    word,
    number,
    truth,    ///< `number` as a bool
    numbers,  ///< a list
    reals,    ///< config.json alone, a list
    null,     ///< config.json alone
    // From the model's parameters, of which `text` names one (alternatives separated by `|`).
    rows,      ///< of the first that there is; not stated if there is none
    presence,  ///< whether there is one, a bool
    // A list with a number or a bool for every block, from the block's own; zero or false for a block that has none.
    rows_of_blocks,     ///< divided by `number`
    heads_of_blocks,    ///< rows / size of a head
    windows_of_blocks,  ///< whether its attention has a sliding window
    blocks_without,     ///< whether there is no such parameter
    // config.json alone, of the blocks:
    blocks_with,       ///< the numbers of those that have the parameter
    names_of_blocks,   ///< a word for each, the first of `names` that fits
    letters_of_blocks  ///< the same in one word
  };
  std::string_view config = {};  ///< key in config.json, with dots between those of objects in it; empty: not there
  std::string_view gguf = {};    ///< key behind "architecture." or, of a tokenizer, whole; empty: not there
  kind what = kind::number;
  double number = 0;
  std::string_view text = {};
  std::span<const std::int32_t> numbers = {};
  std::span<const double> reals = {};
  std::span<const block_name> names = {};
};

struct checkpoint_description {
  std::span<const std::string_view> config_types;   ///< accepted "model_type" of config.json; empty: any
  std::span<const std::string_view> architectures;  ///< accepted "general.architecture" of a GGUF; empty: any
  std::span<const tensor_rule> rules;               ///< empty: tensors are named as in the type
  std::span<const checkpoint_fact> facts;
  /// Tensors the type has no use for; `#` stands for any number, `*` at the end for anything.
  std::span<const std::string_view> known;
  /// What may stand for a leading `prefix` in safetensors, for checkpoints that hold more than the model or less.
  std::span<const std::string_view> prefixes = {};
  std::string_view prefix = "model.";
  std::span<const checkpoint_word> words = {};
  std::span<const checkpoint_statement> statements = {};
  std::string_view context_key = "max_position_embeddings";  ///< of the longest sequence in config.json
  std::string_view config_class = {};  ///< "architectures" of config.json, the class that other libraries run it with
};

/// The description of a model type: its own `checkpoint()`, or one in which tensors have the type's names.
template <class Model>
constexpr checkpoint_description describe_checkpoint() {
  if constexpr (requires { Model::checkpoint(); })
    return Model::checkpoint();
  else
    return {};
}

}  // namespace inlay
