// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <inlay/api.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What the command line asks for.
struct options {
  std::string model;
  std::optional<std::string> prompt;
  std::string chat_template = "auto";
  inlay::session_options session;
  inlay::generate_options generation;
  bool stats = false;
};

/// The options, or the exit code of a program that has said all it has to say.
std::variant<options, int> parse(int argc, char** argv, const std::vector<std::string_view>& model_types);
