// SPDX-License-Identifier: Apache-2.0
#include "bench/end_to_end/runner.hpp"

#include <algorithm>

#include "inlay/models/batch.hpp"

namespace inlay::bench {

std::optional<dtype> find_cache_type(std::string_view name) {
  if (name == "f32") return dtype::f32;
  if (name == "f16") return dtype::f16;
  if (name == "bf16") return dtype::bf16;
  if (name == "q8_0") return dtype::q8_0;
  return std::nullopt;
}

result<runner> runner::make(const language_model& model, thread_pool& pool, const runner_options& options) {
  if (!model.stores(options.kv_type))
    return fail(errc::argument, concat("The heads of this model cannot be stored as ", name(options.kv_type), "."));
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
    step({tokens_.data(), now}, now < count ? 0 : std::min(wanted, now));
    count -= now;
  }
}

std::span<const float> runner::step(std::span<const std::int32_t> tokens, std::size_t wanted) {
  const sequence_rows rows{state_, 0, tokens.size(), position_, options_.context};
  std::uint32_t last[64];
  const std::size_t count = std::min({wanted, options_.most_wanted, std::size_t{64}});
  for (std::size_t i = 0; i < count; ++i) last[i] = static_cast<std::uint32_t>(tokens.size() - count + i);
  model_->forward({tokens, {&rows, 1}, {last, count}, logits_.data()}, {scratch_, *pool_});
  position_ += tokens.size();
  return {logits_.data(), count * model_->vocab()};
}

}  // namespace inlay::bench
