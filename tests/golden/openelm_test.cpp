// SPDX-License-Identifier: Apache-2.0
// OpenELM against its equations (tests/reference/models/make_openelm.py): every layer of other sizes.
#include "inlay/models/openelm.hpp"

#include "golden.hpp"
#include "inlay/kernels/plain.hpp"
#include "tests/support/tiny_models.hpp"

namespace {

using namespace inlay::models;

struct other : openelm<{.vocab = 272, .width = 64, .head_dim = 16},
                       scaled_layers<3>({.width = 64, .head_dim = 16, .group = 2, .inner_divisor = 16})> {};

}  // namespace

TEST_CASE_TEMPLATE("OpenELM", K, inlay::kernels::plain, inlay::kernels::standard) {
  golden::check_both<tiny::openelm::model, K>("openelm");
}

TEST_CASE("OpenELM of other layer sizes is refused") {
  for (const char* file : {"", "model.gguf"}) {
    const auto model = inlay::load<other>(golden::path("openelm", file));
    REQUIRE_FALSE(model.has_value());
    CHECK(model.error().code == inlay::errc::mismatch);
    INFO(model.error().message);
    CHECK(model.error().message.find("the model type has blocks.1.mlp.gate.weight [144, 64]") != std::string::npos);
  }
}
