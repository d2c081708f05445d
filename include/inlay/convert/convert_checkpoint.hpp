// SPDX-License-Identifier: Apache-2.0
// All of conversion that does not depend on the model's type; defined in convert/convert_definitions.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "inlay/convert/importance.hpp"
#include "inlay/convert/quantization_mix.hpp"
#include "inlay/core/dtype.hpp"
#include "inlay/core/error.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/generate/weight_slot.hpp"
#include "inlay/layers/parameter.hpp"
#include "inlay/models/checkpoint_description.hpp"

namespace inlay {

class checkpoint;

struct convert_options {
  /// Of a GGUF any; of safetensors F32, F16 or BF16. Without it tensors keep their type, except that what safetensors
  /// do not have becomes F32, and that vectors and small tensors of a new GGUF are F32 as its readers expect.
  std::optional<file_type> type = {};
  bool pure = false;        ///< all tensors that are quantized get the same type, as far as their rows allow
  bool requantize = false;  ///< allow quantized tensors to be quantized again, which loses more than doing it once
  /// What counts most in each tensor; used by the K, IQ4 and IQ2 types. Null: all weights alike.
  const importance_matrix* importance = nullptr;
  std::uint64_t shard_bytes = 0;  ///< safetensors are split into files of at most this much, or one tensor; 0: one file
  std::size_t threads = 0;        ///< 0: one for each CPU
  progress_callback progress = {};  ///< bytes written, bytes in all
};

struct conversion_report {
  std::size_t tensors = 0;
  std::uint64_t bytes = 0;                       ///< of tensors
  std::array<std::size_t, dtype_count> types{};  ///< tensors by storage type
  std::vector<std::string> left_out;             ///< tensors of the checkpoint that the model type has no use for
  std::vector<std::string> notes;                ///< what else could not be carried over, in whole sentences
};

/// Writes a GGUF again with other storage types; its metadata stays. errc::argument where `from` is no GGUF, or tensors
/// are quantized already and `requantize` does not allow it; errc::mismatch for importances of other shapes; errc::io.
result<conversion_report> quantize_gguf(const checkpoint& from, std::string to, const convert_options& options);

namespace detail {

/// What a model's type says about its files.
struct conversion_request {
  checkpoint_description description;
  std::span<const weight_slot> slots;
  std::vector<std::vector<float>> rope_divisors;
  std::size_t long_rope_pairs = 0;  ///< of its LongRoPE; 0: none
  std::size_t vocab = 0;
  std::map<std::string, turned_pieces> turned = {};  ///< by the parameters' paths: other orders in the two containers
};

result<conversion_report> convert_checkpoint(const checkpoint& from, std::string to, const conversion_request& request,
                                             const convert_options& options);

}  // namespace detail
}  // namespace inlay
