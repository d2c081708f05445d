// SPDX-License-Identifier: Apache-2.0
// Files that do not fit the type: every error names the file, the tensor or key, and both sides.
#include "inlay/generate/load.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "inlay/io/checkpoint.hpp"
#include "inlay/kernels/plain.hpp"
#include "inlay/models/llama.hpp"

namespace {

using inlay::errc;
using inlay::models::llama;
using inlay::models::llama_config;

constexpr llama_config right{.vocab = 272,
                             .width = 64,
                             .layers = 2,
                             .heads = 4,
                             .kv_heads = 2,
                             .head_dim = 16,
                             .inner = 96,
                             .rope = {.theta = 100'000.0f},
                             .tied = true};
constexpr llama_config with(auto change) {
  llama_config c = right;
  change(c);
  return c;
}

const std::string folder = INLAY_TEST_DATA "/models/llama_tied";
const std::string gguf = folder + "/model.gguf";

template <class Model>
inlay::result<inlay::language_model> load(const std::string& path) {
  auto file = inlay::open_checkpoint(path);
  if (!file) return inlay::unexpected<inlay::error>(file.error());
  return inlay::detail::load_for<Model, inlay::kernels::plain>(*std::move(file), {.threads = 1});
}

/// The error of loading `path` into Model has this code and mentions all of these.
template <class Model>
void expect(const std::string& path, errc code, const std::vector<std::string>& mentions) {
  const auto loaded = load<Model>(path);
  REQUIRE_FALSE(loaded.has_value());
  INFO(loaded.error().message);
  CHECK(loaded.error().code == code);
  for (const std::string& m : mentions) CHECK(loaded.error().message.find(m) != std::string::npos);
}

/// The same shape without facts or names: only shapes are compared.
template <class Model>
struct nameless : Model {
  static constexpr inlay::checkpoint_description checkpoint() {
    auto d = Model::checkpoint();
    d.facts = {};
    return d;
  }
};

}  // namespace

TEST_CASE("the right type loads") {
  CHECK(load<llama<right>>(folder).has_value());
  const auto model = load<llama<right>>(gguf);
  REQUIRE(model.has_value());
  CHECK(model->facts().parameters == llama<right>::parameter_count);
  CHECK(model->text() != nullptr);
  CHECK(model->facts().unknown_tensors.empty());
}

TEST_CASE("numbers that the file states otherwise") {
  using deeper = llama<with([](auto& c) { c.layers = 3; })>;
  expect<deeper>(gguf, errc::mismatch, {"model.gguf", "llama.block_count", "2", "3"});
  expect<deeper>(folder, errc::mismatch, {"num_hidden_layers", "2", "3"});
  using turned = llama<with([](auto& c) { c.rope.theta = 10'000.0f; })>;
  expect<turned>(gguf, errc::mismatch, {"llama.rope.freq_base", "100000", "10000"});
  expect<turned>(folder, errc::mismatch, {"rope_theta", "100000", "10000"});
  using rounder = llama<with([](auto& c) { c.epsilon = 1e-6f; })>;
  expect<rounder>(gguf, errc::mismatch, {"layer_norm_rms_epsilon"});
  using scaled = llama<with([](auto& c) { c.rope.llama3.factor = 8.0f; })>;
  expect<scaled>(gguf, errc::missing, {"rope_freqs.weight"});
  expect<scaled>(folder, errc::missing, {"rope_scaling.factor"});
}

TEST_CASE("another scaling of the rope is found in the file's divisors") {
  constexpr llama_config c{.vocab = 261,
                           .width = 64,
                           .layers = 2,
                           .heads = 2,
                           .kv_heads = 1,
                           .head_dim = 32,
                           .inner = 96,
                           .rope = {.theta = 500'000.0f, .llama3 = {.factor = 16.0f, .original_context = 64.0f}}};
  expect<llama<c>>(INLAY_TEST_DATA "/models/llama_rope_scaled/model.gguf", errc::mismatch, {"rope_freqs.weight"});
  constexpr llama_config none = [](llama_config without) {
    without.rope.llama3 = {};
    return without;
  }(c);
  expect<llama<none>>(INLAY_TEST_DATA "/models/llama_rope_scaled/model.gguf", errc::mismatch, {"rope_freqs.weight"});
  expect<llama<none>>(INLAY_TEST_DATA "/models/llama_rope_scaled", errc::mismatch, {"rope_scaling.factor", "32", "1"});
}

TEST_CASE("shapes that differ name the tensor and both shapes") {
  using wider = nameless<llama<with([](auto& c) { c.inner = 128; })>>;
  expect<wider>(gguf, errc::mismatch,
                {"model.gguf", "blk.0.ffn_gate.weight", "[96, 64]", "blocks.0.mlp.gate.weight", "[128, 64]"});
  expect<wider>(folder, errc::mismatch, {"model.layers.0.mlp.gate_proj.weight", "[96, 64]", "[128, 64]"});
  using larger = nameless<llama<with([](auto& c) { c.vocab = 300; })>>;
  expect<larger>(gguf, errc::mismatch, {"token_embd.weight", "[272, 64]", "[300, 64]"});
}

TEST_CASE("tensors that are missing, and tensors nobody asked for") {
  using untied = llama<with([](auto& c) { c.tied = false; })>;
  expect<untied>(gguf, errc::missing, {"model.gguf", "output.weight", "head.weight", "[272, 64]"});
  expect<untied>(folder, errc::missing, {"lm_head.weight"});
  using deeper = nameless<llama<with([](auto& c) { c.layers = 3; })>>;
  expect<deeper>(gguf, errc::missing, {"blk.2.attn_norm.weight"});
  using shallower = nameless<llama<with([](auto& c) { c.layers = 1; })>>;
  const auto model = load<shallower>(gguf);
  REQUIRE(model.has_value());
  CHECK(model->facts().unknown_tensors.size() == 9);
  CHECK(model->facts().unknown_tensors.front().starts_with("blk.1."));
}

TEST_CASE("a file of another architecture, or none at all") {
  expect<llama<right>>(INLAY_TEST_DATA "/models/qwen3_moe/model.gguf", errc::mismatch,
                       {"general.architecture", "qwen3moe", "llama"});
  expect<llama<right>>(INLAY_TEST_DATA "/models/qwen3_moe", errc::mismatch, {"model_type", "qwen3_moe", "llama"});
  expect<llama<right>>("/does/not/exist.gguf", errc::io, {"/does/not/exist.gguf"});
}
