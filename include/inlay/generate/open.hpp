// SPDX-License-Identifier: Apache-2.0
// Opening a checkpoint of whatever model. Cheap to include; open() is defined in generate/zoo.hpp, which one
// translation unit of a program includes to say INLAY_INSTANTIATE_ZOO(inlay::small_zoo).
#pragma once

#include <string_view>

#include "inlay/core/error.hpp"
#include "inlay/generate/language_model.hpp"

namespace inlay {

/// The published models of up to about five billion parameters (generate/small_zoo.hpp).
struct small_zoo;

struct opened_model {
  std::string_view type;  ///< the name of the model type, as in C++
  language_model model;
};

/// Loads a checkpoint into the type of `Zoo` (generate/zoo.hpp) that fits it. errc::unsupported where none does: the
/// message says what the file is, which types come nearest and what differs. Otherwise the errors of load().
template <class Zoo = small_zoo>
result<opened_model> open(std::string_view path, const load_options& options = {});

}  // namespace inlay
