// SPDX-License-Identifier: Apache-2.0
// The model types that are benchmarked, and what a file of one of them is made of, read off the type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/core/function_ref.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/models/checkpoint_description.hpp"

namespace inlay::bench {

struct shape_tensor {
  std::string name;  ///< in a GGUF file
  std::vector<std::uint64_t> shape;
  double share = 1.0;  ///< of its bytes that one token reads
};

/// What a GGUF file of a model type holds.
struct model_shape {
  std::string_view name;
  std::string_view architecture;
  std::vector<std::pair<std::string, double>> facts = {};  ///< key behind the architecture, number
  std::vector<shape_tensor> tensors = {};
  std::vector<float> rope_divisors = {};
  std::size_t vocab = 0;

  /// The number of a fact, 0 if the shape does not state it.
  double fact(std::string_view key) const {
    for (const auto& [k, value] : facts)
      if (k == key) return value;
    return 0.0;
  }
};

/// A shape by its name, e.g. "llama-3.2-1b"; errc::argument lists those there are.
result<model_shape> find_shape(std::string_view name);
/// The shape whose name a file's name begins with; errc::argument lists those there are.
result<std::string_view> shape_of_file(std::string_view path);
/// Loads a file of that shape.
result<language_model> load_shape(std::string_view name, std::string_view path, const load_options& options);

}  // namespace inlay::bench
