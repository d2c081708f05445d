// SPDX-License-Identifier: Apache-2.0
// A model type behind virtual functions.
#pragma once

#include <cstddef>
#include <string>

#include "inlay/core/buffer.hpp"
#include "inlay/core/function_ref.hpp"
#include "inlay/layers/state.hpp"
#include "inlay/models/batch.hpp"

namespace inlay {

/// The part of a model type that does not depend on the type: one virtual call a forward pass. Implemented by
/// detail::loaded_model (generate/load.hpp); whoever builds a model otherwise can implement it too.
class model_interface {
 public:
  virtual ~model_interface() = default;
  virtual std::size_t state_object_bytes() const = 0;
  virtual std::size_t state_bytes(const state_options& options) const = 0;
  virtual std::size_t scratch_bytes(std::size_t rows) const = 0;
  virtual void place_state(std::byte* object, arena& memory, const state_options& options) const = 0;
  virtual void forward(const batch& b, workspace w) const = 0;
  // layers/state.hpp says what these are.
  virtual bool stores(dtype kv_type) const = 0;
  virtual std::size_t mark_bytes(const state_options& options) const = 0;
  virtual void for_each_state_part(const std::byte* object, std::size_t position, state_parts which,
                                   function_ref<void(std::byte*, std::size_t)> f) const = 0;
  virtual std::size_t earliest(const std::byte* object, const sequence_past& past) const = 0;
  virtual std::string layout() const = 0;

 protected:
  model_interface() = default;
  model_interface(const model_interface&) = default;
  model_interface& operator=(const model_interface&) = default;
};

}  // namespace inlay
