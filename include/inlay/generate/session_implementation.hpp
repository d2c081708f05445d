// SPDX-License-Identifier: Apache-2.0
// What sessions do: the definitions of their members.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/config/macros.hpp"
#include "inlay/core/buffer.hpp"
#include "inlay/core/error.hpp"
#include "inlay/core/thread_pool.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/generate/sampler.hpp"
#include "inlay/generate/session.hpp"
#include "inlay/generate/stop_strings.hpp"
#include "inlay/layers/state.hpp"
#include "inlay/models/batch.hpp"
#include "inlay/text/chat.hpp"
#include "inlay/text/text_decoder.hpp"

namespace inlay {

class session::implementation {
 public:
  implementation(const language_model& model, session_options options)
      : model_(model),
        options_(std::move(options)),
        pool_(options_.threads == 0 ? default_threads() : options_.threads) {
    options_.context = std::max<std::size_t>(options_.context, 1);
    options_.batch = std::clamp<std::size_t>(options_.batch, 1, options_.context);
    const std::size_t sequence = model_.sequence_bytes(state());
    const std::size_t scratch = model_.scratch_bytes(options_.batch);
    auto memory = buffer::allocate(sequence + sampler::bytes(model_.vocab()) + float_bytes(model_.vocab()) + scratch);
    if (!memory) {
      failure_ = std::move(memory).error();
      return;
    }
    memory_ = *std::move(memory);
    arena parts(memory_.data(), memory_.size());
    sequence_memory_ = arena(parts.take<std::byte>(sequence), sequence);
    sampler_ = sampler(options_.sampling, model_.vocab(), parts);
    logits_ = parts.take<float>(model_.vocab());
    scratch_ = arena(parts.take<std::byte>(scratch), scratch);
    history_.reserve(options_.context);
    begin_sequence();
  }

  const language_model& model() const { return model_; }
  const session_options& options() const { return options_; }
  const std::optional<error>& failure() const { return failure_; }

  std::span<const token_id> history() const { return history_; }
  const session_metrics& metrics() const { return metrics_; }
  finish finished() const { return finish_; }
  std::size_t scratch_high_water() const { return scratch_.highest(); }

  void reset() {
    history_.clear();
    turns_.clear();
    unread_.clear();
    conversation_.clear();
    in_conversation_ = false;
    answering_ = false;
    has_logits_ = false;
    finish_ = finish::stopped;
    if (memory_.size() != 0) {
      failure_.reset();
      begin_sequence();
    }
  }

  result<void> read(std::span<const token_id> tokens) {
    if (failure_) return unexpected<error>(*failure_);
    for (const token_id id : tokens)
      if (id < 0 || static_cast<std::size_t>(id) >= model_.vocab())
        return fail(errc::argument, concat("Token ", id, " is not in the vocabulary of ", model_.vocab(), " tokens."));
    if (tokens.size() > options_.context - history_.size())
      return fail(errc::argument, concat(tokens.size(), " tokens do not fit behind the ", history_.size(),
                                         " in a context of ", options_.context, "."));
    while (!tokens.empty()) {
      const std::size_t count = std::min(options_.batch, tokens.size());
      forward(tokens.first(count), count == tokens.size());
      tokens = tokens.subspan(count);
    }
    return {};
  }

  std::span<const float> logits() const { return {logits_, has_logits_ ? model_.vocab() : 0}; }

  void generate(std::span<const token_id> prompt, generate_options options, bool new_turn) {
    end_turn();
    start(std::move(options));
    if (new_turn) turns_.push_back(history_.size() + unread_.size());
    unread_.insert(unread_.end(), prompt.begin(), prompt.end());
    const auto begin = clock::now();
    metrics_.prompt_tokens = unread_.size();
    if (read_unread()) decide_first();
    metrics_.prompt_seconds = seconds_since(begin);
  }
  void generate(std::string_view prompt, generate_options options) {
    if (model_.text() == nullptr) {
      start(std::move(options));
      end_with(model_.text_error());
      return;
    }
    const encode_options how{special_tokens::as_text, history_.empty(),
                             history_.empty() ? text_place::begin : text_place::inside};
    generate(model_.text()->encode(prompt, how), std::move(options), true);
  }

  void reply(std::string_view user, generate_options options) {
    end_turn();
    start(std::move(options));
    if (conversation_.empty() && !options_.system.empty())
      conversation_.push_back({chat_role::system, options_.system});
    const std::size_t from = history_.empty() ? 0 : conversation_.size();
    conversation_.push_back({chat_role::user, std::string(user)});
    in_conversation_ = true;
    const auto begin = clock::now();
    if (auto encoded = encode_messages(conversation_, from, unread_); !encoded) {
      end_with(std::move(encoded).error());
    } else {
      metrics_.prompt_tokens = unread_.size();
      answering_ = read_unread();
    }
    answer_begin_ = history_.size();
    metrics_.prompt_seconds = seconds_since(begin);
  }
  std::span<const message> conversation() const { return conversation_; }

  std::optional<std::string_view> next_piece() {
    if (finish_ != finish::running) return flush();
    const auto begin = clock::now();
    std::string_view text;
    while (text.empty() && finish_ == finish::running) {
      if (!read_unread()) break;
      text = stops_.push(step());
      if (stops_.found() && finish_ == finish::running) finish_ = finish::stop_string;
    }
    metrics_.generate_seconds += seconds_since(begin);
    if (!text.empty()) return text;
    return flush();
  }

  void stop() { stop_requested_.store(true, std::memory_order_relaxed); }

 private:
  using clock = std::chrono::steady_clock;
  static double seconds_since(clock::time_point t) { return std::chrono::duration<double>(clock::now() - t).count(); }

  state_options state() const { return {options_.context, options_.kv_type, options_.batch}; }

  void begin_sequence() {
    arena memory = sequence_memory_;
    state_ = model_.begin_sequence(memory, state());
  }

  void forward(std::span<const token_id> tokens, bool want_logits) {
    const sequence_rows rows{state_, 0, tokens.size(), history_.size(), options_.context};
    const std::uint32_t last = static_cast<std::uint32_t>(tokens.size() - 1);
    model_.forward({tokens, {&rows, 1}, {&last, want_logits ? std::size_t{1} : std::size_t{0}}, logits_},
                   {scratch_, pool_});
    history_.insert(history_.end(), tokens.begin(), tokens.end());
    has_logits_ = want_logits;
  }

  void start(generate_options options) {
    generation_ = std::move(options);
    metrics_ = {};
    stop_requested_.store(false, std::memory_order_relaxed);
    finish_ = failure_ ? finish::failed : finish::running;
    if (model_.text() != nullptr) decoder_.emplace(*model_.text(), decode_options{false, false});
    stops_ = stop_strings(generation_.stop_strings);
    flushed_ = false;
    unread_.reserve(unread_.size() + 1);
  }

  void end_with(error e) {
    failure_ = std::move(e);
    finish_ = finish::failed;
  }

  void decide_first() {
    if (!has_logits_) end_with({errc::argument, "There is no token to continue from: the prompt is empty."});
  }

  /// Reads what was appended since the last forward pass. False if the generation ended.
  bool read_unread() {
    if (unread_.empty()) return finish_ == finish::running;
    if (finish_ != finish::running) return false;
    if (history_.size() + unread_.size() > options_.context && !make_room()) {
      finish_ = finish::context_full;
      return false;
    }
    if (auto r = read(unread_); !r) {
      end_with(std::move(r).error());
      return false;
    }
    unread_.clear();
    return true;
  }

  /// Drops the oldest turns until a quarter of the context is free, and reads the rest again.
  bool make_room() {
    if (options_.when_full != full_context::drop_oldest_turns) return false;
    if (in_conversation_) return make_room_in_conversation();
    const std::size_t kept_front = turns_.empty() ? history_.size() : turns_.front();
    const std::size_t wanted = unread_.size() + std::max<std::size_t>(options_.context / 4, 1);
    std::size_t drop = 0;
    // The current turn is not dropped, neither is a turn that is not read yet.
    while (drop + 1 < turns_.size() && turns_[drop + 1] <= history_.size() &&
           history_.size() - (turns_[drop] - kept_front) + wanted > options_.context)
      ++drop;
    if (drop == 0 || history_.size() - (turns_[drop] - kept_front) + unread_.size() > options_.context) return false;
    const std::size_t dropped = turns_[drop] - kept_front;
    std::vector<token_id> kept(history_.begin(), history_.begin() + static_cast<std::ptrdiff_t>(kept_front));
    kept.insert(kept.end(), history_.begin() + static_cast<std::ptrdiff_t>(turns_[drop]), history_.end());
    turns_.erase(turns_.begin(), turns_.begin() + static_cast<std::ptrdiff_t>(drop));
    for (std::size_t& t : turns_) t -= dropped;
    history_.clear();
    begin_sequence();
    return read(kept).has_value();
  }

  /// The same for a conversation, which is written anew without its oldest messages: some formats put the system prompt
  /// into the first turn, wherever that is.
  bool make_room_in_conversation() {
    std::vector<token_id> said;  // of the answer that is being generated
    if (answering_) {
      said.assign(history_.begin() + static_cast<std::ptrdiff_t>(answer_begin_), history_.end());
      said.insert(said.end(), unread_.begin(), unread_.end());
    }
    std::vector<message> kept = conversation_;
    std::vector<token_id> prompt;
    const auto too_long = [&](std::size_t spare) { return prompt.size() + said.size() + spare > options_.context; };
    const auto front = kept.begin() + (kept.front().role == chat_role::system ? 1 : 0);
    do {
      // Up to the next user message; the last one is what is being answered.
      const auto next = std::find_if(front + 1, kept.end(), [](const message& m) { return m.role == chat_role::user; });
      if (next == kept.end()) break;
      kept.erase(front, next);
      prompt.clear();
      if (!encode_messages(kept, 0, prompt)) return false;
    } while (too_long(options_.context / 4));
    if (prompt.empty() || too_long(0)) return false;
    conversation_ = std::move(kept);
    history_.clear();
    begin_sequence();
    answer_begin_ = prompt.size();
    prompt.insert(prompt.end(), said.begin(), said.end());
    unread_ = std::move(prompt);
    return true;
  }

  result<void> encode_messages(std::span<const message> messages, std::size_t from, std::vector<token_id>& out) const {
    if (model_.text() == nullptr) return unexpected<error>(model_.text_error());
    if (model_.chat() == nullptr)
      return fail(errc::unsupported,
                  "The checkpoint's chat format is not known; generate() takes a prompt of one's own.");
    return encode_chat(*model_.chat(), *model_.text(), messages, from, out);
  }

  /// Puts the last answer into the conversation; what ends it is written by the chat format. A message that the model
  /// could not read is taken out again.
  void end_turn() {
    if (!in_conversation_) return;
    in_conversation_ = false;
    if (!answering_) {
      conversation_.pop_back();
      unread_.clear();
      return;
    }
    answering_ = false;
    if (finish_ == finish::stop_token && !unread_.empty()) unread_.pop_back();
    std::vector<token_id> ids(history_.begin() + static_cast<std::ptrdiff_t>(answer_begin_), history_.end());
    ids.insert(ids.end(), unread_.begin(), unread_.end());
    conversation_.push_back({chat_role::assistant, decode(*model_.text(), ids)});
  }

  /// Picks a token and returns the text it completes.
  std::string_view step() {
    if (stop_requested_.load(std::memory_order_relaxed)) {
      finish_ = finish::stopped;
      return {};
    }
    if (metrics_.generated_tokens >= generation_.max_tokens) {
      finish_ = finish::max_tokens;
      return {};
    }
    if (generation_.on_logits) generation_.on_logits({logits_, model_.vocab()});
    const token_id id = sampler_.pick(logits_, history_);
    ++metrics_.generated_tokens;
    unread_.push_back(id);
    if (generation_.on_token && !generation_.on_token(id)) finish_ = finish::stopped;
    if (is_stop(id)) {
      finish_ = finish::stop_token;
      return {};
    }
    return decoder_ ? decoder_->push(id) : std::string_view();
  }

  bool is_stop(token_id id) const {
    const auto in = [id](const std::vector<token_id>& list) {
      return std::find(list.begin(), list.end(), id) != list.end();
    };
    return in(generation_.stop_tokens) || (!generation_.ignore_model_stops && in(model_.stop_tokens()));
  }

  /// What is held back when the generation ends, once.
  std::optional<std::string_view> flush() {
    if (flushed_) return std::nullopt;
    flushed_ = true;
    const std::string_view rest = stops_.finish(decoder_ ? decoder_->flush() : std::string_view());
    return rest.empty() ? std::nullopt : std::optional(rest);
  }

  const language_model& model_;
  session_options options_;
  thread_pool pool_;
  buffer memory_;
  arena sequence_memory_;
  arena scratch_;
  std::byte* state_ = nullptr;
  float* logits_ = nullptr;
  bool has_logits_ = false;
  sampler sampler_;
  std::vector<token_id> history_;   ///< tokens read
  std::vector<token_id> unread_;    ///< tokens that belong to the sequence and are not read yet
  std::vector<std::size_t> turns_;  ///< positions where turns begin

  std::vector<message> conversation_;
  bool in_conversation_ = false;  ///< its last message is a user's, for the model to answer
  bool answering_ = false;        ///< and the model has read it
  std::size_t answer_begin_ = 0;  ///< position of the answer's first token

  generate_options generation_;
  std::optional<text_decoder> decoder_;
  stop_strings stops_;
  bool flushed_ = false;
  finish finish_ = finish::stopped;
  session_metrics metrics_;
  std::atomic<bool> stop_requested_{false};
  std::optional<error> failure_;
};

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
