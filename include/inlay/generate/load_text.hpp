// SPDX-License-Identifier: Apache-2.0
// What a checkpoint says beside its weights: tokenizer, chat template, stop tokens, trained context. A model without a
// usable tokenizer still runs by token ids; language_model::text_error says what is wrong with it.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/generate/language_model_parts.hpp"
#include "inlay/generate/read_tokenizer.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/io/json.hpp"

namespace inlay::detail {

/// The chat format that the template (or, without one, the vocabulary) is of, and all tokens that end an answer.
inline void set_chat(std::string chat_template, std::vector<token_id> stops, language_model::parts& model) {
  if (model.text != nullptr) {
    const auto format = detect_chat_format(chat_template, *model.text);
    const special_ids& specials = model.text->specials();
    const auto add = [&](std::optional<token_id> id) {
      if (id && std::find(stops.begin(), stops.end(), *id) == stops.end()) stops.push_back(*id);
    };
    for (const auto& id : {specials.eos, specials.eot, specials.eom}) add(id);
    if (format)
      for (const token_id id : stop_tokens(*format, *model.text)) add(id);
    model.chat = format;
  }
  model.chat_template = std::move(chat_template);
  model.stop_tokens = std::move(stops);
}

inline void load_text_gguf(const gguf_file& file, language_model::parts& model) {
  const auto chat = file.get_or<std::string_view>("tokenizer.chat_template", "");
  set_chat(std::string(chat ? *chat : std::string_view()), {}, model);
  if (const auto architecture = file.get<std::string_view>("general.architecture"))
    if (const auto context = file.get_or<std::uint64_t>(concat(*architecture, ".context_length"), 0))
      model.trained_context = static_cast<std::size_t>(*context);
}

inline void add_ids(const json& document, std::string_view key, std::vector<token_id>& ids) {
  const auto found = document.is_object() ? document.find(std::string(key)) : document.end();
  if (!document.is_object() || found == document.end()) return;
  const auto add = [&](const json& value) {
    if (!value.is_number_integer()) return;
    const auto id = value.get<std::int64_t>();
    if (id >= 0 && id <= INT32_MAX && std::find(ids.begin(), ids.end(), id) == ids.end())
      ids.push_back(static_cast<token_id>(id));
  };
  if (found->is_array())
    for (const json& value : *found) add(value);
  else
    add(*found);
}

inline void load_text_folder(const checkpoint& file, language_model::parts& model) {
  const std::string& path = file.path();
  std::vector<token_id> stops;
  if (const auto document = parse_json(read_beside(file, "generation_config.json"), path))
    add_ids(*document, "eos_token_id", stops);
  if (const auto document = parse_json(file.config(), path)) {
    add_ids(*document, "eos_token_id", stops);
    if (document->is_object())
      if (const auto found = document->find("max_position_embeddings");
          found != document->end() && found->is_number_unsigned())
        model.trained_context = found->get<std::size_t>();
  }
  std::string chat = read_beside(file, "chat_template.jinja");
  if (chat.empty())
    if (const auto document = parse_json(read_beside(file, "tokenizer_config.json"), path);
        document && document->is_object())
      if (const auto found = document->find("chat_template"); found != document->end() && found->is_string())
        chat = found->get<std::string>();
  set_chat(std::move(chat), std::move(stops), model);
}

inline void load_text(const checkpoint& file, const tokenizer_options& options, language_model::parts& model) {
  if (auto t = read_tokenizer(file, model.facts.vocab, options))
    model.text = *std::move(t);
  else
    model.text_error = std::move(t).error();
  if (file.gguf() != nullptr)
    load_text_gguf(*file.gguf(), model);
  else
    load_text_folder(file, model);
}

}  // namespace inlay::detail
