// SPDX-License-Identifier: Apache-2.0
// Sessions on a tiny model: generation, limits, callbacks, full contexts, and no allocation while decoding.
#include "inlay/generate/session.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/generate/load.hpp"
#include "tests/support/count_allocations.hpp"
#include "tests/support/tiny_models.hpp"

namespace {

using model_type = tiny::llama_tied::model;

const inlay::language_model& model() {
  static const auto loaded = inlay::load<model_type>(INLAY_TEST_DATA "/models/llama_tied/model.gguf");
  REQUIRE_MESSAGE(loaded.has_value(), loaded.error().message);
  return *loaded;
}

const std::vector<inlay::token_id> prompt = {5, 80, 100, 33, 7, 60};

std::vector<inlay::token_id> generated(inlay::session& s, inlay::generate_options options = {}) {
  std::vector<inlay::token_id> ids;
  options.ignore_model_stops = true;
  options.on_token = [&](inlay::token_id id) { return ids.push_back(id), true; };
  s.generate(prompt, std::move(options)).text();
  return ids;
}

}  // namespace

TEST_CASE("the same tokens for any number of threads and any batch") {
  inlay::session one(model(), {.context = 64, .threads = 1});
  const auto ids = generated(one, {.max_tokens = 20});
  CHECK(ids.size() == 20);
  CHECK(one.finished() == inlay::finish::max_tokens);
  CHECK(one.metrics().prompt_tokens == prompt.size());
  CHECK(one.metrics().generated_tokens == 20);
  for (const std::size_t threads : {2, 3, 5})
    for (const std::size_t batch : {1, 4, 64}) {
      inlay::session other(model(), {.context = 64, .threads = threads, .batch = batch});
      CHECK(generated(other, {.max_tokens = 20}) == ids);
    }
  inlay::session drawn(model(), {.context = 64, .threads = 1, .sampling = {.temperature = 1.0f, .seed = 3}});
  const auto random = generated(drawn, {.max_tokens = 20});
  CHECK(random != ids);
  inlay::session again(model(), {.context = 64, .threads = 4, .sampling = {.temperature = 1.0f, .seed = 3}});
  CHECK(generated(again, {.max_tokens = 20}) == random);
}

TEST_CASE("decoding allocates nothing") {
  for (const float temperature : {0.0f, 1.0f}) {
    inlay::session s(model(),
                     {.context = 128,
                      .threads = 2,
                      .sampling = {.temperature = temperature, .top_k = 40, .top_p = 0.9f, .repeat_penalty = 1.1f}});
    static_cast<void>(
        s.generate(prompt, {.max_tokens = 100, .stop_strings = {"never to be seen"}, .ignore_model_stops = true}));
    s.next_piece();
    const std::size_t before = allocation_count();
    while (s.next_piece()) {
    }
    CHECK(allocation_count() == before);
    CHECK(s.metrics().generated_tokens == 100);
  }
}

TEST_CASE("a full context ends the generation, and says so") {
  inlay::session s(model(), {.context = 16, .threads = 1});
  CHECK(generated(s).size() == 16 - prompt.size() + 1);
  CHECK(s.finished() == inlay::finish::context_full);
  CHECK(s.position() == 16);
  s.reset();
  CHECK(s.position() == 0);
  CHECK(generated(s, {.max_tokens = 2}).size() == 2);
}

TEST_CASE("old turns can make room for new ones; what came before the first stays") {
  inlay::session s(model(), {.context = 40, .threads = 1, .when_full = inlay::full_context::drop_oldest_turns});
  const std::vector<inlay::token_id> system = {9, 8, 7};
  REQUIRE(s.read(system).has_value());
  for (int turn = 0; turn < 8; ++turn) {
    CHECK(generated(s, {.max_tokens = 5}).size() == 5);
    CHECK(s.finished() == inlay::finish::max_tokens);
    CHECK(std::equal(system.begin(), system.end(), s.history().begin()));
    CHECK(s.position() <= 40);
  }
  // What the model sees is what it would see had it read just that.
  inlay::session fresh(model(), {.context = 40, .threads = 1});
  REQUIRE(fresh.read(s.history()).has_value());
  for (std::size_t i = 0; i < model().vocab(); ++i)
    CHECK(fresh.logits()[i] == doctest::Approx(s.logits()[i]).epsilon(1e-3));
  // One turn that is longer than the context cannot make room for itself.
  CHECK(generated(s).size() > 0);
  CHECK(s.finished() == inlay::finish::context_full);
}

TEST_CASE("callbacks see and change logits, and end the generation") {
  inlay::session s(model(), {.context = 64, .threads = 1});
  const auto forced = generated(s, {.max_tokens = 3, .on_logits = [](std::span<float> logits) { logits[42] = 1e9f; }});
  CHECK(forced == std::vector<inlay::token_id>{42, 42, 42});
  s.reset();
  int calls = 0;
  s.generate(prompt, {.ignore_model_stops = true, .on_token = [&](inlay::token_id) { return ++calls < 4; }}).text();
  CHECK(calls == 4);
  CHECK(s.finished() == inlay::finish::stopped);
  s.reset();
  s.generate(prompt, {.ignore_model_stops = true, .on_token = [&](inlay::token_id) { return s.stop(), true; }}).text();
  CHECK(s.finished() == inlay::finish::stopped);
  CHECK(s.metrics().generated_tokens == 1);
}

TEST_CASE("stop tokens and stop strings") {
  inlay::session s(model(), {.context = 64, .threads = 1});
  const auto ids = generated(s, {.max_tokens = 10});
  s.reset();
  s.generate(prompt, {.stop_tokens = {ids[4]}, .ignore_model_stops = true}).text();
  CHECK(s.finished() == inlay::finish::stop_token);
  const auto first = std::find(ids.begin(), ids.end(), ids[4]) - ids.begin();
  CHECK(s.metrics().generated_tokens == static_cast<std::size_t>(first) + 1);
}

TEST_CASE("bad input is an error that names it, and nothing is lost") {
  inlay::session s(model(), {.context = 16, .threads = 1});
  REQUIRE(s.read(prompt).has_value());
  const std::vector<float> before(s.logits().begin(), s.logits().end());
  const auto out_of_range = s.read(std::vector<inlay::token_id>{1, 272});
  REQUIRE_FALSE(out_of_range.has_value());
  CHECK(out_of_range.error().message.find("272") != std::string::npos);
  CHECK_FALSE(s.read(std::vector<inlay::token_id>{-1}).has_value());
  CHECK_FALSE(s.read(std::vector<inlay::token_id>(11)).has_value());
  CHECK(s.position() == prompt.size());
  CHECK(std::equal(before.begin(), before.end(), s.logits().begin()));

  inlay::session empty(model(), {.context = 16, .threads = 1});
  CHECK(empty.generate(std::vector<inlay::token_id>{}).text().empty());
  CHECK(empty.finished() == inlay::finish::failed);
  REQUIRE(empty.failure().has_value());
}

TEST_CASE("keys and values of every type: the logits of F32 as far as it is exact, and sessions that can be restored") {
  const auto wide = inlay::load<tiny::llama_wide::model>(INLAY_TEST_DATA "/models/llama_wide", {.threads = 1});
  REQUIRE_MESSAGE(wide.has_value(), wide.error().message);
  const auto logits = [&](inlay::dtype type, std::size_t batch, std::size_t threads) {
    inlay::session s(*wide, {.context = 64, .threads = threads, .batch = batch, .kv_type = type});
    REQUIRE_MESSAGE(!s.failure(), s.failure()->message);
    REQUIRE(s.read(std::vector<inlay::token_id>(prompt)).has_value());
    const auto saved = s.save();
    REQUIRE(saved.has_value());
    inlay::session other(*wide, {.context = 32, .threads = 1, .kv_type = type});
    REQUIRE(other.restore(saved->bytes()).has_value());
    for (inlay::session* each : {&s, &other}) REQUIRE(each->read(std::vector<inlay::token_id>{9, 200, 4}).has_value());
    CHECK(std::equal(s.logits().begin(), s.logits().end(), other.logits().begin()));
    return std::vector<float>(s.logits().begin(), s.logits().end());
  };
  const std::vector<float> exact = logits(inlay::dtype::f32, 64, 1);
  const auto size = [](float a, float b) { return std::abs(a) < std::abs(b); };
  const float largest = std::abs(*std::max_element(exact.begin(), exact.end(), size));
  // Half a unit of the last place, of a number or of the largest of its block, goes through one layer.
  const auto step = [](inlay::dtype type) {
    return type == inlay::dtype::f32 ? 0.0f : type == inlay::dtype::f16 ? 0x1p-11f : 0x1p-8f;
  };
  for (const inlay::dtype type : inlay::cache_types) {
    INFO(inlay::name(type));
    const std::vector<float> some = logits(type, 64, 1);
    float worst = 0.0f;
    for (std::size_t i = 0; i < some.size(); ++i) worst = std::max(worst, std::abs(some[i] - exact[i]));
    CHECK(worst <= 4 * step(type) * largest);
    CHECK((worst > 0.0f) == (type != inlay::dtype::f32));
    CHECK(logits(type, 64, 3) == some);
  }
  static_assert(tiny::llama_wide::model::kv_cache_bytes(32, inlay::dtype::q8_0) ==
                2 * inlay::align_up(32 * inlay::row_bytes(inlay::dtype::q8_0, 64)));
}

TEST_CASE("options that no session can have are errors, and stay so") {
  const auto refused = [](const inlay::session_options& options, std::string_view words) {
    inlay::session s(model(), options);
    REQUIRE(s.failure().has_value());
    CHECK_MESSAGE(s.failure()->message.find(words) != std::string::npos, s.failure()->message);
    s.reset();
    CHECK_FALSE(s.read(prompt).has_value());
    CHECK(generated(s).empty());
    CHECK(s.finished() == inlay::finish::failed);
    CHECK_FALSE(s.save().has_value());
    CHECK_FALSE(s.mark().has_value());
    CHECK_FALSE(s.rewind(0).has_value());
  };
  refused({.threads = 1, .kv_type = inlay::dtype::q4_0}, "as Q4_0; the types for them are F32, F16, BF16, Q8_0.");
  refused({.threads = 1, .kv_type = inlay::dtype::q8_0}, "blocks of 32");  // its heads are 16 wide
  refused({.context = SIZE_MAX, .threads = 1}, "context");
  refused({.context = SIZE_MAX / 2, .threads = 1, .rewind = SIZE_MAX}, "context");
  refused({.context = 64, .threads = 1, .marks = SIZE_MAX / 8}, "marks");
}

TEST_CASE("the constants hold: scratch and state") {
  CHECK(model_type::scratch_bytes(1) < model_type::scratch_bytes(8));
  CHECK(model_type::kv_cache_bytes(100, inlay::dtype::f16) == 2 * 2 * inlay::align_up(2 * 16 * 100 * 2));
  for (const std::size_t batch : {1, 7, 32}) {
    inlay::session s(model(), {.context = 64, .threads = 2, .batch = batch});
    REQUIRE(s.read(std::vector<inlay::token_id>(40, 3)).has_value());
    CHECK(s.scratch_high_water() <= model_type::scratch_bytes(batch));
    CHECK(s.scratch_high_water() > model_type::scratch_bytes(batch) / 2);
  }
}
