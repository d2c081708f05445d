// SPDX-License-Identifier: Apache-2.0
// What of this program knows model types: those of the zoo, whose checkpoints can be converted between safetensors and
// GGUF and run for calibration.
#pragma once

#include <inlay/convert/calibration.hpp>
#include <inlay/convert/convert_checkpoint.hpp>
#include <inlay/core/error.hpp>
#include <string>

struct conversion {
  std::string input, output;
  inlay::convert_options options;
};

/// Reads the input, whatever it is, and writes the output.
inlay::result<inlay::conversion_report> run(const conversion& c);

/// Runs the model over a text.
inlay::result<inlay::activation_sums> calibrate(const std::string& model, const std::string& text,
                                                const inlay::calibration_options& options);
