// SPDX-License-Identifier: Apache-2.0
// A model type as a value, and which of several a checkpoint is of. Cheap to include; find_model is defined in
// generate/known_model_definitions.hpp.
#pragma once

#include <span>
#include <string_view>

#include "inlay/core/error.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/generate/open.hpp"
#include "inlay/models/checkpoint_description.hpp"

namespace inlay {

class checkpoint;

/// Made by known<Model>() in generate/zoo.hpp.
struct known_model {
  std::string_view name;
  checkpoint_description description;
  /// Whether the checkpoint states the numbers of the type and has all its tensors in the right shapes; if not, why.
  result<void> (*fits)(const checkpoint&);
  /// load<Model>() of a checkpoint that is open already.
  result<language_model> (*load)(checkpoint&&, const load_options&);
};

/// The first of the types that the checkpoint fits. errc::unsupported if there is none: what the file is, the nearest
/// types, and what differs.
result<const known_model*> find_model(const checkpoint& file, std::span<const known_model> models);

namespace detail {

/// open() with the list as a value.
result<opened_model> open_any(std::string_view path, std::span<const known_model> models, const load_options& options);

}  // namespace detail

}  // namespace inlay
