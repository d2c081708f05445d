// SPDX-License-Identifier: Apache-2.0
// What sessions do.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/buffer.hpp"
#include "inlay/core/error.hpp"
#include "inlay/core/thread_pool.hpp"
#include "inlay/generate/adapter_selection.hpp"
#include "inlay/generate/check_session_options.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/generate/lora.hpp"
#include "inlay/generate/sampler.hpp"
#include "inlay/generate/session.hpp"
#include "inlay/generate/session_marks.hpp"
#include "inlay/generate/session_progress.hpp"
#include "inlay/generate/session_saving.hpp"
#include "inlay/generate/stop_strings.hpp"
#include "inlay/io/mapped_file.hpp"
#include "inlay/layers/state.hpp"
#include "inlay/models/batch.hpp"
#include "inlay/text/chat.hpp"
#include "inlay/text/text_decoder.hpp"

namespace inlay {

class session::implementation {
  using session_progress = detail::session_progress;

 public:
  implementation(const language_model& model, session_options options)
      : model_(model),
        options_(std::move(options)),
        pool_(options_.threads == 0 ? default_threads() : options_.threads) {
    options_.context = std::max<std::size_t>(options_.context, 1);
    options_.batch = std::clamp<std::size_t>(options_.batch, 1, options_.context);
    options_.rewind = std::min(options_.rewind, options_.context);
    if (auto possible = detail::check_session_options(model_, options_, state()); !possible) {
      failure_ = std::move(possible).error();
      return;
    }
    const std::size_t sequence = model_.sequence_bytes(state());
    const std::size_t scratch = model_.scratch_bytes(options_.batch);
    const std::size_t mark = detail::session_marks::bytes_each(model_, state());
    auto memory = buffer::allocate(sequence + sampler::bytes(model_.vocab()) + float_bytes(model_.vocab()) +
                                   options_.marks * mark + scratch);
    if (!memory) {
      failure_ = std::move(memory).error();
      return;
    }
    memory_ = *std::move(memory);
    arena parts(memory_.data(), memory_.size());
    sequence_memory_ = arena(parts.take<std::byte>(sequence), sequence);
    sampler_ = sampler(options_.sampling, model_.vocab(), parts);
    logits_ = parts.take<float>(model_.vocab());
    marks_.place(parts, options_.marks, mark);
    scratch_ = arena(parts.take<std::byte>(scratch), scratch);
    history_.reserve(options_.context);
    begin_sequence();
  }

  const language_model& model() const { return model_; }
  const session_options& options() const { return options_; }
  const std::optional<error>& failure() const { return failure_; }

  std::span<const token_id> history() const { return history_; }
  const session_metrics& metrics() const { return metrics_; }
  finish finished() const { return now_.finished; }
  std::size_t scratch_high_water() const { return scratch_.highest(); }

  void reset() {
    now_ = {};
    if (memory_.size() == 0) return;
    failure_.reset();
    forget_all();
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

  std::span<const float> logits() const { return {logits_, now_.has_logits ? model_.vocab() : 0}; }

  void generate(std::span<const token_id> prompt, generate_options options, bool new_turn) {
    end_turn();
    start(std::move(options));
    if (new_turn) now_.turns.push_back(history_.size() + now_.unread.size());
    now_.unread.insert(now_.unread.end(), prompt.begin(), prompt.end());
    const auto begin = clock::now();
    metrics_.prompt_tokens = now_.unread.size();
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
    if (now_.conversation.empty() && !options_.system.empty())
      now_.conversation.push_back({chat_role::system, options_.system});
    const std::size_t from = history_.empty() ? 0 : now_.conversation.size();
    now_.conversation.push_back({chat_role::user, std::string(user)});
    now_.in_conversation = true;
    const auto begin = clock::now();
    if (auto encoded = encode_messages(now_.conversation, from, now_.unread); !encoded) {
      end_with(std::move(encoded).error());
    } else {
      metrics_.prompt_tokens = now_.unread.size();
      now_.answering = read_unread();
    }
    now_.answer_begin = history_.size();
    metrics_.prompt_seconds = seconds_since(begin);
  }
  std::span<const message> conversation() const { return now_.conversation; }

  std::optional<std::string_view> next_piece() {
    if (now_.finished != finish::running) return flush();
    const auto begin = clock::now();
    std::string_view text;
    while (text.empty() && now_.finished == finish::running) {
      if (!read_unread()) break;
      text = stops_.push(step());
      if (stops_.found() && now_.finished == finish::running) now_.finished = finish::stop_string;
    }
    metrics_.generate_seconds += seconds_since(begin);
    if (!text.empty()) return text;
    return flush();
  }

  result<void> rewind(std::size_t position) {
    if (memory_.size() == 0) return unexpected<error>(*failure_);
    if (position > history_.size())
      return fail(errc::argument,
                  concat("Position ", position, " lies behind the ", history_.size(), " tokens that were read."));
    if (!now_.conversation.empty())
      return fail(errc::argument, "A conversation is rewound by mark() and rollback(), not to a position.");
    const std::size_t earliest = position == 0 ? 0 : model_.earliest(state_, past_);
    if (position < earliest)
      return fail(errc::argument,
                  concat("The model's state cannot be rewound to position ", position, ", only to ", earliest,
                         " or later: it is recurrent or sees a window. mark() or session_options::rewind help."));
    failure_.reset();
    now_.unread.clear();
    now_.finished = finish::stopped;
    if (position == history_.size()) return {};
    now_.has_logits = false;
    std::erase_if(now_.turns, [&](std::size_t t) { return t > position; });
    history_.resize(position);
    marks_.forget_behind(position);
    past_.position = position;
    if (position == 0) begin_sequence();
    return {};
  }

  result<session_mark> mark() {
    if (memory_.size() == 0) return unexpected<error>(*failure_);
    return marks_.add(model_, history_.size(), now_, logits_, state_);
  }
  result<void> rollback(session_mark to) {
    const auto mark = marks_.go_back(to, model_, logits_, state_);
    if (!mark) return unexpected<error>(mark.error());
    const std::size_t position = (*mark)->position;
    history_.resize(position);
    now_ = (*mark)->progress;
    past_ = {position, position, position};
    resume();
    return {};
  }
  result<void> forget(session_mark mark) { return marks_.forget(mark); }

  result<buffer> save() const {
    if (memory_.size() == 0) return unexpected<error>(*failure_);
    return saver().save();
  }
  result<void> save_file(std::string path) const {
    if (memory_.size() == 0) return unexpected<error>(*failure_);
    return saver().save_file(std::move(path));
  }

  /// Nothing is changed before all has been checked.
  result<void> restore(std::span<const std::byte> bytes, std::string path) {
    if (memory_.size() == 0) return unexpected<error>(*failure_);
    auto saved = detail::read_saved_session(bytes, std::move(path), model_, identity(), options_.context, state_);
    if (!saved) return unexpected<error>(std::move(saved).error());
    const std::size_t position = saved->header.history.size();
    forget_all();
    history_.assign(saved->header.history.begin(), saved->header.history.end());
    now_ = std::move(saved->header.progress);
    sampler_.seed(saved->header.sampler_state);
    if (!saved->logits.empty()) std::memcpy(logits_, saved->logits.data(), saved->logits.size());
    model_.for_each_state_part(state_, position, state_parts::all, [&](std::byte* part, std::size_t size) {
      std::memcpy(part, saved->states.data(), size);
      saved->states = saved->states.subspan(size);
    });
    past_ = {position, position, position};
    resume();
    return {};
  }
  result<void> restore_file(std::string path) {
    const auto file = mapped_file::open(std::move(path));
    if (!file) return unexpected<error>(file.error());
    return restore(file->bytes(), file->path());
  }

  result<void> use_adapters(std::span<const active_adapter> adapters) {
    return adapters_.select(model_, adapters, options_.batch);
  }

  void stop() { stop_requested_.store(true, std::memory_order_relaxed); }

 private:
  using clock = std::chrono::steady_clock;
  static double seconds_since(clock::time_point t) { return std::chrono::duration<double>(clock::now() - t).count(); }

  state_options state() const { return {options_.context, options_.kv_type, options_.batch, options_.rewind}; }

  void begin_sequence() {
    arena memory = sequence_memory_;
    state_ = model_.begin_sequence(memory, state());
    past_ = {};
  }
  void forget_all() {
    history_.clear();
    marks_.clear();
    begin_sequence();
  }

  void forward(std::span<const token_id> tokens, bool want_logits) {
    const sequence_rows rows{state_, 0, tokens.size(), history_.size(), options_.context};
    const std::uint32_t last = static_cast<std::uint32_t>(tokens.size() - 1);
    model_.forward(
        {tokens, {&rows, 1}, {&last, want_logits ? std::size_t{1} : std::size_t{0}}, logits_, adapters_.applied()},
        {scratch_, pool_});
    history_.insert(history_.end(), tokens.begin(), tokens.end());
    past_.position = history_.size();
    past_.furthest = std::max(past_.furthest, past_.position);
    now_.has_logits = want_logits;
  }

  /// After the session was put into another state: no generation is running, and what the next one needs has room.
  void resume() {
    if (now_.finished == finish::running) now_.finished = finish::stopped;
    failure_.reset();
    flushed_ = true;
    history_.reserve(options_.context);
  }

  /// What has to be the same where the session is restored.
  detail::saved_model identity() const {
    detail::saved_model model{.fingerprint = model_.facts().fingerprint,
                              .layout = model_.state_layout(),
                              .vocab = model_.vocab(),
                              .cache = options_.kv_type};
    detail::identify_adapters(adapters_.adapters(), model);
    return model;
  }
  detail::session_saver saver() const {
    return {model_, {identity(), history_, sampler_.seed(), now_}, state_, logits_};
  }

  void start(generate_options options) {
    generation_ = std::move(options);
    metrics_ = {};
    stop_requested_.store(false, std::memory_order_relaxed);
    now_.finished = failure_ ? finish::failed : finish::running;
    if (model_.text() != nullptr) decoder_.emplace(*model_.text(), decode_options{false, false});
    stops_ = stop_strings(generation_.stop_strings);
    flushed_ = false;
    now_.unread.reserve(now_.unread.size() + 1);
  }

  void end_with(error e) {
    failure_ = std::move(e);
    now_.finished = finish::failed;
  }

  void decide_first() {
    if (!now_.has_logits) end_with({errc::argument, "There is no token to continue from: the prompt is empty."});
  }

  /// Reads what was appended since the last forward pass. False if the generation ended.
  bool read_unread() {
    if (now_.unread.empty()) return now_.finished == finish::running;
    if (now_.finished != finish::running) return false;
    if (history_.size() + now_.unread.size() > options_.context && !make_room()) {
      now_.finished = finish::context_full;
      return false;
    }
    if (auto r = read(now_.unread); !r) {
      end_with(std::move(r).error());
      return false;
    }
    now_.unread.clear();
    return true;
  }

  /// Drops the oldest turns until a quarter of the context is free, and reads the rest again.
  bool make_room() {
    if (options_.when_full != full_context::drop_oldest_turns) return false;
    if (now_.in_conversation) return make_room_in_conversation();
    const std::size_t kept_front = now_.turns.empty() ? history_.size() : now_.turns.front();
    const std::size_t wanted = now_.unread.size() + std::max<std::size_t>(options_.context / 4, 1);
    std::size_t drop = 0;
    // The current turn is not dropped, neither is a turn that is not read yet.
    while (drop + 1 < now_.turns.size() && now_.turns[drop + 1] <= history_.size() &&
           history_.size() - (now_.turns[drop] - kept_front) + wanted > options_.context)
      ++drop;
    if (drop == 0 || history_.size() - (now_.turns[drop] - kept_front) + now_.unread.size() > options_.context)
      return false;
    const std::size_t dropped = now_.turns[drop] - kept_front;
    std::vector<token_id> kept(history_.begin(), history_.begin() + static_cast<std::ptrdiff_t>(kept_front));
    kept.insert(kept.end(), history_.begin() + static_cast<std::ptrdiff_t>(now_.turns[drop]), history_.end());
    now_.turns.erase(now_.turns.begin(), now_.turns.begin() + static_cast<std::ptrdiff_t>(drop));
    for (std::size_t& t : now_.turns) t -= dropped;
    forget_all();
    return read(kept).has_value();
  }

  /// The same for a conversation, which is written anew without its oldest messages: some formats put the system prompt
  /// into the first turn, wherever that is.
  bool make_room_in_conversation() {
    std::vector<token_id> said;  // of the answer that is being generated
    if (now_.answering) {
      said.assign(history_.begin() + static_cast<std::ptrdiff_t>(now_.answer_begin), history_.end());
      said.insert(said.end(), now_.unread.begin(), now_.unread.end());
    }
    std::vector<message> kept = now_.conversation;
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
    now_.conversation = std::move(kept);
    forget_all();
    now_.answer_begin = prompt.size();
    prompt.insert(prompt.end(), said.begin(), said.end());
    now_.unread = std::move(prompt);
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
    if (!now_.in_conversation) return;
    now_.in_conversation = false;
    if (!now_.answering) {
      now_.conversation.pop_back();
      now_.unread.clear();
      return;
    }
    now_.answering = false;
    if (now_.finished == finish::stop_token && !now_.unread.empty()) now_.unread.pop_back();
    std::vector<token_id> ids(history_.begin() + static_cast<std::ptrdiff_t>(now_.answer_begin), history_.end());
    ids.insert(ids.end(), now_.unread.begin(), now_.unread.end());
    now_.conversation.push_back({chat_role::assistant, decode(*model_.text(), ids)});
  }

  /// Picks a token and returns the text it completes.
  std::string_view step() {
    if (stop_requested_.load(std::memory_order_relaxed)) {
      now_.finished = finish::stopped;
      return {};
    }
    if (metrics_.generated_tokens >= generation_.max_tokens) {
      now_.finished = finish::max_tokens;
      return {};
    }
    if (generation_.on_logits) generation_.on_logits({logits_, model_.vocab()});
    const token_id id = sampler_.pick(logits_, history_);
    ++metrics_.generated_tokens;
    now_.unread.push_back(id);
    if (generation_.on_token && !generation_.on_token(id)) now_.finished = finish::stopped;
    if (is_stop(id)) {
      now_.finished = finish::stop_token;
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
  detail::adapter_selection adapters_;
  buffer memory_;
  arena sequence_memory_;
  arena scratch_;
  std::byte* state_ = nullptr;
  float* logits_ = nullptr;
  sampler sampler_;
  std::vector<token_id> history_;  ///< tokens read
  session_progress now_;
  sequence_past past_;
  detail::session_marks marks_;

  generate_options generation_;
  std::optional<text_decoder> decoder_;
  stop_strings stops_;
  bool flushed_ = false;
  session_metrics metrics_;
  std::atomic<bool> stop_requested_{false};
  std::optional<error> failure_;
};

}  // namespace inlay
