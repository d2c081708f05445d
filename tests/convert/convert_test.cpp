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

#include "inlay/convert/convert_any.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/quant/codec.hpp"
#include "tests/golden/golden.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/tiny_models.hpp"

namespace {

using namespace inlay;

using inlay_test::temporary_folder;

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

/// Safetensors to GGUF and back; `exact` where nothing is added to numbers on the way, `same_order` where sums are of
/// the same numbers in the same order in both.
template <class Model>
void there_and_back(std::string_view name, bool exact = true, bool has_gguf = true, bool same_order = true) {
  const std::string folder = golden::path(name);
  INFO(folder);
  const temporary_folder scratch;
  const std::string gguf = scratch / "model.gguf", back = scratch / "back", again = scratch / "again";
  const auto there = convert_to<Model>(folder, gguf);
  CHECK(there.left_out.empty());
  if (has_gguf) same_tensors(gguf, golden::path(name, "model.gguf"), name.starts_with("nemotron"));
  convert_to<Model>(gguf, back);
  const auto ids = golden::read_expectation(golden::path(name, "expected.safetensors")).input_ids;
  const auto expected = logits_of<Model>(folder, ids);
  CHECK(golden::difference(logits_of<Model>(gguf, ids), expected) <= (same_order ? 0.0 : 1e-5));
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
  there_and_back<tiny::llama_tied::model>("llama_tied");
  there_and_back<tiny::llama_rope_scaled::model>("llama_rope_scaled");
  there_and_back<tiny::llama_bias::model>("llama_bias");
  there_and_back<tiny::mistral_window::model>("mistral_window");
  there_and_back<tiny::qwen2_tied::model>("qwen2_tied");
  there_and_back<tiny::qwen3_untied::model>("qwen3_untied");
}

TEST_CASE("experts") {
  there_and_back<tiny::qwen3_moe::model>("qwen3_moe");
  there_and_back<tiny::gemma4_moe::model>("gemma4_moe");
}

TEST_CASE("norms stored as an offset") {
  there_and_back<tiny::gemma3_local_global::model>("gemma3_local_global", false);
}

TEST_CASE("fused projections") {
  there_and_back<tiny::phi3_plain::model>("phi3_plain");
  there_and_back<tiny::phi3_partial_longrope::model>("phi3_partial_longrope");
  there_and_back<tiny::openelm::model>("openelm");
}

TEST_CASE("recurrent layers") {
  there_and_back<tiny::nemotron_h_moe::model>("nemotron_h_moe", false);
  there_and_back<tiny::qwen35_multimodal::model>("qwen35_multimodal", false);
  // More value heads than key heads, in another order in each container.
  there_and_back<tiny::qwen35_grouped::model>("qwen35_grouped", false, true, false);
  there_and_back<tiny::qwen35_chunks::model>("qwen35_chunks", false, false, false);
}

TEST_CASE("simple types have the reference's bytes; a mixture is a file that runs") {
  const std::string folder = golden::path("llama_wide");
  const temporary_folder scratch;
  for (const std::string type : {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"}) {
    INFO(type);
    const std::string made = scratch / "made.gguf";
    convert_to<tiny::llama_wide::model>(folder, made, {.type = find_file_type(type), .pure = true});
    const checkpoint ours = open(made), expected = open(golden::path("llama_wide", "model." + type + ".gguf"));
    std::size_t compared = 0;
    for (const tensor_view& e : expected.tensors()) {
      const tensor_view* t = ours.find(e.name);
      REQUIRE(t != nullptr);
      if (t->type != e.type || is_float(e.type)) continue;
      ++compared;
      CHECK(std::equal(t->data.begin(), t->data.end(), e.data.begin(), e.data.end()));
    }
    CHECK(compared >= 7);
  }
  const auto e = golden::read_expectation(golden::path("llama_wide", "expected.safetensors"));
  for (const file_type type : {file_type::q4_k_m, file_type::q6_k, file_type::iq4_xs}) {
    const std::string made = scratch / "mixed.gguf", again = scratch / "again.gguf";
    convert_to<tiny::llama_wide::model>(folder, made, {.type = type});
    const auto logits = logits_of<tiny::llama_wide::model>(made, e.input_ids);
    // Weights are off by 2 % in Q6_K and 9 % in the four-bit types, which five products in a row and the norms between
    // them make up to six times as much of the largest logit; kernels that round activations add 4 % (quantized_test).
    const double most = (type == file_type::q6_k ? 0.12 : 0.54) + 0.04;
    CHECK(golden::difference(logits, e.logits) < most);
    // What is quantized is not quantized again unasked.
    const auto refused = quantize_gguf(open(made), again, {.type = file_type::q2_k});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == errc::argument);
    const auto report = quantize_gguf(open(made), again, {.type = file_type::q8_0, .requantize = true, .threads = 3});
    REQUIRE_MESSAGE(report.has_value(), report.error().message);
    CHECK(open(again).find("blk.0.ffn_up.weight")->type == dtype::q8_0);
    CHECK(golden::difference(logits_of<tiny::llama_wide::model>(again, e.input_ids), e.logits) < most + 0.04);
  }
}

TEST_CASE("weights of two bits are no further off than those of the reference") {
  const std::string folder = golden::path("llama_wide");
  const temporary_folder scratch;
  const std::string made = scratch / "made.gguf", whole = scratch / "whole.gguf";
  convert_to<tiny::llama_wide::model>(folder, made, {.type = file_type::iq2_xxs, .pure = true});
  convert_to<tiny::llama_wide::model>(folder, whole, {.type = file_type::f32});
  const checkpoint ours = open(made), theirs = open(golden::path("llama_wide", "model.IQ2_XXS.gguf")),
                   exact = open(whole);
  const auto error = [&](const checkpoint& file, const std::string& name) {
    const auto a = values_of(*file.find(name)), b = values_of(*exact.find(name));
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
  };
  std::size_t compared = 0;
  for (const tensor_view& t : theirs.tensors()) {
    if (t.type != dtype::iq2_xxs) continue;
    const std::string name(t.name);
    INFO(name);
    REQUIRE(ours.find(name)->type == dtype::iq2_xxs);
    CHECK(error(ours, name) <= error(theirs, name));
    ++compared;
  }
  CHECK(compared >= 7);
}

TEST_CASE("what is quantized is copied, and decoded for another type") {
  const std::string from = golden::path("llama_wide", "model.IQ2_XXS.gguf");
  const auto e = golden::read_expectation(golden::path("llama_wide", "expected.IQ2_XXS.safetensors"));
  const temporary_folder scratch;
  const std::string copied = scratch / "copied.gguf", decoded = scratch / "decoded.gguf";
  convert_to<tiny::llama_wide::model>(from, copied);
  const checkpoint copy = open(copied), original = open(from);
  for (const tensor_view& t : original.tensors()) {
    const tensor_view* c = copy.find(t.name);
    REQUIRE(c != nullptr);
    CHECK(c->type == t.type);
    CHECK(std::equal(t.data.begin(), t.data.end(), c->data.begin(), c->data.end()));
  }
  const auto type_of = [](const checkpoint& file) {
    return file.gguf()->get_or<std::uint32_t>("general.file_type", 0);
  };
  REQUIRE(type_of(copy).has_value());
  CHECK(*type_of(copy) == 19);
  CHECK(*type_of(original) == 19);

  convert_to<tiny::llama_wide::model>(from, decoded, {.type = file_type::f32, .requantize = true});
  CHECK(golden::difference(logits_of<tiny::llama_wide::model>(decoded, e.input_ids), e.logits) < golden::f32_tolerance);
}

TEST_CASE("safetensors in several files") {
  const std::string folder = golden::path("llama_tied");
  const temporary_folder scratch;
  const auto ids = golden::read_expectation(golden::path("llama_tied", "expected.safetensors")).input_ids;
  const auto expected = logits_of<tiny::llama_tied::model>(folder, ids);
  const std::string to = scratch / "out";
  const auto whole = convert_to<tiny::llama_tied::model>(folder, to);
  REQUIRE(std::filesystem::exists(to + "/model.safetensors"));
  std::size_t last = 0, in_all = 0;
  const auto progress = [&](std::size_t done, std::size_t all) {
    CHECK(done > last);
    last = done;
    in_all = all;
  };
  const std::uint64_t most = whole.bytes / 3;
  const auto report =
      convert_to<tiny::llama_tied::model>(folder, to, {.shard_bytes = most, .threads = 1, .progress = progress});
  CHECK(report.bytes == whole.bytes);
  CHECK(report.tensors == whole.tensors);
  CHECK(last == whole.bytes);
  CHECK(in_all == whole.bytes);
  CHECK_FALSE(std::filesystem::exists(to + "/model.safetensors"));
  CHECK(std::filesystem::exists(to + "/model.safetensors.index.json"));
  std::size_t shards = 0;
  for (const auto& entry : std::filesystem::directory_iterator(to)) {
    if (entry.path().extension() != ".safetensors") continue;
    ++shards;
    CHECK(entry.file_size() <= most + 4096);  // and a header
  }
  CHECK(shards >= 3);
  CHECK(std::filesystem::exists(concat(to, "/model-00001-of-0000", shards, ".safetensors")));
  CHECK(logits_of<tiny::llama_tied::model>(to, ids) == expected);
  convert_to<tiny::llama_tied::model>(folder, to);
  CHECK_FALSE(std::filesystem::exists(to + "/model.safetensors.index.json"));
  CHECK(logits_of<tiny::llama_tied::model>(to, ids) == expected);
}

TEST_CASE("the type is found in a zoo") {
  using models = zoo<tiny::llama_bias::model, zoo<tiny::qwen3_tied::model, tiny::llama_tied::model>>;
  const temporary_folder scratch;
  const std::string made = scratch / "made.gguf";
  const auto report = convert_any<models>(open(golden::path("llama_tied")), made);
  REQUIRE_MESSAGE(report.has_value(), report.error().message);
  same_tensors(made, golden::path("llama_tied", "model.gguf"));
  const auto none = convert_any<models>(open(golden::path("phi3_plain")), scratch / "none.gguf");
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().code == errc::unsupported);
}
