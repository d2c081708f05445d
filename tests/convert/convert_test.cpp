// SPDX-License-Identifier: Apache-2.0
// Checkpoints from one container to the other: the same tensors as the reference's files, and the same logits to the
// last bit.
#include "inlay/convert/convert.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/io/checkpoint.hpp"
#include "inlay/quant/codec.hpp"
#include "tests/convert/tiny_models.hpp"
#include "tests/golden/golden.hpp"

namespace {

using namespace inlay;

/// A folder of its own for each test, gone with it.
class scratch_folder {
 public:
  explicit scratch_folder(std::string_view name)
      : path_(std::filesystem::temp_directory_path() /
              concat("inlay_convert_", name, "_", reinterpret_cast<std::uintptr_t>(this))) {
    std::filesystem::create_directories(path_);
  }
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(std::string_view name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

checkpoint open(const std::string& path) {
  auto file = open_checkpoint(path);
  REQUIRE_MESSAGE(file.has_value(), file.error().message);
  return *std::move(file);
}

template <class Model>
std::vector<float> logits_of(const std::string& path, const std::vector<std::int32_t>& ids) {
  const auto model = detail::load_for<Model, kernels::standard>(open(path), {.threads = 1});
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  golden::runner run(*model, ids.size(), 1);
  return run.read(ids, ids.size());
}

template <class Model>
conversion_report convert_to(const std::string& from, const std::string& to, const convert_options& options = {}) {
  auto report = convert<Model>(open(from), to, options);
  REQUIRE_MESSAGE(report.has_value(), report.error().message);
  return *report;
}

std::vector<float> values_of(const tensor_view& t) {
  std::vector<float> values(static_cast<std::size_t>(t.rows() * t.columns()));
  for (std::size_t r = 0; r < t.rows(); ++r)
    dequantize_row(t.type, t.data.data() + r * row_bytes(t.type, t.columns()), t.columns(),
                   values.data() + r * t.columns());
  return values;
}

/// Every tensor of the reference's file is in ours, of the same shape and with the same values.
void same_tensors(const std::string& ours, const std::string& reference, bool file_order = false) {
  const checkpoint made = open(ours), expected = open(reference);
  CHECK(made.tensors().size() == expected.tensors().size());
  for (const tensor_view& e : expected.tensors()) {
    INFO(std::string(e.name));
    const tensor_view* t = made.find(e.name);
    REQUIRE(t != nullptr);
    CHECK(t->rank == e.rank);
    CHECK(t->shape == e.shape);
    if (t->shape != e.shape) continue;
    const auto a = values_of(*t), b = values_of(e);
    // Attention without positions may have its query and key rows in any order that both have.
    if (file_order && (e.name.ends_with("attn_q.weight") || e.name.ends_with("attn_k.weight"))) continue;
    if (t->type == e.type && e.name != "rope_freqs.weight") {
      CHECK(a == b);
      continue;
    }
    for (std::size_t i = 0; i < a.size(); ++i) REQUIRE(std::fabs(a[i] - b[i]) <= 1e-3f * std::fabs(a[i]) + 1e-7f);
  }
}

/// Safetensors to GGUF and back; `exact` where nothing is added to numbers on the way.
template <class Model>
void there_and_back(std::string_view name, bool exact = true, bool has_gguf = true) {
  const std::string folder = golden::path(name);
  INFO(folder);
  const scratch_folder scratch(name);
  const std::string gguf = scratch / "model.gguf", back = scratch / "back", again = scratch / "again";
  const auto there = convert_to<Model>(folder, gguf);
  CHECK(there.left_out.empty());
  if (has_gguf) same_tensors(gguf, golden::path(name, "model.gguf"), name.starts_with("nemotron"));
  convert_to<Model>(gguf, back);
  const auto ids = golden::read_expectation(golden::path(name, "expected.safetensors")).input_ids;
  const auto expected = logits_of<Model>(folder, ids);
  CHECK(logits_of<Model>(gguf, ids) == expected);
  if (exact)
    CHECK(logits_of<Model>(back, ids) == expected);
  else
    CHECK(golden::difference(logits_of<Model>(back, ids), expected) < 1e-5);
  if (!has_gguf) return;
  convert_to<Model>(golden::path(name, "model.gguf"), again);
  CHECK(golden::difference(logits_of<Model>(again, ids), expected) < 1e-5);
}

}  // namespace

TEST_CASE("Llama and its like") {
  there_and_back<tiny::llama_tied>("llama_tied");
  there_and_back<tiny::llama_scaled>("llama_rope_scaled");
  there_and_back<tiny::llama_bias>("llama_bias");
  there_and_back<tiny::mistral_window>("mistral_window");
  there_and_back<tiny::qwen2_tied>("qwen2_tied");
  there_and_back<tiny::qwen3_untied>("qwen3_untied");
}

TEST_CASE("experts") {
  there_and_back<tiny::qwen3_moe>("qwen3_moe");
  there_and_back<tiny::gemma4_moe>("gemma4_moe");
}

TEST_CASE("norms stored as an offset") { there_and_back<tiny::gemma3_local_global>("gemma3_local_global", false); }

TEST_CASE("fused projections") {
  there_and_back<tiny::phi3_plain>("phi3_plain");
  there_and_back<tiny::phi3_long>("phi3_partial_longrope");
  there_and_back<tiny::openelm_tiny>("openelm");
}

TEST_CASE("recurrent layers") {
  there_and_back<tiny::nemotron_moe>("nemotron_h_moe", false);
  there_and_back<tiny::qwen35_even>("qwen35_multimodal", false);
}

TEST_CASE("what would have to be put into another order is refused") {
  const scratch_folder scratch("refused");
  const auto report = convert<tiny::qwen35_grouped>(open(golden::path("qwen35_grouped")), scratch / "model.gguf");
  REQUIRE_FALSE(report.has_value());
  CHECK(report.error().code == errc::unsupported);
  CHECK_FALSE(std::filesystem::exists(scratch / "model.gguf"));
}
