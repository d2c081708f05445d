// SPDX-License-Identifier: Apache-2.0
// Runs a tiny checkpoint of tests/data/models through a model type and compares with what transformers computed.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/generate/load.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/io/mapped_file.hpp"
#include "inlay/io/safetensors.hpp"

namespace golden {

inline std::string path(std::string_view model, std::string_view file = "") {
  std::string p = inlay::concat(INLAY_TEST_DATA, "/models/", model);
  return file.empty() ? p : inlay::concat(p, "/", file);
}

/// expected.safetensors of a folder.
struct expectation {
  std::vector<std::int32_t> input_ids;
  std::vector<std::int32_t> greedy_ids;
  std::vector<float> logits;  ///< [input_ids.size(), vocab]
  std::size_t vocab = 0;
};

inline expectation read_expectation(const std::string& file_path) {
  const auto file = inlay::mapped_file::open(file_path);
  REQUIRE_MESSAGE(file.has_value(), file_path);
  const auto parsed = inlay::safetensors_file::parse(file->bytes(), file_path);
  REQUIRE_MESSAGE(parsed.has_value(), parsed.error().message);
  expectation e;
  const auto ids = [&](std::string_view name, std::vector<std::int32_t>& out) {
    const auto* t = parsed->find(name);
    REQUIRE(t != nullptr);
    out.resize(t->data.size() / sizeof(std::int64_t));
    for (std::size_t i = 0; i < out.size(); ++i) {
      std::int64_t id;
      std::memcpy(&id, t->data.data() + i * sizeof(id), sizeof(id));
      out[i] = static_cast<std::int32_t>(id);
    }
  };
  ids("input_ids", e.input_ids);
  ids("greedy_ids", e.greedy_ids);
  const auto* t = parsed->find("logits");
  REQUIRE(t != nullptr);
  e.logits.resize(t->data.size() / sizeof(float));
  std::memcpy(e.logits.data(), t->data.data(), t->data.size());
  e.vocab = e.logits.size() / e.input_ids.size();
  return e;
}

/// One sequence through a loaded model, with f32 caches.
class runner {
 public:
  runner(const inlay::language_model& model, std::size_t context, std::size_t threads)
      : model_(model), pool_(threads), state_options_{context, inlay::dtype::f32} {
    auto memory = inlay::buffer::allocate(model.sequence_bytes(state_options_));
    auto scratch = inlay::buffer::allocate(model.scratch_bytes(context));
    REQUIRE(memory.has_value());
    REQUIRE(scratch.has_value());
    memory_ = *std::move(memory);
    scratch_ = *std::move(scratch);
    inlay::arena parts(memory_.data(), memory_.size());
    state_ = model.begin_sequence(parts, state_options_);
  }
  /// Logits of all rows of the next tokens, read in chunks.
  std::vector<float> read(const std::vector<std::int32_t>& tokens, std::size_t chunk) {
    std::vector<float> logits(tokens.size() * model_.vocab());
    for (std::size_t begin = 0; begin < tokens.size(); begin += chunk) {
      const std::size_t count = std::min(chunk, tokens.size() - begin);
      std::vector<std::uint32_t> wanted(count);
      std::iota(wanted.begin(), wanted.end(), 0u);
      const inlay::sequence_rows rows{state_, 0, count, position_, state_options_.context};
      inlay::arena work(scratch_.data(), scratch_.size());
      model_.forward({{tokens.data() + begin, count}, {&rows, 1}, wanted, logits.data() + begin * model_.vocab()},
                     {work, pool_});
      CHECK(work.highest() <= model_.scratch_bytes(count));
      position_ += count;
    }
    return logits;
  }
  std::size_t position() const { return position_; }

 private:
  const inlay::language_model& model_;
  inlay::thread_pool pool_;
  inlay::state_options state_options_;
  inlay::buffer memory_;
  inlay::buffer scratch_;
  std::byte* state_ = nullptr;
  std::size_t position_ = 0;
};

/// The largest difference, relative to the largest logit.
inline double difference(const std::vector<float>& got, const std::vector<float>& expected) {
  REQUIRE(got.size() == expected.size());
  double most = 0.0;
  double scale = 0.0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (!(std::fabs(got[i] - expected[i]) < INFINITY)) return INFINITY;
    most = std::max(most, static_cast<double>(std::fabs(got[i] - expected[i])));
    scale = std::max(scale, static_cast<double>(std::fabs(expected[i])));
  }
  return most / scale;
}

inline std::vector<std::int32_t> greedy(runner& r, const std::vector<float>& logits, std::size_t vocab,
                                        std::size_t count) {
  std::vector<std::int32_t> out;
  std::vector<float> last(logits.end() - static_cast<std::ptrdiff_t>(vocab), logits.end());
  while (out.size() < count) {
    out.push_back(static_cast<std::int32_t>(std::max_element(last.begin(), last.end()) - last.begin()));
    last = r.read({out.back()}, 1);
  }
  return out;
}

/// Both sides sum at most `terms` products in f32 a number, some twenty roundings deep in `layers` layers; each
/// rounding is 2^-24 of a partial sum that is of the order of the result. 1e-4 of the largest logit is ten times what
/// is seen and a hundredth of what a wrong epsilon or a missing bias causes.
inline constexpr double f32_tolerance = 1e-4;

template <class Model, class K>
void check(const std::string& checkpoint, const std::string& expected, double tolerance, bool same_greedy = true) {
  INFO(checkpoint);
  auto file = inlay::open_checkpoint(checkpoint);
  REQUIRE_MESSAGE(file.has_value(), file.error().message);
  const auto model = inlay::detail::load_for<Model, K>(*std::move(file), {.threads = 1});
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  CHECK(model->facts().unknown_tensors.empty());
  const expectation e = read_expectation(expected);
  REQUIRE(e.vocab == model->vocab());
  const std::size_t prompt = e.input_ids.size();
  const std::size_t context = prompt + e.greedy_ids.size();

  runner whole(*model, context, 1);
  const std::vector<float> logits = whole.read(e.input_ids, prompt);
  CHECK(difference(logits, e.logits) <= tolerance);
  if (same_greedy) CHECK(greedy(whole, logits, e.vocab, e.greedy_ids.size()) == e.greedy_ids);

  // Any chunking gives the same, and so does any number of threads: exactly, for the same chunking.
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{3}, std::size_t{8}}) {
    INFO("chunk " << chunk);
    runner one(*model, context, 1);
    const std::vector<float> chunked = one.read(e.input_ids, chunk);
    CHECK(difference(chunked, e.logits) <= tolerance);
    runner many(*model, context, 3);
    CHECK(many.read(e.input_ids, chunk) == chunked);
  }
}

/// A folder of tests/data/models in f32: its safetensors, and both its containers.
template <class Model, class K>
void check_safetensors(std::string_view name, std::string_view expected = "expected.safetensors") {
  check<Model, K>(path(name), path(name, expected), f32_tolerance);
}
template <class Model, class K>
void check_both(std::string_view name, std::string_view expected = "expected.safetensors") {
  check_safetensors<Model, K>(name, expected);
  check<Model, K>(path(name, "model.gguf"), path(name, expected), f32_tolerance);
}

}  // namespace golden
