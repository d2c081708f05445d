// SPDX-License-Identifier: Apache-2.0
// Low-rank adapters (LoRA, Hu et al. 2021; QLoRA's are the same): small changes of a model's weights that are applied
// as it runs. A session has any number of them active, each with a scale. load_lora() is in generate/load_lora.hpp.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "inlay/core/buffer.hpp"
#include "inlay/layers/adaptation.hpp"

namespace inlay {

/// An adapter, fitted to the model it was loaded for. Constant, and cheap to copy.
class lora_adapter {
 public:
  struct parts {
    std::string path;
    const void* model = nullptr;  ///< whose weights it changes
    std::size_t rank = 0;
    std::size_t parameters = 0;
    std::vector<low_rank_update> updates;
    buffer memory;
  };
  explicit lora_adapter(std::shared_ptr<const parts> from) : parts_(std::move(from)) {}

  const std::string& path() const { return parts_->path; }
  const void* model() const { return parts_->model; }
  std::size_t rank() const { return parts_->rank; }  ///< the highest of its matrices
  std::size_t parameters() const { return parts_->parameters; }
  const std::vector<low_rank_update>& updates() const { return parts_->updates; }

 private:
  std::shared_ptr<const parts> parts_;
};

/// An adapter as a session uses it: y = W x + scale * (alpha / rank) * B (A x).
struct active_adapter {
  lora_adapter adapter;
  float scale = 1.0f;
};

}  // namespace inlay
