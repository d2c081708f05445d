// SPDX-License-Identifier: Apache-2.0
// all-MiniLM-L6-v2 with its published weights: known embeddings and similarities.
#include <cmath>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "inlay/generate/load_encoder.hpp"
#include "inlay/models/bert.hpp"
#include "inlay/text/unicode_forms_utf8proc.hpp"
#include "tests/support/model.hpp"

TEST_CASE("all-MiniLM-L6-v2") {
  const auto path = inlay_test::model("all-MiniLM-L6-v2/model.safetensors");
  if (!path) return;
  const auto model =
      inlay::load_encoder<inlay::models::all_minilm_l6_v2>(*path, {.text = {.forms = &inlay::unicode_from_utf8proc}});
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  REQUIRE_MESSAGE(model->text() != nullptr, model->text_error().message);
  CHECK(model->facts().unknown_tensors.empty());

  inlay::embedder embedder(*model);
  const auto v =
      embedder.embed({"A man is eating food.", "Someone is having a meal.", "The stock market crashed today."});
  REQUIRE_MESSAGE(v.has_value(), v.error().message);
  // The reference rounds to this many digits; its weights are the same.
  const auto near = [](float got, double expected, double rounding) { CHECK(std::fabs(got - expected) <= rounding); };
  near(inlay::cosine((*v)[0], (*v)[1]), 0.6888, 0.5001e-4);
  near(inlay::cosine((*v)[0], (*v)[2]), 0.0088, 0.5001e-4);
  near(inlay::cosine((*v)[1], (*v)[2]), -0.0232, 0.5001e-4);
  const std::vector<double> first = {0.03317, 0.00444, -0.00624, 0.04839, -0.13878, -0.03363};
  for (std::size_t i = 0; i < first.size(); ++i) near((*v)[0][i], first[i], 0.51e-5);

  // Case and accents make no difference to it, and neither does what else is in the batch.
  const auto others = embedder.embed({"Ein Text, der hinzukommt", "a MAN is éating Food."});
  REQUIRE(others.has_value());
  CHECK(inlay::cosine((*others)[1], (*v)[0]) > 0.99999f);
}
