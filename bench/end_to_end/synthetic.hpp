// SPDX-License-Identifier: Apache-2.0
// Files of real shapes with random weights, for inlay and for other engines: no download is needed to compare speeds.
#pragma once

#include <string>
#include <string_view>

#include "bench/end_to_end/shapes.hpp"
#include "inlay/core/dtype.hpp"
#include "inlay/core/error.hpp"

namespace inlay::bench {

/// How tensors are stored: the name of a storage type ("q8_0"; the head is Q6_K in all types below it), or of one of
/// llama.cpp's mixtures ("q4_k_m", "q5_k_m", "q2_k").
dtype storage_type(const model_shape& shape, const shape_tensor& tensor, std::string_view mixture);
bool is_mixture(std::string_view name);

/// Writes a GGUF file. Weights are nearly normal with a standard deviation of 0.02, in rows that repeat after 97.
result<void> write_synthetic(const model_shape& shape, std::string_view mixture, std::string path);

}  // namespace inlay::bench
