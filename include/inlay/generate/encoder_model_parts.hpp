// SPDX-License-Identifier: Apache-2.0
// What an encoder_model is made of, and the definitions of its members.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "inlay/config/macros.hpp"
#include "inlay/core/error.hpp"
#include "inlay/generate/encoder_model.hpp"
#include "inlay/models/encoder_batch.hpp"
#include "inlay/text/tokenizer.hpp"

namespace inlay {

/// The part of an encoder type that does not depend on the type: one virtual call a batch. Implemented by
/// detail::loaded_encoder (generate/load_encoder.hpp); whoever builds a model otherwise can implement it too.
class encoder_interface {
 public:
  virtual ~encoder_interface() = default;
  virtual std::size_t scratch_bytes(std::size_t rows) const = 0;
  virtual void forward(const encoder_batch& b, workspace w) const = 0;

 protected:
  encoder_interface() = default;
  encoder_interface(const encoder_interface&) = default;
  encoder_interface& operator=(const encoder_interface&) = default;
};

struct encoder_model::parts {
  std::unique_ptr<encoder_interface> model;  ///< never null
  encoder_facts facts = {};
  std::unique_ptr<tokenizer> text = {};
  error text_error{errc::missing, "The checkpoint has no tokenizer."};
  std::vector<std::string> labels = {};
};

inline encoder_model::encoder_model(std::unique_ptr<parts> from) : parts_(make_opaque(std::move(from))) {}

INLAY_DEFINITION const encoder_facts& encoder_model::facts() const { return parts_->facts; }
INLAY_DEFINITION const tokenizer* encoder_model::text() const { return parts_->text.get(); }
INLAY_DEFINITION const error& encoder_model::text_error() const { return parts_->text_error; }
INLAY_DEFINITION const std::vector<std::string>& encoder_model::labels() const { return parts_->labels; }
INLAY_DEFINITION std::size_t encoder_model::scratch_bytes(std::size_t rows) const {
  return parts_->model->scratch_bytes(rows);
}
INLAY_DEFINITION void encoder_model::forward(const encoder_batch& b, workspace w) const {
  parts_->model->forward(b, w);
}

}  // namespace inlay
