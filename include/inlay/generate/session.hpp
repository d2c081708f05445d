// SPDX-License-Identifier: Apache-2.0
// One conversation with a model: its key/value cache, scratch memory, threads and sampler, all taken when the session
// begins. Generating a token allocates nothing.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/buffer.hpp"
#include "inlay/core/error.hpp"
#include "inlay/core/thread_pool.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/generate/sampler.hpp"
#include "inlay/generate/stop_strings.hpp"
#include "inlay/text/text_decoder.hpp"

namespace inlay {

/// What happens when the next token has no place in the context.
enum class full_context : std::uint8_t {
  stop,               ///< generation ends with finish::context_full
  drop_oldest_turns,  ///< the oldest turns after the system prompt are forgotten, and the rest is read again
};

struct session_options {
  std::size_t context = 4096;  ///< positions, prompt and answers together
  std::size_t threads = 0;     ///< 0: one for each CPU
  std::size_t batch = 256;     ///< prompt tokens that are computed at once
  dtype kv_type = dtype::f16;  ///< storage of keys and values: f32, f16 or bf16
  inlay::sampling sampling = {};
  full_context when_full = full_context::stop;
  std::string system = {};  ///< system prompt of reply(); empty: the chat format's own
};

/// Why a generation ended.
enum class finish : std::uint8_t {
  running,       ///< it has not
  stop_token,    ///< the model ended its answer
  stop_string,   ///< one of generate_options::stop_strings appeared
  max_tokens,    ///< generate_options::max_tokens were generated
  context_full,  ///< the next token has no place
  stopped,       ///< by session::stop() or a callback
  failed,        ///< session::failure() says why
};

struct generate_options {
  std::size_t max_tokens = SIZE_MAX;
  std::vector<std::string> stop_strings = {};
  std::vector<token_id> stop_tokens = {};  ///< beside the model's own
  bool ignore_model_stops = false;         ///< generate past the model's own stop tokens
  /// Called with every generated token before its text is given out; false ends the generation.
  std::function<bool(token_id)> on_token = {};
  /// Called with the logits [vocab] before a token is picked from them; may change them.
  std::function<void(std::span<float>)> on_logits = {};
};

/// Of the last generation.
struct session_metrics {
  std::size_t prompt_tokens = 0;  ///< computed for its prompt
  double prompt_seconds = 0.0;
  std::size_t generated_tokens = 0;
  double generate_seconds = 0.0;
};

class session;

/// The text of an answer, piece by piece as it is generated: `for (std::string_view piece : chat.generate(...))`.
/// Pieces are whole UTF-8 characters and valid until the next one.
class answer {
 public:
  struct sentinel {};
  class iterator {
   public:
    explicit iterator(session& s) : session_(&s) { ++*this; }
    std::string_view operator*() const { return piece_; }
    iterator& operator++();
    bool operator==(sentinel) const { return done_; }

   private:
    session* session_;
    std::string_view piece_;
    bool done_ = false;
  };
  explicit answer(session& s) : session_(&s) {}
  iterator begin() const { return iterator(*session_); }
  sentinel end() const { return {}; }
  /// All of it at once.
  std::string text() const {
    std::string all;
    for (const std::string_view piece : *this) all += piece;
    return all;
  }

 private:
  session* session_;
};

class session {
 public:
  /// Takes all memory the session will use; if that fails, failure() says so and nothing can be generated. The model
  /// must outlive the session.
  explicit session(const language_model& model, session_options options = {})
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
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  const language_model& model() const { return model_; }
  const session_options& options() const { return options_; }
  /// Set when something went wrong; the session can be reset() and used again unless it had no memory.
  const std::optional<error>& failure() const { return failure_; }

  /// Tokens the model has seen, in order; their number is the position of the next one.
  std::span<const token_id> history() const { return history_; }
  std::size_t position() const { return history_.size(); }
  const session_metrics& metrics() const { return metrics_; }
  finish finished() const { return finish_; }
  /// The most scratch memory a forward pass has used so far, bytes.
  std::size_t scratch_high_water() const { return scratch_.highest(); }

  /// Forgets everything.
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

  /// Lets the model read tokens. After it, logits() are those of what follows the last one. errc::argument if a token
  /// is not in the vocabulary or the tokens do not fit into the context.
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

  /// What the model expects after the last token it read: [vocab] values, empty before the first read().
  std::span<const float> logits() const { return {logits_, has_logits_ ? model_.vocab() : 0}; }

  /// Generates from a prompt of tokens that continues what the session has seen. A prompt that begins a turn
  /// (`new_turn`) marks where turns may be dropped when the context is full; what comes before the first turn is always
  /// kept.
  answer generate(std::span<const token_id> prompt, generate_options options = {}, bool new_turn = true) {
    end_turn();
    start(std::move(options));
    if (new_turn) turns_.push_back(history_.size() + unread_.size());
    unread_.insert(unread_.end(), prompt.begin(), prompt.end());
    const auto begin = clock::now();
    metrics_.prompt_tokens = unread_.size();
    if (read_unread()) decide_first();
    metrics_.prompt_seconds = seconds_since(begin);
    return answer(*this);
  }
  /// The same for text, with the tokens that the model expects around a text.
  answer generate(std::string_view prompt, generate_options options = {}) {
    if (model_.text() == nullptr) {
      start(std::move(options));
      end_with(model_.text_error());
      return answer(*this);
    }
    const encode_options how{special_tokens::as_text, history_.empty(),
                             history_.empty() ? text_place::begin : text_place::inside};
    return generate(model_.text()->encode(prompt, how), std::move(options));
  }

  /// The model's answer to what a user says, in the chat format of the checkpoint; continues the conversation of the
  /// earlier replies. Nothing that the user types can become a control token. When the context is full and old turns
  /// may be dropped, the system prompt and the latest turns stay.
  answer reply(std::string_view user, generate_options options = {}) {
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
    return answer(*this);
  }
  /// What was said through reply().
  std::span<const message> conversation() const { return conversation_; }

  /// The text that the next tokens complete, until the generation ends. Normally called through `answer`.
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

  /// Ends the generation before its next token. May be called from another thread or a signal handler.
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
    if (!model_.chat())
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

inline answer::iterator& answer::iterator::operator++() {
  const auto piece = session_->next_piece();
  done_ = !piece.has_value();
  if (piece) piece_ = *piece;
  return *this;
}

}  // namespace inlay
