// SPDX-License-Identifier: Apache-2.0
#include "bench/perplexity/perplexity.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "bench/end_to_end/runner.hpp"

namespace inlay::bench {
namespace {

constexpr std::size_t rows_at_once = 64;

/// -log of the probability of `token`, natural.
double surprise(std::span<const float> logits, std::int32_t token) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float l : logits) sum += std::exp(l - largest);
  return std::log(sum) + largest - logits[static_cast<std::size_t>(token)];
}

perplexity summary(double sum, double squares, std::size_t tokens, std::size_t windows) {
  const double count = static_cast<double>(tokens), mean = sum / count;
  const double variance = std::max(squares / count - mean * mean, 0.0) / (count - 1.0);
  return {std::exp(mean), std::exp(mean) * std::sqrt(variance), windows, tokens};
}

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

  auto sequence = runner::make(model, pool,
                               {.context = window,
                                .batch = std::max(window / 2, rows_at_once),
                                .most_wanted = rows_at_once,
                                .kv_type = options.kv_type});
  if (!sequence) return unexpected<error>(std::move(sequence).error());

  double sum = 0.0, squares = 0.0;
  std::size_t counted = 0;
  std::vector<std::int32_t> text;
  double row_surprise[rows_at_once];
  for (std::size_t w = 0; w < windows; ++w) {
    const auto from = tokens.subspan(w * options.stride, window);
    text.assign(from.begin(), from.end());
    if (options.begin >= 0) text[0] = options.begin;
    sequence->reset();
    std::size_t at = window / 2;
    sequence->step({text.data(), at}, 0);
    while (at + 1 < window) {
      const std::size_t now = std::min(rows_at_once, window - 1 - at);
      const auto logits = sequence->step({text.data() + at, now}, now);
      pool.run(now,
               [&](std::size_t i) { row_surprise[i] = surprise(logits.subspan(i * vocab, vocab), text[at + i + 1]); });
      for (std::size_t i = 0; i < now; ++i) {
        sum += row_surprise[i];
        squares += row_surprise[i] * row_surprise[i];
      }
      at += now;
      counted += now;
    }
    if (progress) progress(summary(sum, squares, counted, w + 1));
  }
  return summary(sum, squares, counted, windows);
}

}  // namespace inlay::bench
