// SPDX-License-Identifier: Apache-2.0
// The members of sessions that session.hpp declares.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "inlay/config/macros.hpp"
#include "inlay/core/buffer.hpp"
#include "inlay/core/error.hpp"
#include "inlay/generate/session.hpp"
#include "inlay/generate/session_implementation.hpp"

namespace inlay {

INLAY_DEFINITION opaque_ptr<session::implementation> session::begin(const language_model& model,
                                                                    session_options options) {
  return make_opaque<implementation>(model, std::move(options));
}

INLAY_DEFINITION const language_model& session::model() const { return implementation_->model(); }
INLAY_DEFINITION const session_options& session::options() const { return implementation_->options(); }
INLAY_DEFINITION const std::optional<error>& session::failure() const { return implementation_->failure(); }
INLAY_DEFINITION std::span<const token_id> session::history() const { return implementation_->history(); }
INLAY_DEFINITION const session_metrics& session::metrics() const { return implementation_->metrics(); }
INLAY_DEFINITION finish session::finished() const { return implementation_->finished(); }
INLAY_DEFINITION std::size_t session::scratch_high_water() const { return implementation_->scratch_high_water(); }
INLAY_DEFINITION void session::reset() { implementation_->reset(); }
INLAY_DEFINITION result<void> session::read(std::span<const token_id> tokens) { return implementation_->read(tokens); }
INLAY_DEFINITION std::span<const float> session::logits() const { return implementation_->logits(); }
INLAY_DEFINITION answer session::generate(std::span<const token_id> prompt, generate_options options, bool new_turn) {
  implementation_->generate(prompt, std::move(options), new_turn);
  return answer(*this);
}
INLAY_DEFINITION answer session::generate(std::string_view prompt, generate_options options) {
  implementation_->generate(prompt, std::move(options));
  return answer(*this);
}
INLAY_DEFINITION answer session::reply(std::string_view user, generate_options options) {
  implementation_->reply(user, std::move(options));
  return answer(*this);
}
INLAY_DEFINITION std::span<const message> session::conversation() const { return implementation_->conversation(); }
INLAY_DEFINITION std::optional<std::string_view> session::next_piece() { return implementation_->next_piece(); }
INLAY_DEFINITION result<void> session::rewind(std::size_t position) { return implementation_->rewind(position); }
INLAY_DEFINITION result<session_mark> session::mark() { return implementation_->mark(); }
INLAY_DEFINITION result<void> session::rollback(session_mark to) { return implementation_->rollback(to); }
INLAY_DEFINITION result<void> session::forget(session_mark mark) { return implementation_->forget(mark); }
INLAY_DEFINITION result<buffer> session::save() const { return implementation_->save(); }
INLAY_DEFINITION result<void> session::save_file(std::string path) const {
  return implementation_->save_file(std::move(path));
}
INLAY_DEFINITION result<void> session::restore(std::span<const std::byte> saved) {
  return implementation_->restore(saved, {});
}
INLAY_DEFINITION result<void> session::restore_file(std::string path) {
  return implementation_->restore_file(std::move(path));
}
INLAY_DEFINITION result<void> session::use_adapters(std::span<const active_adapter> adapters) {
  return implementation_->use_adapters(adapters);
}
INLAY_DEFINITION void session::stop() { implementation_->stop(); }

INLAY_DEFINITION answer::iterator& answer::iterator::operator++() {
  const auto piece = session_->next_piece();
  done_ = !piece.has_value();
  if (piece) piece_ = *piece;
  return *this;
}
INLAY_DEFINITION std::string answer::text() const {
  std::string all;
  for (const std::string_view piece : *this) all += piece;
  return all;
}

}  // namespace inlay
