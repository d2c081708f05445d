// SPDX-License-Identifier: Apache-2.0
#include "models.hpp"

#include <inlay/convert/convert.hpp>
#include <inlay/inlay.hpp>

using namespace inlay::models;

namespace {

#define TYPE(name) inlay::convertible<name>(#name)

constexpr inlay::convertible_model types[] = {
    TYPE(smollm2_135m),   TYPE(smollm2_360m), TYPE(smollm2_1_7b), TYPE(llama3_2_1b),  TYPE(llama3_2_3b),
    TYPE(tinyllama_1_1b), TYPE(qwen2_5_0_5b), TYPE(qwen2_5_1_5b), TYPE(qwen2_5_3b),   TYPE(qwen3_0_6b),
    TYPE(qwen3_1_7b),     TYPE(qwen3_4b),     TYPE(gemma3_270m),  TYPE(gemma3_1b),    TYPE(gemma3_4b),
    TYPE(phi3_5_mini),    TYPE(phi4_mini),    TYPE(phi4),         TYPE(openelm_270m),
};

}  // namespace

inlay::result<inlay::conversion_report> run(const conversion& c) {
  const auto file = inlay::open_checkpoint(c.input);
  if (!file) return inlay::unexpected<inlay::error>(file.error());
  // The same container on both sides: names and orders stay, so the model's type does not matter.
  if (file->gguf() != nullptr && c.output.ends_with(".gguf")) return quantize_gguf(*file, c.output, c.options);
  std::string reasons;
  for (const inlay::convertible_model& type : types) {
    const auto fits = type.fits(*file);
    if (fits) return type.convert(*file, c.output, c.options);
    reasons += inlay::concat("\n  ", type.name, ": ", fits.error().message);
  }
  return inlay::fail(
      inlay::errc::unsupported,
      inlay::concat(c.input, ": is of none of the model types of this program; models.cpp lists them.", reasons));
}
