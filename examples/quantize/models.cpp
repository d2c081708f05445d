// SPDX-License-Identifier: Apache-2.0
#include "models.hpp"

#include <inlay/convert/convert_any.hpp>
#include <inlay/generate/small_zoo.hpp>

namespace {

// Larger models can be converted on any machine, since one tensor at a time is in memory.
using models = inlay::zoo<inlay::small_zoo, inlay::models::phi4, inlay::models::mistral_7b_v0_1,
                          inlay::models::mistral_7b_v0_3, inlay::models::gemma3_12b>;

}  // namespace

inlay::result<inlay::conversion_report> run(const conversion& c) {
  const auto file = inlay::open_checkpoint(c.input);
  if (!file) return inlay::unexpected<inlay::error>(file.error());
  // The same container on both sides: names and orders stay, so the model's type does not matter.
  if (file->gguf() != nullptr && c.output.ends_with(".gguf")) return quantize_gguf(*file, c.output, c.options);
  return inlay::convert_any<models>(*file, c.output, c.options);
}

inlay::result<inlay::activation_sums> calibrate(const std::string& model, const std::string& text,
                                                const inlay::calibration_options& options) {
  const auto opened = inlay::open<models>(model, {.threads = options.threads});
  if (!opened) return inlay::unexpected<inlay::error>(opened.error());
  return collect_activations(opened->model, text, options);
}
