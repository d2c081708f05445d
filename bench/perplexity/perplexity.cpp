// SPDX-License-Identifier: Apache-2.0
#include "bench/perplexity/perplexity.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "bench/end_to_end/runner.hpp"

namespace inlay::bench {
namespace {

constexpr std::size_t rows_at_once = 64;

/// The logarithm of the sum of their exponentials.
double normalizer(std::span<const float> logits) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float l : logits) sum += std::exp(l - largest);
  return std::log(sum) + largest;
}

/// Mean of exact - approximate log-probabilities under the exact ones.
double divergence(std::span<const float> exact, std::span<const float> approximate) {
  const double of_exact = normalizer(exact), shift = normalizer(approximate) - of_exact;
  double sum = 0.0;
  for (std::size_t i = 0; i < exact.size(); ++i)
    sum += std::exp(static_cast<float>(exact[i] - of_exact)) * (exact[i] - approximate[i] + shift);
  return sum;
}

/// A sample's mean and its standard error.
struct average {
  double sum = 0.0, squares = 0.0, count = 0.0;

  void add(double x) {
    sum += x;
    squares += x * x;
    count += 1.0;
  }
  double mean() const { return sum / count; }
  double error() const { return std::sqrt(std::max(squares / count - mean() * mean(), 0.0) / (count - 1.0)); }
};

}  // namespace

result<perplexity> measure_perplexity(const language_model& model, thread_pool& pool,
                                      std::span<const std::int32_t> tokens, const perplexity_options& options,
                                      function_ref<void(const perplexity&)> progress) {
  const std::size_t window = options.window, vocab = model.vocab();
  if (window < 4 || options.stride == 0) return fail(errc::argument, "a window has 4 tokens at least, a stride 1");
  if (tokens.size() < window)
    return fail(errc::argument, concat("a text of ", tokens.size(), " tokens fills no window of ", window));
  for (const std::int32_t t : tokens)
    if (t < 0 || static_cast<std::size_t>(t) >= vocab)
      return fail(errc::argument, concat("token ", t, " is not in the vocabulary of ", vocab));
  std::size_t windows = (tokens.size() - window) / options.stride + 1;
  if (options.windows != 0) windows = std::min(windows, options.windows);

  const auto begin_sequence = [&](const language_model& of, dtype kv_type) {
    return runner::make(of, pool,
                        {.context = window,
                         .batch = std::max(window / 2, rows_at_once),
                         .most_wanted = rows_at_once,
                         .kv_type = kv_type});
  };
  auto sequence = begin_sequence(model, options.kv_type);
  if (!sequence) return unexpected<error>(std::move(sequence).error());
  std::optional<runner> reference;
  if (options.reference != nullptr) {
    if (options.reference->vocab() != vocab)
      return fail(errc::argument,
                  concat("the reference has a vocabulary of ", options.reference->vocab(), ", not ", vocab));
    auto other = begin_sequence(*options.reference, dtype::f32);
    if (!other) return unexpected<error>(std::move(other).error());
    reference = *std::move(other);
  }

  average surprise, distance;
  perplexity so_far;
  std::vector<std::int32_t> text;
  struct {
    double surprise, distance;
  } of_row[rows_at_once];
  for (std::size_t w = 0; w < windows; ++w) {
    const auto from = tokens.subspan(w * options.stride, window);
    text.assign(from.begin(), from.end());
    if (options.begin >= 0) text[0] = options.begin;
    std::size_t at = window / 2;
    for (runner* r : {&*sequence, reference ? &*reference : nullptr})
      if (r != nullptr) {
        r->reset();
        r->step({text.data(), at}, 0);
      }
    while (at + 1 < window) {
      const std::size_t now = std::min(rows_at_once, window - 1 - at);
      const auto logits = sequence->step({text.data() + at, now}, now);
      const auto exact = reference ? reference->step({text.data() + at, now}, now) : std::span<const float>{};
      pool.run(now, [&](std::size_t i) {
        const auto row = logits.subspan(i * vocab, vocab);
        of_row[i].surprise = normalizer(row) - row[static_cast<std::size_t>(text[at + i + 1])];
        if (reference) of_row[i].distance = divergence(exact.subspan(i * vocab, vocab), row);
      });
      for (std::size_t i = 0; i < now; ++i) {
        surprise.add(of_row[i].surprise);
        if (reference) distance.add(of_row[i].distance);
      }
      at += now;
    }
    const double value = std::exp(surprise.mean());
    so_far = {value, value * surprise.error(), w + 1, static_cast<std::size_t>(surprise.count)};
    if (reference) {
      so_far.divergence = distance.mean();
      so_far.divergence_error = distance.error();
    }
    if (progress) progress(so_far);
  }
  return so_far;
}

}  // namespace inlay::bench
