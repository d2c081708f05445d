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
  std::size_t context = 4096;  ///< tokens, prompts and answers together; at least 1
  std::size_t threads = 0;     ///< 0: one for each CPU
  std::size_t batch = 256;     ///< prompt tokens that are computed at once, at most `context`
  dtype kv_type = dtype::f16;  ///< storage of keys and values: one of cache_types that the model stores()
  inlay::sampling sampling = {};
  full_context when_full = full_context::stop;
  std::string system = {};  ///< system prompt of reply(); empty: the chat format's own
  std::size_t marks = 0;    ///< how many mark()s there may be at a time; memory for them is taken at the start
  /// By how many positions rewind() can always go back in a model with windows; their caches grow by as many. A model
  /// with neither windows nor recurrent layers can be rewound to any position without it.
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

/// Used by one thread at a time, except for stop().
class session {
 public:
  /// Takes all memory the session will use; if that fails, failure() says so and nothing can be generated. The model
  /// must outlive the session.
  explicit session(const language_model& model, session_options options = {})
      : implementation_(begin(model, std::move(options))) {}
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  const language_model& model() const;
  /// As given, with numbers that are out of range brought into it.
  const session_options& options() const;
  /// Why the last generation failed, or why there is no session: errc::argument for options that the model cannot
  /// have, errc::memory. After the former, reset() makes the session usable again.
  const std::optional<error>& failure() const;

  /// Tokens the model has seen, in order; their number is the position of the next one.
  std::span<const token_id> history() const;
  std::size_t position() const { return history().size(); }
  const session_metrics& metrics() const;
  finish finished() const;
  /// The most scratch memory a forward pass has used so far, bytes.
  std::size_t scratch_high_water() const;

  /// Forgets all tokens, marks and the conversation. Options and adapters stay.
  void reset();

  /// From now on tokens are read with these adapters (load_lora()) and no others; with an empty list, by the model as
  /// it is. Earlier tokens are not read again. save() does not write adapters. errc::argument for an adapter of another
  /// model, errc::memory.
  result<void> use_adapters(std::span<const active_adapter> adapters);

  /// Lets the model read tokens. After it, logits() are those of what follows the last one. errc::argument if a token
  /// is not in the vocabulary or the tokens do not fit into the context.
  result<void> read(std::span<const token_id> tokens);

  /// What the model expects after the last token it read: [vocab] values, empty before the first read() and after
  /// rewind().
  std::span<const float> logits() const;

  /// Forgets the tokens from `position` on; the next ones are read behind what stays. Costs nothing. Recurrent layers
  /// cannot be rewound except to 0, windows as far as their caches reach (session_options::rewind), all else to any
  /// position: errc::argument otherwise. A conversation of replies is rewound by mark() and rollback().
  result<void> rewind(std::size_t position);

  /// Remembers where the session is, for rollback(). Works with every model: what later tokens overwrite (recurrent
  /// states and windows, language_model::mark_bytes) is copied, with the logits, into memory taken at the start.
  /// errc::argument when all session_options::marks are in use.
  result<session_mark> mark();
  /// Makes the session what it was at the mark, conversation included; only the sampler's random numbers go on. The
  /// mark stays, later ones are forgotten. errc::argument for a mark that was forgotten: by this, by forget(), by
  /// rewind() to before it, or because old turns were dropped.
  result<void> rollback(session_mark to);
  /// Frees the mark's memory for another. errc::argument as for rollback().
  result<void> forget(session_mark mark);

  /// All of the session but its options and marks, to be restored in any session of the same model, adapters and cache
  /// type whose context is large enough. Both then go on alike, to the bit where their options are the same. A
  /// generation that is running is saved as far as it has come. Include core/buffer.hpp for the result. errc::memory.
  result<buffer> save() const;
  /// The same into a file, which is complete or not there at all. errc::io.
  result<void> save_file(std::string path) const;
  /// Takes over what was saved; an error changes nothing. errc::format for damaged bytes, errc::unsupported for another
  /// version of the format, errc::mismatch for another model, other adapters or another cache type, errc::argument
  /// where the context is too short.
  result<void> restore(std::span<const std::byte> saved);
  result<void> restore_file(std::string path);

  /// Generates from a prompt of tokens that continues what the session has seen. The prompt is read at once, tokens are
  /// generated as the answer is iterated. An error ends the answer: then finished() is finish::failed, and failure()
  /// has it. A prompt that begins a turn (`new_turn`) marks where turns may be dropped when the context is full; what
  /// comes before the first turn is always kept.
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
