// SPDX-License-Identifier: Apache-2.0
// Every quantized type against transformers run on the weights it decodes to.
#include "golden.hpp"
#include "inlay/kernels/plain.hpp"
#include "tests/support/tiny_models.hpp"

namespace {

using wide = tiny::llama_wide::model;

constexpr const char* types[] = {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0",   "Q2_K",
                                 "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ2_XXS"};

// Kernels that quantize activations round each to 8 bits, at most 1/254 of the largest of its block: an error of up to
// sqrt(n) / 254 / sqrt(3) against a sum of n products of the order sqrt(n), so 0.25 % of a typical result, and four
// times that of a block with outliers. Four products in a row, amplified by the norms between them, stay below 4 %.
constexpr double int8_tolerance = 0.04;

}  // namespace

TEST_CASE("float weights give transformers' logits") {
  const std::string expected = golden::path("llama_wide", "expected.safetensors");
  golden::check<wide, inlay::kernels::plain>(golden::path("llama_wide"), expected, golden::f32_tolerance);
  golden::check<wide, inlay::kernels::standard>(golden::path("llama_wide"), expected, golden::f32_tolerance);
}

TEST_CASE("quantized weights give the logits of what they decode to") {
  for (const std::string type : types) {
    const std::string model = golden::path("llama_wide", "model." + type + ".gguf");
    const std::string expected = golden::path("llama_wide", "expected." + type + ".safetensors");
    golden::check<wide, inlay::kernels::plain>(model, expected, golden::f32_tolerance);
    golden::check<wide, inlay::kernels::standard>(model, expected, int8_tolerance, false);
  }
}
