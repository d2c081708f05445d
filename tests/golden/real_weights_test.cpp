// SPDX-License-Identifier: Apache-2.0
// Models with their published weights.
#include "real_weights.hpp"

#include "inlay/models/gemma3.hpp"
#include "inlay/models/llama.hpp"
#include "tests/support/model.hpp"

TEST_CASE("SmolLM2-135M-Instruct answers as llama.cpp does") {
  const auto path = inlay_test::model("SmolLM2-135M-Instruct.Q4_1.gguf");
  if (!path) return;
  golden::check_real_weights<inlay::models::smollm2_135m>(
      *path, INLAY_TEST_DATA "/golden/smollm2_135m.txt",
      [](inlay::session& s, const std::string& question, inlay::generate_options options) {
        REQUIRE(s.model().chat() != nullptr);
        return s.reply(question, std::move(options));
      });
}

TEST_CASE("Gemma 3 270M goes on as llama.cpp does") {
  const auto path = inlay_test::model("gemma-3-270m-q4_k_m.gguf");
  if (!path) return;
  golden::check_real_weights<inlay::models::gemma3_270m>(
      *path, INLAY_TEST_DATA "/golden/gemma3_270m.txt",
      [](inlay::session& s, const std::string& question, inlay::generate_options options) {
        return s.generate(question, std::move(options));
      });
}
