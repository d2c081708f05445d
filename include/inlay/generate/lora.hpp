// SPDX-License-Identifier: Apache-2.0
// Low-rank adapters (LoRA, Hu et al. 2021; QLoRA's are the same): small changes of a model's weights that are applied
// as it runs. A session has any number of them active, each with a scale. Cheap to include; the members
// are defined in generate/lora_parts.hpp, load_lora() in generate/lora_definitions.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"

namespace inlay {

class language_model;
struct low_rank_update;

/// An adapter, fitted to the model it was loaded for. Constant, and cheap to copy.
class lora_adapter {
 public:
  struct parts;  // generate/lora_parts.hpp
  explicit lora_adapter(std::shared_ptr<const parts> from) : parts_(std::move(from)) {}

  const std::string& path() const;
  const void* model() const;          ///< language_model::weights() of the model it was loaded for
  std::size_t rank() const;           ///< the highest of its matrices
  std::size_t parameters() const;     ///< how many numbers it consists of
  std::uint64_t fingerprint() const;  ///< of what it contains, wherever it was read from
  const std::vector<low_rank_update>& updates() const;

 private:
  std::shared_ptr<const parts> parts_;
};

/// Reads an adapter for a model: a folder of PEFT, its .safetensors file, or a GGUF adapter. It changes linear layers,
/// experts among them; fused tensors of the file are taken apart as the model's are. The adapter must not outlive the
/// model. Errors name the tensor and what it does not fit: errc::missing for a layer that the model does not have,
/// errc::mismatch for another shape, errc::unsupported for other kinds of adapters, errc::io, errc::format.
result<lora_adapter> load_lora(const language_model& model, std::string path);

/// An adapter as a session uses it: y = W x + scale * (alpha / rank) * B (A x).
struct active_adapter {
  lora_adapter adapter;
  float scale = 1.0f;
};

}  // namespace inlay
