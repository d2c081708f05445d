// SPDX-License-Identifier: Apache-2.0
// Perplexity against the definition, computed from a session that reads one token at a time.
#include "bench/perplexity/perplexity.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "inlay/generate/load.hpp"
#include "inlay/generate/session.hpp"
#include "tests/support/tiny_models.hpp"

namespace {

using inlay::bench::measure_perplexity;

const inlay::language_model& model() {
  static const auto loaded =
      inlay::load<tiny::llama_tied::model>(INLAY_TEST_DATA "/models/llama_tied/model.gguf", {.threads = 1});
  REQUIRE(loaded.has_value());
  return *loaded;
}

std::vector<std::int32_t> some_tokens(std::size_t count) {
  std::vector<std::int32_t> tokens(count);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = static_cast<std::int32_t>((i * i * 31 + i * 7) % 272);
  return tokens;
}

}  // namespace

TEST_CASE("perplexity is the exponential of the mean surprise of second halves") {
  constexpr std::size_t window = 24, stride = 16, windows = 4;
  const auto tokens = some_tokens(stride * (windows - 1) + window + 5);
  for (const std::int32_t begin : {-1, 3}) {
    std::vector<double> surprises;
    for (std::size_t w = 0; w < windows; ++w) {
      std::vector<std::int32_t> text(tokens.begin() + static_cast<std::ptrdiff_t>(w * stride),
                                     tokens.begin() + static_cast<std::ptrdiff_t>(w * stride + window));
      if (begin >= 0) text[0] = begin;
      inlay::session session(model(), {.context = window, .threads = 1, .kv_type = inlay::dtype::f32});
      for (std::size_t i = 0; i + 1 < window; ++i) {
        REQUIRE(session.read(std::span(text).subspan(i, 1)).has_value());
        if (i < window / 2) continue;
        double sum = 0.0;
        for (const float l : session.logits()) sum += std::exp(static_cast<double>(l));
        surprises.push_back(std::log(sum) -
                            static_cast<double>(session.logits()[static_cast<std::size_t>(text[i + 1])]));
      }
    }
    double mean = 0.0, variance = 0.0;
    for (const double s : surprises) mean += s / static_cast<double>(surprises.size());
    for (const double s : surprises) variance += (s - mean) * (s - mean) / static_cast<double>(surprises.size());

    inlay::thread_pool pool(2);
    std::size_t calls = 0;
    const auto measured = measure_perplexity(
        model(), pool, tokens, {.window = window, .stride = stride, .begin = begin, .kv_type = inlay::dtype::f32},
        [&](const auto& p) { CHECK(p.windows == ++calls); });
    REQUIRE(measured.has_value());
    CHECK(calls == windows);
    CHECK(measured->windows == windows);
    CHECK(measured->tokens == surprises.size());
    CHECK(measured->tokens == windows * (window - window / 2 - 1));
    CHECK(measured->value == doctest::Approx(std::exp(mean)).epsilon(1e-4));
    CHECK(measured->error ==
          doctest::Approx(std::exp(mean) * std::sqrt(variance / static_cast<double>(surprises.size() - 1)))
              .epsilon(1e-3));
  }
}

TEST_CASE("divergence from a reference is that of the two distributions") {
  constexpr std::size_t window = 16;
  const auto tokens = some_tokens(window);
  inlay::thread_pool pool(2);
  const auto none = measure_perplexity(model(), pool, tokens,
                                       {.window = window, .kv_type = inlay::dtype::f32, .reference = &model()});
  REQUIRE(none.has_value());
  CHECK(none->divergence == doctest::Approx(0.0).epsilon(1e-6));

  const auto coarse = measure_perplexity(model(), pool, tokens,
                                         {.window = window, .kv_type = inlay::dtype::bf16, .reference = &model()});
  REQUIRE(coarse.has_value());
  inlay::session exact(model(), {.context = window, .threads = 1, .kv_type = inlay::dtype::f32});
  inlay::session approximate(model(), {.context = window, .threads = 1, .kv_type = inlay::dtype::bf16});
  double expected = 0.0;
  for (std::size_t i = 0; i + 1 < window; ++i) {
    REQUIRE(exact.read(std::span(tokens).subspan(i, 1)).has_value());
    REQUIRE(approximate.read(std::span(tokens).subspan(i, 1)).has_value());
    if (i < window / 2) continue;
    double sums[2] = {};
    for (std::size_t t = 0; t < model().vocab(); ++t) {
      sums[0] += std::exp(static_cast<double>(exact.logits()[t]));
      sums[1] += std::exp(static_cast<double>(approximate.logits()[t]));
    }
    for (std::size_t t = 0; t < model().vocab(); ++t) {
      const double p = std::exp(static_cast<double>(exact.logits()[t])) / sums[0];
      const double q = std::exp(static_cast<double>(approximate.logits()[t])) / sums[1];
      expected += p * std::log(p / q) / static_cast<double>(window - window / 2 - 1);
    }
  }
  CHECK(expected > 1e-9);
  CHECK(coarse->divergence == doctest::Approx(expected).epsilon(0.1));
}

TEST_CASE("windows are limited, and what cannot be measured is an error") {
  inlay::thread_pool pool(1);
  auto tokens = some_tokens(100);
  const auto measured = measure_perplexity(model(), pool, tokens, {.window = 20, .stride = 20, .windows = 2});
  REQUIRE(measured.has_value());
  CHECK(measured->windows == 2);
  CHECK(measured->tokens == 18);
  const auto code = [&](const inlay::bench::perplexity_options& o) {
    const auto m = measure_perplexity(model(), pool, tokens, o);
    return m ? inlay::errc{} : m.error().code;
  };
  CHECK(code({.window = 101}) == inlay::errc::argument);
  CHECK(code({.window = 3}) == inlay::errc::argument);
  CHECK(code({.window = 20, .stride = 0}) == inlay::errc::argument);
  tokens[30] = 272;
  CHECK(code({.window = 20}) == inlay::errc::argument);
}
