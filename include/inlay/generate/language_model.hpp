// SPDX-License-Identifier: Apache-2.0
// A model that was loaded: what a session runs. Cheap to include; the members are defined in
// generate/language_model_parts.hpp and load<Model>() in generate/load.hpp, which one translation unit of a program
// instantiates for the model types it uses (INLAY_INSTANTIATE).
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

#include "inlay/core/dtype.hpp"
#include "inlay/core/error.hpp"
#include "inlay/core/function_ref.hpp"
#include "inlay/core/opaque_ptr.hpp"
#include "inlay/text/tokenizer.hpp"
#include "inlay/text/tokenizer_options.hpp"

namespace inlay {

namespace detail {
struct weight_table;
}
class any_chat_format;
class arena;
struct batch;
struct sequence_past;
struct state_options;
enum class state_parts : unsigned char;
struct workspace;

/// Called while a model is loaded: bytes done, bytes in all.
using progress_callback = function_ref<void(std::size_t, std::size_t)>;

/// An adapter that becomes part of the weights when they are loaded.
struct merged_adapter {
  std::string_view path;  ///< as for load_lora()
  float scale = 1.0f;
};

struct load_options {
  std::size_t threads = 0;          ///< that pack weights; 0: one for each CPU
  progress_callback progress = {};  ///< called on the calling thread
  tokenizer_options text = {};      ///< for tokenizers that normalize
  /// Weights that are changed are rounded to their storage type again.
  std::span<const merged_adapter> merge = {};
};

/// Numbers about a loaded model.
struct model_facts {
  std::size_t vocab = 0;
  std::size_t parameters = 0;
  std::size_t file_bytes = 0;  ///< of the checkpoint's files
  /// Tells checkpoints apart: of the names, types and first numbers of its tensors.
  std::uint64_t fingerprint = 0;
  /// Of memory for weights that were packed or copied; the others stay in the mapped file.
  std::size_t packed_bytes = 0;
  std::vector<std::string> unknown_tensors;  ///< in the checkpoint, of no use to the type
};

/// Weights, tokenizer and what the checkpoint says about chats. Move-only; constant after loading, so any number of
/// sessions and threads may use it at once.
class language_model {
 public:
  /// What a model is made of (generate/language_model_parts.hpp): filled by load(), or by whoever builds one otherwise.
  struct parts;
  explicit language_model(std::unique_ptr<parts> from);

  const model_facts& facts() const;
  std::size_t vocab() const { return facts().vocab; }

  /// Null if the checkpoint carries none: then the model is used by token ids alone.
  const tokenizer* text() const;
  /// Why text() is null.
  const error& text_error() const;
  /// The checkpoint's Jinja chat template; empty if it has none.
  const std::string& chat_template() const;
  /// How the model was taught to read conversations (text/chat.hpp); null unless the checkpoint says so in a way the
  /// library knows.
  const any_chat_format* chat() const;
  /// For a model whose checkpoint does not say it, or wrongly; include text/chat.hpp. The format's tokens that end an
  /// answer become stop_tokens() too.
  void set_chat(std::optional<any_chat_format> format);
  /// Tokens that end an answer.
  const std::vector<token_id>& stop_tokens() const;
  /// Longest sequence the model was trained for, if the checkpoint says; else 0.
  std::size_t trained_context() const;

  /// What adapters are fitted to (generate/lora.hpp); null for a model that was not loaded from a checkpoint.
  const detail::weight_table* weights() const;

  /// Bytes of scratch memory that forward() takes for `rows` tokens.
  std::size_t scratch_bytes(std::size_t rows) const;
  /// Bytes of one sequence: its state object and all it points to.
  std::size_t sequence_bytes(const state_options& options) const;
  /// Begins a sequence in `memory` (sequence_bytes must be free): the state for sequence_rows.
  std::byte* begin_sequence(arena& memory, const state_options& options) const;
  /// Lets the model read tokens of one or several sequences and writes the logits that the batch asks for
  /// (models/batch.hpp).
  void forward(const batch& b, workspace w) const;

  // What sessions are made of: the states of sequences (layers/state.hpp).
  /// Whether keys and values can be of this type.
  bool stores(dtype kv_type) const;
  /// Most bytes of the parts of state_parts::overwritten.
  std::size_t mark_bytes(const state_options& options) const;
  /// f(data, bytes) for parts of a state whose next token is at `position`.
  void for_each_state_part(const std::byte* state, std::size_t position, state_parts which,
                           function_ref<void(std::byte*, std::size_t)> f) const;
  /// The least position that a sequence can be rewound to.
  std::size_t earliest(const std::byte* state, const sequence_past& past) const;
  /// What a state is made of, e.g. "30x kv 3x64".
  std::string state_layout() const;

 private:
  opaque_ptr<parts> parts_;
};

/// Loads a checkpoint into a model type: a GGUF file, a safetensors file, or a folder with config.json and safetensors
/// (and tokenizer.json). Errors name the file, the tensor or key, what the type expects and what the file has:
/// errc::mismatch or errc::missing for a checkpoint of another model, errc::io, errc::format, errc::unsupported for a
/// storage type that is not read, errc::argument for a folder that leaves a choice, errc::memory.
template <class Model>
result<language_model> load(std::string_view path, const load_options& options = {});

}  // namespace inlay
