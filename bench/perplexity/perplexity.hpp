// SPDX-License-Identifier: Apache-2.0
// Perplexity of a text, counted as llama-perplexity counts it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "inlay/core/dtype.hpp"
#include "inlay/core/error.hpp"
#include "inlay/core/function_ref.hpp"
#include "inlay/core/thread_pool.hpp"
#include "inlay/generate/language_model.hpp"

namespace inlay::bench {

struct perplexity_options {
  std::size_t window = 512;  ///< tokens the model reads from nothing
  std::size_t stride = 512;  ///< tokens from the begin of a window to that of the next
  std::size_t windows = 0;   ///< at most so many; 0: all that the text fills
  std::int32_t begin = -1;   ///< replaces the first token of each window (BOS); negative: none does
  dtype kv_type = dtype::f16;
  /// Reads the same with a cache in f32, to compare with: a model of the same vocabulary. Null: none.
  const language_model* reference = nullptr;
};

struct perplexity {
  double value = 0.0;
  double error = 0.0;  ///< standard error of `value`
  std::size_t windows = 0;
  std::size_t tokens = 0;         ///< that were predicted
  double divergence = 0.0;        ///< from the reference: mean Kullback-Leibler divergence, nats
  double divergence_error = 0.0;  ///< its standard error
};

/// The exponential of the mean of -log p over the tokens of each window's second half, of which each is predicted from
/// all that is before it in the window. `progress` is called after every window. errc::argument for a window of fewer
/// than 4 tokens, a stride of 0, tokens that are not in the vocabulary or that fill no window.
result<perplexity> measure_perplexity(const language_model& model, thread_pool& pool,
                                      std::span<const std::int32_t> tokens, const perplexity_options& options,
                                      function_ref<void(const perplexity&)> progress = {});

}  // namespace inlay::bench
