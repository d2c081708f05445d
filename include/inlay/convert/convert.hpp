// SPDX-License-Identifier: Apache-2.0
// Checkpoints from one container to the other and to other storage types, tensor by tensor: no more than a few
// megabytes of weights are in memory at once.
//
//   auto file = inlay::open_checkpoint("SmolLM2-135M-Instruct");  // a folder of safetensors
//   auto done = inlay::convert<inlay::models::smollm2_135m>(*file, "Q4_K_M.gguf", {.type = inlay::file_type::q4_k_m});
//
// A GGUF that is only quantized needs no model type: quantize_gguf(). Costs seconds to compile (JSON, tokenizers).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "inlay/convert/calibration.hpp"
#include "inlay/convert/convert_checkpoint.hpp"
#include "inlay/convert/convert_definitions.hpp"
#include "inlay/core/error.hpp"
#include "inlay/generate/load_checkpoint.hpp"
#include "inlay/generate/weight_slot.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/layers/parameter.hpp"
#include "inlay/models/checkpoint_description.hpp"
#include "inlay/models/rotaries.hpp"

namespace inlay {

namespace detail {

template <class... R>
constexpr std::size_t long_rope_pairs(rotary_list<R...>) {
  std::size_t pairs = 0;
  [[maybe_unused]] const auto look = [&]<class Rotary>(Rotary*) {
    if constexpr (Rotary::has_factors) pairs = Rotary::pairs;
  };
  (look(static_cast<R*>(nullptr)), ...);
  return pairs;
}

template <class Model, class F>
auto with_conversion_request(const F& f) {
  const auto model = std::make_unique<Model>();
  const auto slots = weight_slots(*model);
  conversion_request request{.description = describe_checkpoint<Model>(), .slots = slots, .rope_divisors = {}};
  const auto note = [&](const std::string& path, const turned_pieces& t) { request.turned.emplace(path, t); };
  for_each_turned(*model, "", note);
  if constexpr (requires { typename Model::rotaries; }) {
    request.rope_divisors = rope_divisors(typename Model::rotaries{});
    request.long_rope_pairs = long_rope_pairs(typename Model::rotaries{});
  }
  if constexpr (requires { Model::vocab; }) request.vocab = Model::vocab;
  return f(request);
}

}  // namespace detail

/// Writes a checkpoint of Model's shape to `to`: a GGUF file where that ends in ".gguf", else a folder with
/// model.safetensors, config.json and tokenizer files. Both containers' names and the orders of rows are those of the
/// model's family. What was there is replaced once the new file is complete. Errors name the file and the tensor:
/// errc::mismatch or errc::missing for a checkpoint of another model, errc::argument where quantized tensors may not be
/// quantized again (convert_options::requantize), errc::unsupported for what the container cannot hold, errc::io.
template <class Model>
result<conversion_report> convert(const checkpoint& from, std::string to, const convert_options& options = {}) {
  return detail::with_conversion_request<Model>([&](const detail::conversion_request& request) {
    return detail::convert_checkpoint(from, std::move(to), request, options);
  });
}

}  // namespace inlay
