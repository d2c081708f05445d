// SPDX-License-Identifier: Apache-2.0
// OpenELM against its equations (tests/reference/models/make_openelm.py): every layer of other sizes.
#include "inlay/models/openelm.hpp"

#include "golden.hpp"
#include "inlay/kernels/plain.hpp"

namespace {

using namespace inlay::models;

struct tiny : openelm<{.vocab = 272, .width = 64, .head_dim = 16},
                      std::array{openelm_layer{2, 1, 32}, openelm_layer{4, 2, 80}, openelm_layer{6, 3, 128}}> {};
struct other : openelm<{.vocab = 272, .width = 64, .head_dim = 16},
                       scaled_layers<3>({.width = 64, .head_dim = 16, .group = 2, .inner_divisor = 16})> {};

}  // namespace

TEST_CASE_TEMPLATE("OpenELM", K, inlay::kernels::plain, inlay::kernels::standard) {
  const std::string expected = golden::path("openelm", "expected.safetensors");
  golden::check<tiny, K>(golden::path("openelm"), expected, golden::f32_tolerance);
  golden::check<tiny, K>(golden::path("openelm", "model.gguf"), expected, golden::f32_tolerance);
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
