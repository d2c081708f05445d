// SPDX-License-Identifier: Apache-2.0
// The model types whose checkpoints can be converted between safetensors and GGUF.
#pragma once

#include <inlay/convert/convert_checkpoint.hpp>
#include <inlay/core/error.hpp>
#include <string>

struct conversion {
  std::string input, output;
  inlay::convert_options options;
};

/// Reads the input, whatever it is, and writes the output.
inlay::result<inlay::conversion_report> run(const conversion& c);
