// SPDX-License-Identifier: Apache-2.0
// Conversion for programs that are given a checkpoint of whatever model.
//
//   inlay::convert_any<inlay::small_zoo>(*file, "model.gguf", {.type = file_type::q4_k_m});
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "inlay/convert/convert.hpp"
#include "inlay/core/error.hpp"
#include "inlay/generate/zoo.hpp"
#include "inlay/io/checkpoint.hpp"

namespace inlay {

/// convert<Model>() with the first type of a zoo that the checkpoint fits. Its errors, and those of find_model().
template <class Zoo>
result<conversion_report> convert_any(const checkpoint& from, std::string to, const convert_options& options = {}) {
  static constexpr auto models = Zoo::models();
  const auto type = find_model(from, models);
  if (!type) return unexpected<error>(type.error());
  const auto chosen = static_cast<std::size_t>(*type - models.data());
  result<conversion_report> outcome;
  std::size_t at = 0;
  Zoo::for_each([&]<class Model>() {
    if (at++ == chosen) outcome = convert<Model>(from, std::move(to), options);
  });
  return outcome;
}

}  // namespace inlay
