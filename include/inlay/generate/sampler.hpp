// SPDX-License-Identifier: Apache-2.0
// Picks the next token from logits.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "inlay/core/buffer.hpp"
#include "inlay/generate/sampling.hpp"
#include "inlay/text/token.hpp"

namespace inlay {

class sampler {
 public:
  sampler() = default;
  /// Takes room for `vocab` candidates from `memory` (bytes(vocab) must be free).
  sampler(sampling options, std::size_t vocab, arena& memory)
      : options_(std::move(options)),
        vocab_(vocab),
        state_(options_.seed),
        candidates_(memory.take<candidate>(vocab)) {}

  static constexpr std::size_t bytes(std::size_t vocab) { return align_up(vocab * sizeof(candidate)); }

  const sampling& options() const { return options_; }
  /// What the next random numbers come from.
  std::uint64_t seed() const { return state_; }
  void seed(std::uint64_t s) { state_ = s; }

  /// `logits` [vocab] are changed. NaN counts as impossible. `recent` ends with the last token.
  token_id pick(float* logits, std::span<const token_id> recent) {
    for (const auto& [id, bias] : options_.logit_bias)
      if (id >= 0 && static_cast<std::size_t>(id) < vocab_) logits[id] += bias;
    penalise(logits, recent);
    const token_id best = likeliest(logits);
    const float highest = logits[best];
    if (!(options_.temperature > 0.0f) || !std::isfinite(highest)) return best;
    return draw(keep_likely(logits, highest));
  }

 private:
  struct candidate {
    float value;  // the logit, then the probability over that of the likeliest
    token_id id;
    // A total order, so that equal logits are cut the same way everywhere.
    bool operator<(const candidate& other) const { return value != other.value ? value > other.value : id < other.id; }
  };

  void penalise(float* logits, std::span<const token_id> recent) const {
    if (options_.repeat_penalty == 1.0f) return;
    const std::size_t count = std::min(options_.repeat_window, recent.size());
    recent = recent.last(count);
    for (std::size_t i = 0; i < count; ++i) {
      if (std::find(recent.begin(), recent.begin() + static_cast<std::ptrdiff_t>(i), recent[i]) !=
          recent.begin() + static_cast<std::ptrdiff_t>(i))
        continue;  // once a token
      float& logit = logits[recent[i]];
      logit = logit > 0.0f ? logit / options_.repeat_penalty : logit * options_.repeat_penalty;
    }
  }

  token_id likeliest(const float* logits) const {
    std::size_t best = 0;
    for (std::size_t i = 1; i < vocab_; ++i)
      if (logits[i] > logits[best] || std::isnan(logits[best])) best = i;
    return static_cast<token_id>(best);
  }

  /// Fills candidates_ with the tokens to draw from and how probable they are beside the likeliest; returns how many.
  std::size_t keep_likely(const float* logits, float highest) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < vocab_; ++i)
      if (logits[i] > -INFINITY) candidates_[kept++] = {logits[i], static_cast<token_id>(i)};
    if (options_.top_k != 0 && options_.top_k < kept) {
      std::nth_element(candidates_, candidates_ + options_.top_k, candidates_ + kept);
      kept = options_.top_k;
    }
    double total = 0.0;
    for (std::size_t i = 0; i < kept; ++i) {
      candidates_[i].value = std::exp((candidates_[i].value - highest) / options_.temperature);
      total += candidates_[i].value;
    }
    if (options_.top_p < 1.0f) kept = keep_probable(kept, options_.top_p * total);
    const auto unlikely = [least = std::min(options_.min_p, 1.0f)](const candidate& c) { return c.value < least; };
    return static_cast<std::size_t>(std::remove_if(candidates_, candidates_ + kept, unlikely) - candidates_);
  }

  /// Sorts as many candidates as are needed to reach `sum`, and keeps those.
  std::size_t keep_probable(std::size_t count, double sum) {
    double reached = 0.0;
    for (std::size_t begin = 0, step = 256; begin < count; step *= 4) {
      const std::size_t end = std::min(count, begin + step);
      std::partial_sort(candidates_ + begin, candidates_ + end, candidates_ + count);
      for (; begin < end; ++begin) {
        reached += candidates_[begin].value;
        if (reached >= sum) return begin + 1;
      }
    }
    return count;
  }

  token_id draw(std::size_t count) {
    double total = 0.0;
    for (std::size_t i = 0; i < count; ++i) total += candidates_[i].value;
    double at = uniform() * total;
    for (std::size_t i = 0; i + 1 < count; ++i) {
      at -= candidates_[i].value;
      if (at < 0.0) return candidates_[i].id;
    }
    return candidates_[count - 1].id;
  }

  /// In [0, 1). SplitMix64 (Steele et al. 2014).
  double uniform() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return static_cast<double>(z >> 11) * 0x1p-53;
  }

  sampling options_;
  std::size_t vocab_ = 0;
  std::uint64_t state_ = 0;
  candidate* candidates_ = nullptr;
};

}  // namespace inlay
