// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <inlay/api.hpp>
#include <string>
#include <vector>

/// Sets how the model reads conversations: `which` is "auto" (the library's own form of the checkpoint's template, or
/// where it has none the template itself), "checkpoint" (the template itself), or a file with a template. Gives the
/// tokens that end an answer beside the model's own.
inlay::result<std::vector<inlay::token_id>> set_template(inlay::language_model& model, const std::string& which);
