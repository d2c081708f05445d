// SPDX-License-Identifier: Apache-2.0
// Files of real shapes with random weights, for inlay and for other engines: no download is needed to compare speeds.
#pragma once

#include <string>
#include <string_view>

#include "bench/end_to_end/shapes.hpp"
#include "inlay/core/error.hpp"

namespace inlay::bench {

/// Writes a GGUF file. `mixture` is the name of a file type (convert/quantization_mix.hpp) in small letters. Weights
/// are nearly normal with a standard deviation of 0.02, in rows that repeat after 97.
result<void> write_synthetic(const model_shape& shape, std::string_view mixture, std::string path);

}  // namespace inlay::bench
