// SPDX-License-Identifier: Apache-2.0
// TinyLlama-1.1B-Chat with weights of two bits: a mixture of IQ2_XXS, Q2_K, Q4_K and Q5_K.
#include "inlay/models/llama.hpp"
#include "real_weights.hpp"
#include "tests/support/model.hpp"

TEST_CASE("TinyLlama-1.1B-Chat answers as llama.cpp does") {
  const auto path = inlay_test::model("tinyllama-1.1b-chat.IQ2_XXS.gguf");
  if (!path) return;
  golden::check_real_weights<inlay::models::tinyllama_1_1b>(
      *path, INLAY_TEST_DATA "/golden/tinyllama_1_1b.txt",
      [](inlay::session& s, const std::string& question, inlay::generate_options options) {
        REQUIRE(s.model().chat() != nullptr);
        return s.reply(question, std::move(options));
      });
}
