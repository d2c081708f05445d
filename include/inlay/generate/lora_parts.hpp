// SPDX-License-Identifier: Apache-2.0
// What an adapter is made of, and the definitions of its members.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "inlay/config/macros.hpp"
#include "inlay/core/buffer.hpp"
#include "inlay/generate/lora.hpp"
#include "inlay/layers/adaptation.hpp"

namespace inlay {

struct lora_adapter::parts {
  std::string path;
  const void* model = nullptr;  ///< whose weights it changes
  std::size_t rank = 0;
  std::size_t parameters = 0;
  std::uint64_t fingerprint = 0;
  std::vector<low_rank_update> updates;
  buffer memory;
};

INLAY_DEFINITION const std::string& lora_adapter::path() const { return parts_->path; }
INLAY_DEFINITION const void* lora_adapter::model() const { return parts_->model; }
INLAY_DEFINITION std::size_t lora_adapter::rank() const { return parts_->rank; }
INLAY_DEFINITION std::size_t lora_adapter::parameters() const { return parts_->parameters; }
INLAY_DEFINITION std::uint64_t lora_adapter::fingerprint() const { return parts_->fingerprint; }
INLAY_DEFINITION const std::vector<low_rank_update>& lora_adapter::updates() const { return parts_->updates; }

}  // namespace inlay
