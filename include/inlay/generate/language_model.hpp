// SPDX-License-Identifier: Apache-2.0
// A model that was loaded: what a session runs. Cheap to include; load<Model>() is defined in generate/load.hpp, which
// one translation unit of a program instantiates for the model types it uses (INLAY_INSTANTIATE).
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/core/function_ref.hpp"
#include "inlay/layers/state.hpp"
#include "inlay/models/batch.hpp"
#include "inlay/text/chat.hpp"
#include "inlay/text/tokenizer.hpp"

namespace inlay {

/// Called while a model is loaded: bytes done, bytes in all.
using progress_callback = function_ref<void(std::size_t, std::size_t)>;

struct load_options {
  std::size_t threads = 0;          ///< that pack weights; 0: one for each CPU
  progress_callback progress = {};  ///< called on the calling thread
};

/// Numbers about a loaded model.
struct model_facts {
  std::size_t vocab = 0;
  std::size_t parameters = 0;
  std::size_t file_bytes = 0;  ///< of the checkpoint's files
  std::size_t packed_bytes =
      0;  ///< of memory for weights that were packed or copied; the rest stays in the mapped file
  std::vector<std::string> unknown_tensors;  ///< in the checkpoint, of no use to the type
};

/// The part of a model type that does not depend on the type: one virtual call a forward pass. Implemented by
/// detail::loaded_model (generate/load.hpp); whoever builds a model otherwise can implement it too.
class model_interface {
 public:
  virtual ~model_interface() = default;
  virtual std::size_t state_object_bytes() const = 0;
  virtual std::size_t state_bytes(const state_options& options) const = 0;
  virtual std::size_t scratch_bytes(std::size_t rows) const = 0;
  virtual void place_state(std::byte* object, arena& memory, const state_options& options) const = 0;
  virtual void forward(const batch& b, workspace w) const = 0;

 protected:
  model_interface() = default;
  model_interface(const model_interface&) = default;
  model_interface& operator=(const model_interface&) = default;
};

/// Weights, tokenizer and what the checkpoint says about chats. Move-only; constant after loading, so any number of
/// sessions and threads may use it at once.
class language_model {
 public:
  language_model(std::unique_ptr<model_interface> model, model_facts facts)
      : model_(std::move(model)), facts_(std::move(facts)) {}

  const model_facts& facts() const { return facts_; }
  std::size_t vocab() const { return facts_.vocab; }

  /// Null if the checkpoint carries none: then the model is used by token ids alone.
  const tokenizer* text() const { return tokenizer_.get(); }
  /// Why text() is null.
  const error& text_error() const { return text_error_; }
  /// The checkpoint's Jinja chat template; empty if it has none.
  const std::string& chat_template() const { return chat_template_; }
  /// How the model was taught to read conversations, if the checkpoint says so in a way the library knows.
  const std::optional<any_chat_format>& chat() const { return chat_; }
  /// Tokens that end an answer.
  const std::vector<token_id>& stop_tokens() const { return stop_tokens_; }
  /// Longest sequence the model was trained for, if the checkpoint says; else 0.
  std::size_t trained_context() const { return trained_context_; }

  std::size_t scratch_bytes(std::size_t rows) const { return model_->scratch_bytes(rows); }
  /// Bytes of one sequence: its state object and all it points to.
  std::size_t sequence_bytes(const state_options& options) const {
    return align_up(model_->state_object_bytes()) + model_->state_bytes(options);
  }
  /// Begins a sequence in `memory` (sequence_bytes must be free): the state for sequence_rows.
  std::byte* begin_sequence(arena& memory, const state_options& options) const {
    auto* object = memory.take<std::byte>(model_->state_object_bytes());
    model_->place_state(object, memory, options);
    return object;
  }
  void forward(const batch& b, workspace w) const { model_->forward(b, w); }

  void set_text(std::unique_ptr<tokenizer> t) { tokenizer_ = std::move(t); }
  void set_text_error(error e) { text_error_ = std::move(e); }
  void set_chat_template(std::string chat_template) { chat_template_ = std::move(chat_template); }
  void set_chat(std::optional<any_chat_format> format) { chat_ = std::move(format); }
  void set_stop_tokens(std::vector<token_id> tokens) { stop_tokens_ = std::move(tokens); }
  void set_trained_context(std::size_t positions) { trained_context_ = positions; }

 private:
  std::unique_ptr<model_interface> model_;
  model_facts facts_;
  std::unique_ptr<tokenizer> tokenizer_;
  error text_error_{errc::missing, "The checkpoint has no tokenizer."};
  std::string chat_template_;
  std::optional<any_chat_format> chat_;
  std::vector<token_id> stop_tokens_;
  std::size_t trained_context_ = 0;
};

/// Loads a checkpoint into a model type: a GGUF file, a safetensors file, or a folder with config.json and safetensors
/// (and tokenizer.json). Errors name the file, the tensor or key, what the type expects and what the file has.
template <class Model>
result<language_model> load(std::string_view path, const load_options& options = {});

}  // namespace inlay
