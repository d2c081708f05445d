// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

/// The names of the model types that inlay::open() knows here.
std::vector<std::string_view> model_types();
