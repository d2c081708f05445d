// SPDX-License-Identifier: Apache-2.0
// One conversation with a model: its key/value cache, scratch memory, threads and sampler, all taken when the session
// begins. Generating a token allocates nothing. Cheap to include; the members are defined in
// generate/session_definitions.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/callback.hpp"
#include "inlay/core/dtype.hpp"
#include "inlay/core/error.hpp"
#include "inlay/core/opaque_ptr.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/generate/lora.hpp"
#include "inlay/generate/sampling.hpp"
#include "inlay/text/chat_prompt.hpp"
#include "inlay/text/token.hpp"

namespace inlay {

class buffer;

/// What happens when the next token has no place in the context.
enum class full_context : std::uint8_t {
  stop,               ///< generation ends with finish::context_full
  drop_oldest_turns,  ///< the oldest turns after the system prompt are forgotten, and the rest is read again
};

struct session_options {
  std::size_t context = 4096;  ///< positions, prompt and answers together
  std::size_t threads = 0;     ///< 0: one for each CPU
  std::size_t batch = 256;     ///< prompt tokens that are computed at once
  dtype kv_type = dtype::f16;  ///< storage of keys and values: one of cache_types that the model stores()
  inlay::sampling sampling = {};
  full_context when_full = full_context::stop;
  std::string system = {};  ///< system prompt of reply(); empty: the chat format's own
  std::size_t marks = 0;    ///< how many mark()s there may be at a time; memory for them is taken at the start
  /// By how many positions rewind() can go back at any time in a model that sees windows: their caches are larger by
  /// as much. (Back to any position where there are neither windows nor recurrent layers.)
  std::size_t rewind = 0;
};

/// A place in a session to come back to.
struct session_mark {
  std::uint64_t number = 0;
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
  callback<bool(token_id)> on_token = {};
  /// Called with the logits [vocab] before a token is picked from them; may change them.
  callback<void(std::span<float>)> on_logits = {};
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
  std::string text() const;

 private:
  session* session_;
};

class session {
 public:
  /// Takes all memory the session will use; if that fails, failure() says so and nothing can be generated. The model
  /// must outlive the session.
  explicit session(const language_model& model, session_options options = {})
      : implementation_(begin(model, std::move(options))) {}
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  const language_model& model() const;
  const session_options& options() const;
  /// Set when something went wrong; the session can be reset() and used again unless it had no memory.
  const std::optional<error>& failure() const;

  /// Tokens the model has seen, in order; their number is the position of the next one.
  std::span<const token_id> history() const;
  std::size_t position() const { return history().size(); }
  const session_metrics& metrics() const;
  finish finished() const;
  /// The most scratch memory a forward pass has used so far, bytes.
  std::size_t scratch_high_water() const;

  /// Forgets everything.
  void reset();

  /// Makes these adapters (load_lora()), and no others, change the model for what is read from now on; none:
  /// the model as it is. What was read before stays as it was read. They are no part of what is saved. errc::argument
  /// for an adapter of another model, errc::memory.
  result<void> use_adapters(std::span<const active_adapter> adapters);

  /// Lets the model read tokens. After it, logits() are those of what follows the last one. errc::argument if a token
  /// is not in the vocabulary or the tokens do not fit into the context.
  result<void> read(std::span<const token_id> tokens);

  /// What the model expects after the last token it read: [vocab] values, empty before the first read() and after
  /// rewind().
  std::span<const float> logits() const;

  /// Forgets the tokens from `position` on; the next ones are read behind what stays. Costs nothing. errc::argument
  /// where the state cannot go back that far: a recurrent layer's not at all, a window's as far as its cache reaches
  /// (session_options::rewind), others' to any position. A conversation of replies has no positions: mark() it.
  result<void> rewind(std::size_t position);

  /// Remembers where the session is: whatever the model, rollback() returns to it. What later tokens overwrite is
  /// copied (language_model::mark_bytes: recurrent states and windows) into memory taken at the start, with the logits.
  /// errc::argument when all session_options::marks are in use.
  result<session_mark> mark();
  /// The session as it was at the mark, which stays, conversation and all; only the sampler's random numbers go on.
  /// Later marks are forgotten, as are those that rewind() or the dropping of old turns went back beyond.
  result<void> rollback(session_mark to);
  result<void> forget(session_mark mark);

  /// All of the session but its options and marks, to be restored in any session of the same model, adapters and cache
  /// type whose context is large enough: then both go on alike, to the bit where their options are the same. Of a
  /// generation that is running, what it has brought forth so far is kept. Include core/buffer.hpp for it.
  result<buffer> save() const;
  /// The same as a file, which is there whole or not at all.
  result<void> save_file(std::string path) const;
  /// Takes over what was saved. Bytes that are damaged, or of another model or other adapters, are an error that says
  /// so and change nothing.
  result<void> restore(std::span<const std::byte> saved);
  result<void> restore_file(std::string path);

  /// Generates from a prompt of tokens that continues what the session has seen. A prompt that begins a turn
  /// (`new_turn`) marks where turns may be dropped when the context is full; what comes before the first turn is always
  /// kept.
  answer generate(std::span<const token_id> prompt, generate_options options = {}, bool new_turn = true);
  /// The same for text, with the tokens that the model expects around a text.
  answer generate(std::string_view prompt, generate_options options = {});

  /// The model's answer to what a user says, in the chat format of the checkpoint; continues the conversation of the
  /// earlier replies. Nothing that the user types can become a control token. When the context is full and old turns
  /// may be dropped, the system prompt and the latest turns stay.
  answer reply(std::string_view user, generate_options options = {});
  /// What was said through reply().
  std::span<const message> conversation() const;

  /// The text that the next tokens complete, until the generation ends. Normally called through `answer`.
  std::optional<std::string_view> next_piece();

  /// Ends the generation before its next token. May be called from another thread or a signal handler.
  void stop();

 private:
  class implementation;
  static opaque_ptr<implementation> begin(const language_model& model, session_options options);

  opaque_ptr<implementation> implementation_;
};

}  // namespace inlay
