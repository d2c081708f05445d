// SPDX-License-Identifier: Apache-2.0
// One sequence of a loaded model, run by token numbers: what a session does, without text and sampling.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "inlay/core/buffer.hpp"
#include "inlay/core/error.hpp"
#include "inlay/core/thread_pool.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/layers/state.hpp"

namespace inlay::bench {

struct runner_options {
  std::size_t context = 0;
  std::size_t batch = 512;
  std::size_t most_wanted = 1;  ///< rows whose logits one step may ask for
  dtype kv_type = dtype::f16;
};

/// The type of a cache by its name on a command line: f32, f16, bf16 or q8_0.
std::optional<dtype> find_cache_type(std::string_view name);

class runner {
 public:
  static result<runner> make(const language_model& model, thread_pool& pool, const runner_options& options);

  /// Begins anew.
  void reset();
  /// Reads `count` tokens of an arbitrary text, in batches; computes the logits of the last `wanted`.
  void read(std::size_t count, std::size_t wanted = 1);
  /// Reads these tokens, at most `batch`; the logits of the last `wanted`, at most `most_wanted` and 64, a row each.
  std::span<const float> step(std::span<const std::int32_t> tokens, std::size_t wanted);

 private:
  const language_model* model_ = nullptr;
  thread_pool* pool_ = nullptr;
  runner_options options_;
  buffer memory_;
  arena sequence_, scratch_;
  std::vector<float> logits_;
  std::vector<std::int32_t> tokens_;
  std::byte* state_ = nullptr;
  std::size_t position_ = 0;
};

}  // namespace inlay::bench
