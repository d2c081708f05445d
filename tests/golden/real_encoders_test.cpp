// SPDX-License-Identifier: Apache-2.0
// all-MiniLM-L6-v2 with its published weights: known embeddings and similarities.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

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

  std::ifstream file(INLAY_TEST_DATA "/golden/all_minilm_l6_v2.txt");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);)
    if (!line.starts_with('#')) lines.push_back(line);
  REQUIRE(lines.size() == 6);

  inlay::embedder embedder(*model);
  const auto v = embedder.embed({lines[0], lines[2], lines[4]});
  REQUIRE_MESSAGE(v.has_value(), v.error().message);
  // Numbers near 0.05 with seven digits, after some hundred f32 roundings on either side.
  double worst = 0.0;
  for (std::size_t i = 0; i < 3; ++i) {
    std::istringstream numbers(lines[2 * i + 1]);
    std::size_t count = 0;
    for (double expected; numbers >> expected; ++count) {
      REQUIRE(count < (*v)[i].size());
      worst = std::max(worst, std::fabs((*v)[i][count] - expected));
    }
    CHECK(count == (*v)[i].size());
  }
  CHECK(worst <= 1e-6);
  MESSAGE("largest difference " << worst);
  // Known similarities, rounded to four digits.
  const auto near = [](float got, double expected) { CHECK(std::fabs(got - expected) <= 0.5001e-4); };
  near(inlay::cosine((*v)[0], (*v)[1]), 0.6888);
  near(inlay::cosine((*v)[0], (*v)[2]), 0.0088);
  near(inlay::cosine((*v)[1], (*v)[2]), -0.0232);

  // Case and accents make no difference to it, and neither does what else is in the batch.
  const auto others = embedder.embed({"Ein Text, der hinzukommt", "a MAN is éating Food."});
  REQUIRE(others.has_value());
  CHECK(inlay::cosine((*others)[1], (*v)[0]) > 0.99999f);
}
