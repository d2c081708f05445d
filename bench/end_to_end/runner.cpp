// SPDX-License-Identifier: Apache-2.0
#include "bench/end_to_end/runner.hpp"

#include <algorithm>

#include "inlay/models/batch.hpp"

namespace inlay::bench {

result<runner> runner::make(const language_model& model, thread_pool& pool, const runner_options& options) {
  runner r;
  r.model_ = &model;
  r.pool_ = &pool;
  r.options_ = options;
  const std::size_t sequence = model.sequence_bytes({.context = options.context, .kv_type = options.kv_type});
  const std::size_t scratch = model.scratch_bytes(options.batch);
  auto memory = buffer::allocate(sequence + scratch);
  if (!memory) return unexpected<error>(std::move(memory).error());
  r.memory_ = *std::move(memory);
  r.sequence_ = arena(r.memory_.data(), sequence);
  r.scratch_ = arena(r.memory_.data() + sequence, scratch);
  r.logits_.resize(options.most_wanted * model.vocab());
  r.tokens_.resize(options.batch);
  r.reset();
  return r;
}

void runner::reset() {
  arena fresh = sequence_;
  state_ = model_->begin_sequence(fresh, {.context = options_.context, .kv_type = options_.kv_type});
  position_ = 0;
}

void runner::read(std::size_t count, std::size_t wanted) {
  while (count != 0) {
    const std::size_t now = std::min(count, options_.batch);
    for (std::size_t i = 0; i < now; ++i)
      tokens_[i] = static_cast<std::int32_t>((position_ + i) * 7919 % model_->vocab());
    const sequence_rows rows{state_, 0, now, position_, options_.context};
    std::uint32_t last[64];
    const std::size_t logits = now < count ? 0 : std::min({wanted, now, options_.most_wanted, std::size_t{64}});
    for (std::size_t i = 0; i < logits; ++i) last[i] = static_cast<std::uint32_t>(now - logits + i);
    model_->forward({{tokens_.data(), now}, {&rows, 1}, {last, logits}, logits_.data()}, {scratch_, *pool_});
    position_ += now;
    count -= now;
  }
}

}  // namespace inlay::bench
