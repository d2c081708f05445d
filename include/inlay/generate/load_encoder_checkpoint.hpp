// SPDX-License-Identifier: Apache-2.0
// All of loading an encoder that does not depend on its type. Cheap to include; defined in
// generate/encoder_definitions.hpp.
#pragma once

#include <memory>
#include <string_view>

#include "inlay/core/error.hpp"
#include "inlay/generate/encoder_model_parts.hpp"
#include "inlay/generate/load_checkpoint.hpp"

namespace inlay::detail {

class encoder_of_file : public encoder_interface {
 public:
  std::shared_ptr<const void> weights;  ///< what the model's parameters point into
};

/// Checks the file against the request, fills the slots, which are in `model`, and reads tokenizer and labels. `facts`
/// has what only the type knows.
result<encoder_model> load_encoder_checkpoint(checkpoint&& file, std::unique_ptr<encoder_of_file> model,
                                              const load_request& request, const encoder_facts& facts,
                                              const load_options& options);

/// Opens a checkpoint and hands it to `load`.
result<encoder_model> load_encoder_file(std::string_view path,
                                        result<encoder_model> (*load)(checkpoint&&, const load_options&),
                                        const load_options& options);

}  // namespace inlay::detail
