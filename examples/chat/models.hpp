// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <inlay/api.hpp>
#include <string>
#include <string_view>
#include <vector>

/// A checkpoint of any of the model types this program was built with.
struct loaded {
  std::string_view type;
  inlay::language_model model;
};
inlay::result<loaded> load_any(const std::string& path, const inlay::load_options& options);

/// The names of the model types.
std::vector<std::string_view> model_types();
