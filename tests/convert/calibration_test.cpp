// SPDX-License-Identifier: Apache-2.0
// Importances from calibration: against a computation by hand, and what they are good for.
#include "inlay/convert/calibration.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/convert/convert.hpp"
#include "inlay/quant/codec.hpp"
#include "tests/golden/golden.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/tiny_models.hpp"

namespace {

using namespace inlay;

checkpoint open(const std::string& path) {
  auto file = open_checkpoint(path);
  REQUIRE_MESSAGE(file.has_value(), file.error().message);
  return *std::move(file);
}

template <class Model>
language_model load_model(const std::string& path) {
  auto model = detail::load_for<Model, kernels::standard>(open(path), {.threads = 1});
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  return *std::move(model);
}

std::vector<float> values_of(const checkpoint& file, std::string_view name) {
  const tensor_view* t = file.find(name);
  REQUIRE(t != nullptr);
  std::vector<float> values(static_cast<std::size_t>(t->rows() * t->columns()));
  for (std::size_t r = 0; r < t->rows(); ++r)
    dequantize_row(t->type, t->data.data() + r * row_bytes(t->type, t->columns()), t->columns(),
                   values.data() + r * t->columns());
  return values;
}

template <class Model>
activation_sums collect(const std::string& path, const std::vector<token_id>& tokens, std::size_t chunk) {
  auto sums = collect_activations(load_model<Model>(path), tokens, {.chunk = chunk, .threads = 2});
  REQUIRE_MESSAGE(sums.has_value(), sums.error().message);
  return *std::move(sums);
}

std::vector<token_id> some_tokens(std::size_t count) {
  std::vector<token_id> tokens(count);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = static_cast<token_id>((i * i * 7 + 3 * i + 11) % 272);
  return tokens;
}

double total(const std::vector<double>& sums) { return std::accumulate(sums.begin(), sums.end(), 0.0); }

}  // namespace

TEST_CASE("the first layer's inputs, by hand") {
  const checkpoint file = open(golden::path("llama_tied"));
  const auto embedding = values_of(file, "model.embed_tokens.weight");
  const auto norm = values_of(file, "model.layers.0.input_layernorm.weight");
  const std::size_t width = norm.size(), chunk = 12;
  const auto tokens = some_tokens(3 * chunk + 5);  // the last five are left over
  std::vector<double> expected(width);
  for (std::size_t i = 0; i < 3 * chunk; ++i) {
    const float* x = embedding.data() + static_cast<std::size_t>(tokens[i]) * width;
    double squares = 0.0;
    for (std::size_t c = 0; c < width; ++c) squares += double(x[c]) * x[c];
    const double scale = 1.0 / std::sqrt(squares / double(width) + 1e-5);
    for (std::size_t c = 0; c < width; ++c) expected[c] += std::pow(x[c] * scale * norm[c], 2);
  }
  const activation_sums sums = collect<tiny::llama_tied::model>(golden::path("llama_tied"), tokens, chunk);
  CHECK(sums.chunks == 3);
  CHECK(sums.chunk_size == chunk);
  CHECK(sums.entries().size() == 2 * 7);
  CHECK_FALSE(sums.entries().contains("token_embd.weight"));
  for (const char* name : {"blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_v.weight"}) {
    const auto found = sums.entries().find(name);
    REQUIRE(found != sums.entries().end());
    CHECK(found->second.counts == std::vector<std::uint64_t>{3 * chunk});
    REQUIRE(found->second.sums.size() == width);
    for (std::size_t c = 0; c < width; ++c) CHECK(std::fabs(found->second.sums[c] - expected[c]) <= 1e-5 * expected[c]);
  }
  CHECK(sums.entries().find("blk.1.ffn_down.weight")->second.sums.size() == 96);

  const inlay_test::temporary_folder scratch;
  REQUIRE(sums.write(scratch / "sums.gguf").has_value());
  const auto read = read_importance(scratch / "sums.gguf");
  REQUIRE_MESSAGE(read.has_value(), read.error().message);
  CHECK(read->size() == sums.entries().size());
  const importance_matrix factors = sums.importance();
  for (const auto& [name, values] : factors.entries()) {
    const auto* others = read->find(name);
    REQUIRE(others != nullptr);
    REQUIRE(others->size() == values.size());
    for (std::size_t i = 0; i < values.size(); ++i) CHECK(std::fabs((*others)[i] - values[i]) <= 1e-6f * values[i]);
  }
}

TEST_CASE("experts see the rows that are sent to them") {
  const inlay_test::temporary_folder scratch;
  const std::string quantized = scratch / "quantized.gguf";
  REQUIRE(convert<tiny::qwen3_moe::model>(open(golden::path("qwen3_moe")), quantized,
                                          {.type = file_type::q8_0, .pure = true})
              .has_value());
  const auto tokens = some_tokens(40);
  for (const std::string& path : {golden::path("qwen3_moe"), quantized}) {
    const activation_sums sums = collect<tiny::qwen3_moe::model>(path, tokens, 20);
    const auto at = [&](const char* name) {
      const auto found = sums.entries().find(name);
      REQUIRE(found != sums.entries().end());
      return found->second;
    };
    const auto up = at("blk.1.ffn_up_exps.weight"), gate = at("blk.1.ffn_gate_exps.weight"),
               router = at("blk.1.ffn_gate_inp.weight");
    REQUIRE(up.counts.size() == 5);
    CHECK(std::accumulate(up.counts.begin(), up.counts.end(), std::uint64_t{0}) == 2 * tokens.size());
    CHECK(up.sums == gate.sums);
    CHECK(router.counts == std::vector<std::uint64_t>{tokens.size()});
    CHECK(std::fabs(total(up.sums) - 2 * total(router.sums)) < 1e-6 * total(up.sums));
    CHECK(at("blk.1.ffn_down_exps.weight").counts == up.counts);
  }
}

TEST_CASE("what weighs more is quantized better") {
  const std::string folder = golden::path("llama_wide");
  const inlay_test::temporary_folder scratch;
  const activation_sums sums = collect<tiny::llama_wide::model>(folder, some_tokens(256), 64);
  const importance_matrix importance = sums.importance();
  const std::string exact = scratch / "exact.gguf", plain = scratch / "plain.gguf",
                    weighted = scratch / "weighted.gguf";
  const auto make = [&](const std::string& to, file_type type, const importance_matrix* by) {
    const auto made =
        convert<tiny::llama_wide::model>(open(folder), to, {.type = type, .pure = true, .importance = by});
    REQUIRE_MESSAGE(made.has_value(), made.error().message);
  };
  make(exact, file_type::f32, nullptr);
  for (const file_type type : {file_type::q4_k_m, file_type::q2_k, file_type::q3_k_s, file_type::iq4_xs}) {
    make(plain, type, nullptr);
    make(weighted, type, &importance);
    const checkpoint original = open(exact), without = open(plain), with = open(weighted);
    // Of what each column adds to the output.
    double error_without = 0.0, error_with = 0.0;
    for (const auto& [tensor, factors] : importance.entries()) {
      const auto w = values_of(original, tensor), a = values_of(without, tensor), b = values_of(with, tensor);
      for (std::size_t i = 0; i < w.size(); ++i) {
        const double factor = factors[i % factors.size()];
        error_without += factor * std::pow(w[i] - a[i], 2);
        error_with += factor * std::pow(w[i] - b[i], 2);
      }
    }
    INFO(std::string(name(type)));
    CHECK(error_with < error_without);
    MESSAGE(std::string(name(type)) << ": " << error_with / error_without << " of the weighted error without");
  }
}

TEST_CASE("what cannot be calibrated") {
  const language_model model = load_model<tiny::llama_tied::model>(golden::path("llama_tied"));
  const auto code = [](const result<activation_sums>& sums) {
    REQUIRE_FALSE(sums.has_value());
    return sums.error().code;
  };
  CHECK(code(collect_activations(model, some_tokens(10), {.chunk = 11})) == errc::argument);
  CHECK(code(collect_activations(model, some_tokens(10), {.chunk = 0})) == errc::argument);
  CHECK(code(collect_activations(model, std::vector<token_id>{3, 272}, {.chunk = 2})) == errc::argument);
  const language_model turned = load_model<tiny::qwen35_grouped::model>(golden::path("qwen35_grouped"));
  CHECK(code(collect_activations(turned, some_tokens(10), {.chunk = 10})) == errc::unsupported);
}
