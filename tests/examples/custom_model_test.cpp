// SPDX-License-Identifier: Apache-2.0
// A layer from outside the library, with a state, in every way the library runs layers.
#include "examples/custom_model/tiny_poet.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "inlay/generate/known_model.hpp"

namespace {

/// As tiny_poet, but for a number of feed-forward components.
using wider_block = inlay::residual_block<min_gru, inlay::gated_mlp<128, inlay::silu>, norm>;
using wider_poet = inlay::causal_lm<{.vocab = 256, .width = 48}, inlay::repeat<3, wider_block>, norm, inlay::tied_head>;

const std::string folder = CUSTOM_MODEL;

inlay::language_model load() {
  auto model = inlay::load<tiny_poet>(folder + "/model.safetensors");
  REQUIRE_MESSAGE(model, model.error());
  return *std::move(model);
}

struct reference {
  std::vector<inlay::token_id> ids;
  std::vector<float> logits;  // [ids, vocab]
  const float* row(std::size_t i) const { return logits.data() + i * tiny_poet::vocab; }
};

template <class T>
std::vector<T> numbers(const inlay::safetensors_tensor* tensor) {
  REQUIRE(tensor != nullptr);
  std::vector<T> out(tensor->data.size() / sizeof(T));
  std::memcpy(out.data(), tensor->data.data(), out.size() * sizeof(T));
  return out;
}

reference expected() {
  const std::string path = folder + "/expected.safetensors";
  const auto bytes = inlay::mapped_file::open(path);
  REQUIRE_MESSAGE(bytes, bytes.error());
  const auto file = inlay::safetensors_file::parse(bytes->bytes(), path);
  REQUIRE_MESSAGE(file, file.error());
  reference r{numbers<inlay::token_id>(file->find("input_ids")), numbers<float>(file->find("logits"))};
  REQUIRE(r.ids.size() > 30);
  REQUIRE(r.logits.size() == r.ids.size() * tiny_poet::vocab);
  return r;
}

/// The f32 products of 48 and 96 terms of two implementations, a few layers deep, part by far less than this.
bool close(const float* a, const float* b) {
  float largest = 0.0f;
  for (std::size_t i = 0; i < tiny_poet::vocab; ++i) largest = std::max(largest, std::fabs(b[i]));
  for (std::size_t i = 0; i < tiny_poet::vocab; ++i)
    if (!(std::fabs(a[i] - b[i]) <= 1e-5f * largest)) return false;
  return true;
}

}  // namespace

TEST_CASE("a prompt in chunks of any size gives PyTorch's logits") {
  const auto model = load();
  CHECK(model.facts().parameters == 72'528);
  CHECK(model.facts().unknown_tensors.empty());
  const auto r = expected();
  for (const std::size_t batch : {1, 5, 16, 256}) {
    CAPTURE(batch);
    inlay::session session(model, {.context = 256, .threads = 2, .batch = batch, .kv_type = inlay::dtype::f32});
    REQUIRE(session.read(r.ids));
    CHECK(close(session.logits().data(), r.row(r.ids.size() - 1)));
    CHECK_FALSE(close(session.logits().data(), r.row(r.ids.size() - 2)));
  }
}

TEST_CASE("a session that is reset remembers nothing") {
  const auto model = load();
  const auto r = expected();
  inlay::session session(model, {.context = 256, .threads = 1, .kv_type = inlay::dtype::f32});
  REQUIRE(session.read(r.ids));
  session.reset();
  REQUIRE(session.read({r.ids.data(), 3}));
  CHECK(close(session.logits().data(), r.row(2)));
}

TEST_CASE("sequences in one batch do not see each other") {
  const auto model = load();
  const auto r = expected();
  const std::size_t lengths[] = {7, 1, 12};
  const inlay::state_options options{64, inlay::dtype::f32};
  const std::size_t total = std::accumulate(std::begin(lengths), std::end(lengths), std::size_t{0});
  auto memory = inlay::buffer::allocate(3 * model.sequence_bytes(options) + model.scratch_bytes(total));
  REQUIRE(memory);
  inlay::arena parts(memory->data(), memory->size());
  std::vector<inlay::token_id> tokens;
  std::vector<inlay::sequence_rows> sequences;
  std::vector<std::uint32_t> last;
  for (const std::size_t n : lengths) {
    sequences.push_back({model.begin_sequence(parts, options), tokens.size(), n, 0});
    tokens.insert(tokens.end(), r.ids.begin(), r.ids.begin() + static_cast<std::ptrdiff_t>(n));
    last.push_back(static_cast<std::uint32_t>(tokens.size() - 1));
  }
  inlay::arena scratch(parts.take<std::byte>(model.scratch_bytes(total)), model.scratch_bytes(total));
  inlay::thread_pool pool(2);
  std::vector<float> logits(3 * tiny_poet::vocab);
  model.forward({tokens, sequences, last, logits.data()}, {scratch, pool});
  for (std::size_t i = 0; i < 3; ++i) {
    CAPTURE(i);
    CHECK(close(logits.data() + i * tiny_poet::vocab, r.row(lengths[i] - 1)));
  }
  CHECK(scratch.highest() <= model.scratch_bytes(total));
}

TEST_CASE("the tokenizer is one token a byte") {
  const auto model = load();
  REQUIRE_MESSAGE(model.text() != nullptr, model.text_error());
  const auto r = expected();
  std::string prompt;
  for (const inlay::token_id id : r.ids) prompt += static_cast<char>(id);
  CHECK(model.text()->encode(prompt) == r.ids);
}

TEST_CASE("a checkpoint finds its type among several") {
  const auto file = inlay::open_checkpoint(folder + "/model.safetensors");
  REQUIRE(file);
  constexpr std::array types{inlay::known<wider_poet>("wider"), inlay::known<tiny_poet>("tiny")};
  const auto found = inlay::find_model(*file, types);
  REQUIRE_MESSAGE(found, found.error());
  CHECK((*found)->name == "tiny");

  const auto none = inlay::find_model(*file, std::span(types).first(1));
  REQUIRE_FALSE(none);
  CHECK(none.error().code == inlay::errc::unsupported);
  for (const std::string_view part : {"/model.safetensors: ", "wider: ", "blocks.0.mlp.gate.weight", "96", "128"})
    CHECK_MESSAGE(none.error().message.find(part) != std::string::npos, none.error());
}
