// SPDX-License-Identifier: Apache-2.0
// LoRA adapters against transformers with the adapters' products added to its weights.
#include <doctest/doctest.h>

#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/convert/convert.hpp"
#include "inlay/generate/lora.hpp"
#include "inlay/generate/session.hpp"
#include "inlay/io/gguf_writer.hpp"
#include "tests/golden/golden.hpp"
#include "tests/support/count_allocations.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/tiny_models.hpp"

namespace {

using namespace inlay;

std::string adapter(std::string_view name) { return concat(INLAY_TEST_DATA, "/lora/", name); }
golden::expectation reference(std::string_view name) {
  return golden::read_expectation(adapter(name) + "/expected.safetensors");
}

template <class Model>
language_model load_model(const std::string& path, load_options options = {}) {
  auto file = open_checkpoint(path);
  REQUIRE_MESSAGE(file.has_value(), file.error().message);
  options.threads = 1;
  auto model = detail::load_for<Model, kernels::standard>(*std::move(file), options);
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  return *std::move(model);
}

lora_adapter load_adapter(const language_model& model, const std::string& path) {
  auto loaded = load_lora(model, path);
  REQUIRE_MESSAGE(loaded.has_value(), loaded.error().message);
  return *std::move(loaded);
}

/// Logits behind the last of the tokens, which are read in two batches.
std::vector<float> last_logits(session& s, const std::vector<std::int32_t>& ids) {
  s.reset();
  const auto read = s.read(ids);
  REQUIRE_MESSAGE(read.has_value(), read.error().message);
  return {s.logits().begin(), s.logits().end()};
}
std::vector<float> last_of(const golden::expectation& e) {
  return {e.logits.end() - static_cast<std::ptrdiff_t>(e.vocab), e.logits.end()};
}

/// A GGUF adapter of one tensor, all of whose numbers differ.
void write_adapter(const std::string& path, std::string_view architecture, std::string_view tensor,
                   const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  gguf_writer writer;
  writer.set("general.architecture", architecture);
  writer.set("adapter.type", "lora");
  writer.set("adapter.lora.alpha", 2.0f);
  REQUIRE(writer.add_tensor(concat(tensor, ".lora_a"), dtype::f32, std::span(a)).has_value());
  REQUIRE(writer.add_tensor(concat(tensor, ".lora_b"), dtype::f32, std::span(b)).has_value());
  auto stream = writer.start(path);
  REQUIRE(stream.has_value());
  for (const auto& shape : {a, b}) {
    std::size_t count = 1;
    for (const std::uint64_t n : shape) count *= static_cast<std::size_t>(n);
    std::vector<float> numbers(count);
    for (std::size_t i = 0; i < count; ++i) numbers[i] = 0.3f * std::sin(static_cast<float>(i + 1));
    REQUIRE(stream->write(std::as_bytes(std::span(numbers))).has_value());
  }
  REQUIRE(stream->finish().has_value());
}

const session_options exact{.context = 64, .threads = 2, .batch = 13, .kv_type = dtype::f32};

/// `merged_tolerance`: weights of 16 bits are rounded once more after the sum, bf16 by up to 2^-9 of each.
template <class Model>
void adapted(std::string_view checkpoint, std::string_view name, double merged_tolerance = golden::f32_tolerance) {
  INFO(std::string(name));
  const golden::expectation e = reference(name);
  for (const char* file : {"", "model.gguf"}) {
    const language_model model = load_model<Model>(golden::path(checkpoint, file));
    const lora_adapter one = load_adapter(model, adapter(name));
    session s(model, exact);
    const auto plain = last_logits(s, e.input_ids);
    const active_adapter active[] = {{one}};
    REQUIRE(s.use_adapters(active).has_value());
    const auto changed = last_logits(s, e.input_ids);
    CHECK(golden::difference(changed, last_of(e)) < golden::f32_tolerance);
    CHECK(golden::difference(plain, last_of(e)) > 0.01);

    // Nothing is left of it when it is taken away.
    REQUIRE(s.use_adapters({}).has_value());
    CHECK(last_logits(s, e.input_ids) == plain);

    const std::string path = adapter(name);
    const merged_adapter merge[] = {{path}};
    const language_model merged = load_model<Model>(golden::path(checkpoint, file), {.merge = merge});
    session m(merged, exact);
    CHECK(golden::difference(last_logits(m, e.input_ids), last_of(e)) < merged_tolerance);
  }
}

}  // namespace

TEST_CASE("adapters give the logits of the changed weights") {
  adapted<tiny::llama_tied::model>("llama_tied", "llama_a");
}

TEST_CASE("scaled by the root of the rank, and by patterns") {
  adapted<tiny::llama_tied::model>("llama_tied", "llama_b");
}

TEST_CASE("several at once, each session its own") {
  const language_model model = load_model<tiny::llama_tied::model>(golden::path("llama_tied"));
  const lora_adapter a = load_adapter(model, adapter("llama_a")), b = load_adapter(model, adapter("llama_b"));
  CHECK(a.rank() == 4);
  CHECK(a.parameters() == 2 * 4 * (3 * 64 + 64 + 32 + 32));
  session first(model, exact), second(model, exact);
  const active_adapter both[] = {{a, 0.5f}, {b, -1.5f}}, only_a[] = {{a}};
  REQUIRE(first.use_adapters(both).has_value());
  REQUIRE(second.use_adapters(only_a).has_value());
  const golden::expectation of_both = reference("both"), of_a = reference("llama_a"), of_b = reference("llama_b");
  CHECK(golden::difference(last_logits(first, of_both.input_ids), last_of(of_both)) < golden::f32_tolerance);
  CHECK(golden::difference(last_logits(second, of_a.input_ids), last_of(of_a)) < golden::f32_tolerance);
  const active_adapter only_b[] = {{b}, {a, 0.0f}};
  REQUIRE(second.use_adapters(only_b).has_value());
  CHECK(golden::difference(last_logits(second, of_b.input_ids), last_of(of_b)) < golden::f32_tolerance);
}

TEST_CASE("a GGUF adapter is that of PEFT") {
  for (const char* file : {"", "model.gguf"}) {
    const language_model model = load_model<tiny::llama_tied::model>(golden::path("llama_tied", file));
    const golden::expectation e = reference("llama_a");
    session s(model, exact);
    const active_adapter peft[] = {{load_adapter(model, adapter("llama_a/adapter_model.safetensors"))}};
    REQUIRE(s.use_adapters(peft).has_value());
    const auto logits = last_logits(s, e.input_ids);
    const active_adapter gguf[] = {{load_adapter(model, adapter("llama_a/adapter.gguf"))}};
    REQUIRE(s.use_adapters(gguf).has_value());
    CHECK(last_logits(s, e.input_ids) == logits);
  }
}

TEST_CASE("adapters of fused projections") { adapted<tiny::phi3_plain::model>("phi3_plain", "phi3", 0.01); }
TEST_CASE("adapters of stacks within stacks") {
  adapted<tiny::gemma3_local_global::model>("gemma3_local_global", "gemma3", 0.01);
}

TEST_CASE("decoding with adapters allocates nothing") {
  const language_model model = load_model<tiny::llama_tied::model>(golden::path("llama_tied"));
  session s(model, exact);
  const active_adapter active[] = {{load_adapter(model, adapter("llama_b"))}};
  REQUIRE(s.use_adapters(active).has_value());
  const std::vector<std::int32_t> prompt{5, 6, 7}, next{8};
  REQUIRE(s.read(prompt).has_value());
  const std::size_t before = allocation_count();
  const auto read = s.read(next);
  CHECK(allocation_count() == before);
  CHECK(read.has_value());
}

TEST_CASE("what does not fit is refused by name") {
  const language_model model = load_model<tiny::llama_tied::model>(golden::path("llama_tied"));
  const language_model other = load_model<tiny::llama_bias::model>(golden::path("llama_bias"));
  const language_model gemma = load_model<tiny::gemma3_local_global::model>(golden::path("gemma3_local_global"));
  const auto expect = [](const auto& outcome, errc code, std::string_view mention) {
    REQUIRE_FALSE(outcome.has_value());
    INFO(outcome.error().message);
    CHECK(outcome.error().code == code);
    CHECK(outcome.error().message.find(mention) != std::string::npos);
  };
  expect(load_lora(gemma, adapter("llama_a")), errc::mismatch, "model.layers.0.self_attn.k_proj.lora_A.weight [4, 64]");
  expect(load_lora(model, adapter("phi3")), errc::missing, "model.layers.0.mlp.gate_up_proj");
  expect(load_lora(gemma, adapter("llama_a/adapter.gguf")), errc::mismatch, "general.architecture");
  expect(load_lora(model, golden::path("llama_tied", "model.gguf")), errc::unsupported, "adapter.type");
  expect(load_lora(model, golden::path("llama_tied")), errc::missing, "adapter_config.json");
  session s(model, exact);
  const active_adapter foreign[] = {{load_adapter(other, adapter("llama_a"))}};
  expect(s.use_adapters(foreign), errc::argument, "another model");
}

TEST_CASE("weights of two bits take adapters beside them and within") {
  const inlay_test::temporary_folder scratch;
  const std::string path = scratch / "adapter.gguf";
  write_adapter(path, "llama", "blk.0.attn_q.weight", {2, 256}, {256, 2});

  const std::string weights = golden::path("llama_wide", "model.IQ2_XXS.gguf");
  const language_model model = load_model<tiny::llama_wide::model>(weights);
  session s(model, exact);
  const std::vector<std::int32_t> ids{5, 6, 7};
  const auto plain = last_logits(s, ids);
  const active_adapter beside[] = {{load_adapter(model, path)}};
  REQUIRE(s.use_adapters(beside).has_value());
  CHECK(last_logits(s, ids) != plain);

  auto file = open_checkpoint(weights);
  REQUIRE(file.has_value());
  const merged_adapter merge[] = {{path}};
  const auto merged = detail::load_for<tiny::llama_wide::model, kernels::standard>(*std::move(file), {.merge = merge});
  REQUIRE_MESSAGE(merged.has_value(), merged.error().message);
  session within(*merged, exact);
  CHECK(last_logits(within, ids) != plain);
}

TEST_CASE("adapters of experts") {
  const inlay_test::temporary_folder scratch;
  const std::vector<std::int32_t> ids{5, 6, 7, 100, 33, 2, 250, 91};
  for (const std::string tensor : {"blk.1.ffn_up_exps.weight", "blk.1.ffn_down_exps.weight"}) {
    INFO(tensor);
    const bool up = tensor.find("up") != tensor.npos;
    const std::string path = scratch / "adapter.gguf", quantized = scratch / "quantized.gguf";
    if (up)
      write_adapter(path, "qwen3moe", tensor, {5, 2, 64}, {5, 32, 2});
    else
      write_adapter(path, "qwen3moe", tensor, {5, 2, 32}, {5, 64, 2});
    // In f32, so that merging rounds nothing.
    const std::string exact_weights = scratch / "exact.gguf";
    const auto original = open_checkpoint(golden::path("qwen3_moe"));
    REQUIRE(original.has_value());
    REQUIRE(convert<tiny::qwen3_moe::model>(*original, exact_weights, {.type = file_type::f32}).has_value());
    const language_model model = load_model<tiny::qwen3_moe::model>(exact_weights);
    session s(model, exact);
    const auto plain = last_logits(s, ids);
    const active_adapter active[] = {{load_adapter(model, path)}};
    REQUIRE(s.use_adapters(active).has_value());
    const auto changed = last_logits(s, ids);
    CHECK(golden::difference(plain, changed) > 0.01);
    const merged_adapter merge[] = {{path}};
    const language_model merged = load_model<tiny::qwen3_moe::model>(exact_weights, {.merge = merge});
    session m(merged, exact);
    CHECK(golden::difference(last_logits(m, ids), changed) < golden::f32_tolerance);

    // Experts whose inputs are quantized get the adapters' inputs as they were. Q8_0 is off by less than 1 %.
    REQUIRE(convert<tiny::qwen3_moe::model>(*original, quantized, {.type = file_type::q8_0, .pure = true}).has_value());
    const language_model coarse = load_model<tiny::qwen3_moe::model>(quantized);
    session c(coarse, exact);
    const active_adapter on_coarse[] = {{load_adapter(coarse, path)}};
    REQUIRE(c.use_adapters(on_coarse).has_value());
    CHECK(golden::difference(last_logits(c, ids), changed) < 0.04);
  }
}

TEST_CASE("adapters of embeddings are refused by name") {
  const inlay_test::temporary_folder scratch;
  const std::string path = scratch / "adapter.gguf";
  write_adapter(path, "llama", "token_embd.weight", {2, 64}, {272, 2});
  const auto refused = load_lora(load_model<tiny::llama_tied::model>(golden::path("llama_tied", "model.gguf")), path);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == errc::missing);
  CHECK(refused.error().message.find("token_embd.weight") != std::string::npos);
}

TEST_CASE("a session is restored under the adapters it was saved with") {
  const language_model model = load_model<tiny::llama_tied::model>(golden::path("llama_tied"));
  const lora_adapter a = load_adapter(model, adapter("llama_a")), b = load_adapter(model, adapter("llama_b"));
  const std::vector<std::int32_t> ids{5, 6, 7};
  const active_adapter only_a[] = {{a}}, half_a[] = {{a, 0.5f}}, only_b[] = {{b}}, both[] = {{a}, {b}},
                       turned[] = {{b}, {a}};
  session from(model, exact);
  const auto save = [&](std::span<const active_adapter> with) {
    REQUIRE(from.use_adapters(with).has_value());
    from.reset();
    REQUIRE(from.read(ids).has_value());
    auto saved = from.save();
    REQUIRE(saved.has_value());
    return *std::move(saved);
  };
  const auto restore = [&](const buffer& saved, std::span<const active_adapter> with) {
    session to(model, exact);
    REQUIRE(to.use_adapters(with).has_value());
    return to.restore({saved.data(), saved.size()});
  };
  const buffer with_a = save(only_a), without = save({}), with_both = save(both);
  CHECK(restore(with_a, only_a).has_value());
  CHECK(restore(without, {}).has_value());
  CHECK(restore(with_both, turned).has_value());
  // The same adapter from another file is the same.
  const active_adapter copied[] = {{load_adapter(model, adapter("llama_a/adapter.gguf"))}};
  CHECK(restore(with_a, copied).has_value());
  for (const auto& [saved, with] : {std::pair{&with_a, std::span<const active_adapter>(only_b)},
                                    {&with_a, half_a},
                                    {&with_a, {}},
                                    {&without, only_a},
                                    {&with_both, only_b}}) {
    const auto refused = restore(*saved, with);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == errc::mismatch);
    CHECK(refused.error().message.find("adapter") != std::string::npos);
  }
  CHECK(restore(with_a, {}).error().message.find("llama_a") != std::string::npos);
}
