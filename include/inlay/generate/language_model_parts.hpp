// SPDX-License-Identifier: Apache-2.0
// What a language_model is made of, and the definitions of its members.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "inlay/config/macros.hpp"
#include "inlay/core/buffer.hpp"
#include "inlay/core/error.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/generate/model_interface.hpp"
#include "inlay/layers/state.hpp"
#include "inlay/models/batch.hpp"
#include "inlay/text/chat.hpp"
#include "inlay/text/tokenizer.hpp"

namespace inlay {

struct language_model::parts {
  std::unique_ptr<model_interface> model;  ///< never null
  std::shared_ptr<const detail::weight_table> weights = {};
  model_facts facts = {};
  std::unique_ptr<tokenizer> text = {};
  error text_error{errc::missing, "The checkpoint has no tokenizer."};
  std::string chat_template = {};
  std::optional<any_chat_format> chat = {};
  std::vector<token_id> stop_tokens = {};
  std::size_t trained_context = 0;
};

inline language_model::language_model(std::unique_ptr<parts> from) : parts_(make_opaque(std::move(from))) {}

INLAY_DEFINITION const model_facts& language_model::facts() const { return parts_->facts; }
INLAY_DEFINITION const tokenizer* language_model::text() const { return parts_->text.get(); }
INLAY_DEFINITION const error& language_model::text_error() const { return parts_->text_error; }
INLAY_DEFINITION const std::string& language_model::chat_template() const { return parts_->chat_template; }
INLAY_DEFINITION const any_chat_format* language_model::chat() const { return parts_->chat ? &*parts_->chat : nullptr; }
INLAY_DEFINITION void language_model::set_chat(std::optional<any_chat_format> format) {
  parts_->chat = std::move(format);
  if (!parts_->chat || parts_->text == nullptr) return;
  std::vector<token_id>& stops = parts_->stop_tokens;
  for (const token_id id : inlay::stop_tokens(*parts_->chat, *parts_->text))
    if (std::find(stops.begin(), stops.end(), id) == stops.end()) stops.push_back(id);
}
INLAY_DEFINITION const std::vector<token_id>& language_model::stop_tokens() const { return parts_->stop_tokens; }
INLAY_DEFINITION std::size_t language_model::trained_context() const { return parts_->trained_context; }

INLAY_DEFINITION const detail::weight_table* language_model::weights() const { return parts_->weights.get(); }
INLAY_DEFINITION std::size_t language_model::scratch_bytes(std::size_t rows) const {
  return parts_->model->scratch_bytes(rows);
}
INLAY_DEFINITION std::size_t language_model::sequence_bytes(const state_options& options) const {
  return align_up(parts_->model->state_object_bytes()) + parts_->model->state_bytes(options);
}
INLAY_DEFINITION std::byte* language_model::begin_sequence(arena& memory, const state_options& options) const {
  auto* object = memory.take<std::byte>(parts_->model->state_object_bytes());
  parts_->model->place_state(object, memory, options);
  return object;
}
INLAY_DEFINITION void language_model::forward(const batch& b, workspace w) const { parts_->model->forward(b, w); }
INLAY_DEFINITION bool language_model::stores(dtype kv_type) const { return parts_->model->stores(kv_type); }
INLAY_DEFINITION std::size_t language_model::mark_bytes(const state_options& options) const {
  return parts_->model->mark_bytes(options);
}
INLAY_DEFINITION void language_model::for_each_state_part(const std::byte* state, std::size_t position,
                                                          state_parts which,
                                                          function_ref<void(std::byte*, std::size_t)> f) const {
  parts_->model->for_each_state_part(state, position, which, f);
}
INLAY_DEFINITION std::size_t language_model::earliest(const std::byte* state, const sequence_past& past) const {
  return parts_->model->earliest(state, past);
}
INLAY_DEFINITION std::string language_model::state_layout() const { return parts_->model->layout(); }

}  // namespace inlay
