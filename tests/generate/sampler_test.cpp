// SPDX-License-Identifier: Apache-2.0
#include "inlay/generate/sampler.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace {

struct fixture {
  explicit fixture(inlay::sampling options, std::size_t vocab) : memory(inlay::sampler::bytes(vocab)) {
    inlay::arena parts(memory.data(), memory.size());
    sampler = inlay::sampler(std::move(options), vocab, parts);
  }
  alignas(64) std::vector<std::byte> memory;
  inlay::sampler sampler;
};

/// How often each token is drawn from `logits`.
std::vector<int> draws(const inlay::sampling& options, const std::vector<float>& logits, int count = 20000,
                       const std::vector<inlay::token_id>& recent = {}) {
  fixture f(options, logits.size());
  std::vector<int> counts(logits.size());
  for (int i = 0; i < count; ++i) {
    std::vector<float> copy = logits;
    ++counts[static_cast<std::size_t>(f.sampler.pick(copy.data(), recent))];
  }
  return counts;
}

/// Five standard deviations of a binomial count.
bool near(int count, double p, int of = 20000) {
  return std::fabs(count - p * of) <= 5.0 * std::sqrt(p * (1.0 - p) * of) + 1.0;
}

const std::vector<float> tens = {std::log(0.5f), std::log(0.3f), std::log(0.15f), std::log(0.05f)};

}  // namespace

TEST_CASE("temperature 0 takes the likeliest token, the first of equals") {
  CHECK(draws({}, {1.0f, 3.0f, 3.0f, 2.0f}, 10) == std::vector<int>{0, 10, 0, 0});
  CHECK(draws({}, {std::numeric_limits<float>::quiet_NaN(), -1.0f, 0.5f}, 10) == std::vector<int>{0, 0, 10});
}

TEST_CASE("sampling follows the probabilities") {
  const auto counts = draws({.temperature = 1.0f}, tens);
  for (std::size_t i = 0; i < 4; ++i) CHECK(near(counts[i], std::exp(tens[i])));
}

TEST_CASE("temperature sharpens and flattens") {
  const auto counts = draws({.temperature = 0.5f}, tens);
  const double total = 0.25 + 0.09 + 0.0225 + 0.0025;
  CHECK(near(counts[0], 0.25 / total));
  CHECK(near(counts[3], 0.0025 / total));
}

TEST_CASE("top-k, top-p and min-p cut the tail") {
  CHECK(draws({.temperature = 1.0f, .top_k = 2}, tens)[2] == 0);
  CHECK(near(draws({.temperature = 1.0f, .top_k = 2}, tens)[0], 0.5 / 0.8));
  const auto nucleus = draws({.temperature = 1.0f, .top_p = 0.79f}, tens);
  CHECK(nucleus[1] > 0);
  CHECK(nucleus[2] == 0);
  CHECK(draws({.temperature = 1.0f, .top_p = 0.81f}, tens)[2] > 0);
  const auto likely = draws({.temperature = 1.0f, .min_p = 0.25f}, tens);
  CHECK(likely[2] > 0);  // 0.15 / 0.5
  CHECK(likely[3] == 0);
  CHECK(draws({.temperature = 1.0f, .top_p = 0.0f}, tens, 100)[0] == 100);
}

TEST_CASE("options and logits without a meaning still give a token") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(draws({.temperature = nan}, tens, 10)[0] == 10);
  CHECK(draws({.temperature = 1e-30f}, tens, 10)[0] == 10);
  CHECK(draws({.temperature = 1.0f, .min_p = 7.0f}, tens, 10)[0] == 10);
  CHECK(draws({.temperature = 1.0f, .min_p = nan}, tens, 1000)[1] > 0);
  CHECK(draws({.temperature = 1.0f, .top_p = -1.0f}, tens, 10)[0] == 10);
  CHECK(draws({.temperature = 1.0f, .top_k = 9}, tens, 1000)[3] > 0);
  CHECK(draws({.temperature = 1.0f}, {1.0f, INFINITY, 2.0f}, 10)[1] == 10);
  CHECK(draws({.temperature = 1.0f}, {nan, -INFINITY, 2.0f}, 10)[2] == 10);
  CHECK(draws({.temperature = 1.0f}, {-INFINITY, -INFINITY}, 10)[0] == 10);
  CHECK(draws({.temperature = 1.0f}, {nan, nan}, 10)[1] == 10);
}

TEST_CASE("top-p over a large vocabulary sums in order of probability") {
  std::vector<float> logits(5000);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = std::sin(static_cast<float>(i) * 12.9898f);
  const auto counts = draws({.temperature = 1.0f, .top_p = 0.5f}, logits, 5000);
  float least = INFINITY;
  double mass = 0.0;
  double total = 0.0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    total += std::exp(logits[i]);
    if (counts[i] > 0) least = std::min(least, logits[i]);
  }
  for (const float l : logits)
    if (l > least) mass += std::exp(l);
  CHECK(mass / total < 0.5);
}

TEST_CASE("recent tokens are penalised once, whatever the sign of their logit") {
  const std::vector<inlay::token_id> recent = {0, 0, 1, 0};
  fixture f({.repeat_penalty = 2.0f}, 3);
  std::vector<float> logits = {1.0f, -0.5f, 0.6f};
  CHECK(f.sampler.pick(logits.data(), recent) == 2);
  CHECK(logits == std::vector<float>{0.5f, -1.0f, 0.6f});
  fixture windowed({.repeat_penalty = 2.0f, .repeat_window = 2}, 3);
  logits = {1.0f, -0.5f, 0.6f};
  windowed.sampler.pick(logits.data(), std::vector<inlay::token_id>{2, 1, 1});
  CHECK(logits == std::vector<float>{1.0f, -1.0f, 0.6f});
}

TEST_CASE("logit bias forces and forbids; ids out of range are ignored") {
  CHECK(draws({.logit_bias = {{3, 100.0f}, {77, 5.0f}, {-1, 5.0f}}}, tens, 10)[3] == 10);
  CHECK(draws({.temperature = 1.0f, .logit_bias = {{0, -INFINITY}}}, tens, 1000)[0] == 0);
}

TEST_CASE("the seed decides the tokens") {
  CHECK(draws({.temperature = 1.0f, .seed = 7}, tens, 100) == draws({.temperature = 1.0f, .seed = 7}, tens, 100));
  fixture a({.temperature = 1.0f, .seed = 1}, 4);
  fixture b({.temperature = 1.0f, .seed = 2}, 4);
  int same = 0;
  for (int i = 0; i < 200; ++i) {
    std::vector<float> x = tens;
    std::vector<float> y = tens;
    same += a.sampler.pick(x.data(), {}) == b.sampler.pick(y.data(), {}) ? 1 : 0;
  }
  CHECK(same < 150);
}
