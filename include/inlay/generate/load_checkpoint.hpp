// SPDX-License-Identifier: Apache-2.0
// All of loading that does not depend on the model's type. Cheap to include; defined in
// generate/load_checkpoint_definitions.hpp.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "inlay/core/dtype.hpp"
#include "inlay/core/error.hpp"
#include "inlay/core/function_ref.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/generate/model_interface.hpp"
#include "inlay/generate/weight_slot.hpp"
#include "inlay/layers/parameter.hpp"
#include "inlay/models/checkpoint_description.hpp"

namespace inlay {

class checkpoint;

namespace detail {

/// A kernel policy's packing, without its type.
struct packing {
  std::size_t (*panel_bytes)(dtype, std::size_t rows, std::size_t columns);
  void (*pack_panel)(dtype, const std::byte* const* rows, std::size_t count, std::size_t columns, std::byte* out);
};

/// What a model's type says about loading it.
struct load_request {
  checkpoint_description description;
  std::span<const weight_slot> slots;
  std::vector<std::vector<float>> rope_divisors;  ///< of its kinds of rotary embedding, for those that have any
  /// Reads what the model's type takes from the file beside weights; called when the file's facts are known to fit.
  function_ref<result<void>(const checkpoint&, weight_origin)> complete;
  packing pack;
  std::size_t vocab = 0;
  std::size_t parameters = 0;
  bool depends_on_origin = false;  ///< layers/parameter.hpp
};

/// A loaded model's weights by name: what adapters are fitted to.
struct weight_table {
  checkpoint_description description;
  std::vector<weight_slot> slots;
  packing pack;
  weight_origin origin = weight_origin::safetensors;
  bool depends_on_origin = false;
};

struct loaded_weights;

class model_of_file : public model_interface {
 public:
  std::shared_ptr<const loaded_weights> weights;  ///< what the model's parameters point into

 protected:
  /// Where `row` of a table can be read: it is copied to `room` if it is in a file, whose pages stay out of memory so.
  const std::byte* fetch(std::span<const std::byte> row, std::byte* room) const;
};

/// Checks the file against the request, fills the slots, which are in `model`, and reads what the file says about text.
result<language_model> load_checkpoint(checkpoint&& file, std::unique_ptr<model_of_file> model,
                                       const load_request& request, const load_options& options);

/// Opens a checkpoint and hands it to `load`.
result<language_model> load_file(std::string_view path,
                                 result<language_model> (*load)(checkpoint&&, const load_options&),
                                 const load_options& options);

/// Whether load_checkpoint would find the file's facts and shapes to be those of a model type; if not, why.
result<void> check_checkpoint(const checkpoint& file, const checkpoint_description& description,
                              std::span<const weight_slot> slots);

/// LongRoPE's divisors, from a GGUF's tensors or from config.json: short ones, then long ones.
result<std::vector<float>> read_rope_factors(const checkpoint& file, std::size_t pairs);

}  // namespace detail
}  // namespace inlay
