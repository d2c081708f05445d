// SPDX-License-Identifier: Apache-2.0
// Conversations: which format a checkpoint wants, and the tokens of a turn.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/text/chat_formats.hpp"
#include "inlay/text/chat_gemma.hpp"
#include "inlay/text/chat_mistral.hpp"
#include "inlay/text/chat_nemotron.hpp"
#include "inlay/text/chat_phi.hpp"
#include "inlay/text/chat_prompt.hpp"
#include "inlay/text/chat_qwen.hpp"
#include "inlay/text/tokenizer.hpp"

namespace inlay {

/// A format of one's own (chat_formats.hpp), behind a virtual call a turn.
class custom_chat_format {
 public:
  template <chat_format Format>
    requires(!std::is_same_v<Format, custom_chat_format>)
  explicit custom_chat_format(Format format) : format_(std::make_shared<holder<Format>>(std::move(format))) {}

  void render(std::span<const message> conversation, std::size_t from, bool open_reply, chat_prompt& out) const {
    format_->render(conversation, from, open_reply, out);
  }
  std::span<const std::string_view> stop_names() const noexcept { return format_->stop_names(); }

 private:
  struct base {
    virtual ~base() = default;
    virtual void render(std::span<const message>, std::size_t, bool, chat_prompt&) const = 0;
    virtual std::span<const std::string_view> stop_names() const noexcept = 0;
  };
  template <class Format>
  struct holder final : base {
    explicit holder(Format f) : format(std::move(f)) {}
    void render(std::span<const message> conversation, std::size_t from, bool open_reply,
                chat_prompt& out) const override {
      format.render(conversation, from, open_reply, out);
    }
    std::span<const std::string_view> stop_names() const noexcept override { return format.stop_names(); }
    Format format;
  };
  std::shared_ptr<const base> format_;
};

/// Any of the formats; a chat format itself.
class any_chat_format {
 public:
  using formats = std::variant<chatml, llama3_chat, llama2_chat, mistral_chat, zephyr_chat, qwen2_chat, qwen3_chat,
                               gemma3_chat, gemma4_chat, phi_chat, nemotron2_chat, nemotron3_chat, custom_chat_format>;

  template <chat_format Format>
    requires std::is_constructible_v<formats, Format>
  any_chat_format(Format format) : format_(std::move(format)) {}

  void render(std::span<const message> conversation, std::size_t from, bool open_reply, chat_prompt& out) const {
    visit([&](const auto& f) { f.render(conversation, from, open_reply, out); });
  }
  std::span<const std::string_view> stop_names() const noexcept {
    std::span<const std::string_view> out;
    visit([&](const auto& f) { out = f.stop_names(); });
    return out;
  }

  /// The format if it is a `Format`, otherwise null; to change its settings.
  template <class Format>
  Format* get_if() noexcept {
    return std::get_if<Format>(&format_);
  }
  template <class Format>
  const Format* get_if() const noexcept {
    return std::get_if<Format>(&format_);
  }

 private:
  // Not std::visit, which throws for a variant without a value; this one always has a value.
  template <std::size_t I = 0, class Visitor>
  void visit(const Visitor& visitor) const {
    if constexpr (I < std::variant_size_v<formats>) {
      if (const auto* f = std::get_if<I>(&format_))
        visitor(*f);
      else
        visit<I + 1>(visitor);
    }
  }
  formats format_;
};

/// Appends the tokens that bring the conversation from message `from` on to the model, ending where it is to reply.
/// With `from` > 0 the messages before are in its cache (see chat_formats.hpp). errc::mismatch when the vocabulary
/// lacks a control token of the format.
template <chat_format Format>
result<void> encode_chat(const Format& format, const tokenizer& vocabulary, std::span<const message> conversation,
                         std::size_t from, std::vector<token_id>& out) {
  chat_prompt prompt;
  format.render(conversation, from, true, prompt);
  return encode(vocabulary, prompt, from == 0, out);
}

/// The tokens that end a reply: those of the format and the ends that the vocabulary names.
template <chat_format Format>
std::vector<token_id> stop_tokens(const Format& format, const tokenizer& vocabulary) {
  std::vector<token_id> out;
  const auto add = [&out](std::optional<token_id> id) {
    if (id && std::find(out.begin(), out.end(), *id) == out.end()) out.push_back(*id);
  };
  for (const std::string_view name : format.stop_names()) add(vocabulary.find(name));
  add(vocabulary.specials().eos);
  add(vocabulary.specials().eot);
  add(vocabulary.specials().eom);
  return out;
}

namespace detail {

inline bool contains(std::string_view text, std::string_view part) noexcept { return text.find(part) != text.npos; }

/// The system message that a ChatML template puts in by itself, as far as it is written out there.
inline std::string default_system_of(std::string_view chat_template) {
  for (const std::string_view begin : {"<|im_start|>system\\n", "<|im_start|>system\n"}) {
    for (std::size_t at = 0; (at = chat_template.find(begin, at)) != chat_template.npos;) {
      at += begin.size();
      const std::size_t end = chat_template.find("<|im_end|>", at);
      if (end == chat_template.npos) break;
      const std::string_view text = chat_template.substr(at, end - at);
      if (!text.empty() && text.find_first_of("'\"{}\\") == text.npos) return std::string(text);
    }
  }
  return {};
}

}  // namespace detail

/// The format that a checkpoint's template (Jinja source, `tokenizer.chat_template` in GGUF) is of, told by the marks
/// it writes; without a template, by the control tokens of the vocabulary. Empty when none fits: a base model, or a
/// family whose template has to be rendered as it is.
inline std::optional<any_chat_format> detect_chat_format(std::string_view chat_template, const tokenizer& vocabulary) {
  using detail::contains;
  const auto has = [&](std::string_view mark) {
    return chat_template.empty() ? vocabulary.find(mark).has_value() : contains(chat_template, mark);
  };
  if (has("<|im_start|>") && has("<|im_end|>")) {
    if (has("<|im_sep|>")) return phi_chat{phi_chat::version::v4};
    if (contains(chat_template, "<think></think>")) return nemotron3_chat{};
    if (contains(chat_template, "enable_thinking")) {
      using version = qwen3_chat::version;
      return qwen3_chat{.style = contains(chat_template, "<function=") ? version::v3_5 : version::v3};
    }
    std::string system = detail::default_system_of(chat_template);
    if (contains(chat_template, "<tool_call>") && contains(chat_template, "<tool_response>"))
      return qwen2_chat{.default_system = std::move(system)};
    return chatml{.default_system = std::move(system)};
  }
  if (has("<|turn>")) return gemma4_chat{};
  if (has("<start_of_turn>")) return gemma3_chat{};
  if (contains(chat_template, "<SPECIAL_11>")) return nemotron2_chat{};
  if (has("<|start_header_id|>")) {
    llama3_chat format;
    format.dates = contains(chat_template, "Cutting Knowledge Date");
    return format;
  }
  if (has("[INST]")) {
    using version = mistral_chat::version;
    if (contains(chat_template, "<<SYS>>")) return llama2_chat{};
    if (has("[SYSTEM_PROMPT]")) return mistral_chat{has("[CALL_ID]") ? version::v11 : version::v7};
    if (contains(chat_template, " [/INST]")) return mistral_chat{version::v1};
    const bool spaced = chat_template.empty() ? vocabulary.strips_first_space() : contains(chat_template, "[INST] ");
    return mistral_chat{spaced ? version::v3 : version::tekken};
  }
  if (has("<|user|>") && has("<|end|>")) {
    using version = phi_chat::version;
    const bool mini = chat_template.empty()
                          ? vocabulary.find("<|tool_call|>").has_value()
                          : contains(chat_template, "<|tool|>") ||
                                !(contains(chat_template, "<|user|>\n") || contains(chat_template, "<|user|>\\n"));
    return phi_chat{mini ? version::v4_mini : version::v3};
  }
  if (contains(chat_template, "<|user|>") && contains(chat_template, "eos_token")) return zephyr_chat{};
  return std::nullopt;
}

}  // namespace inlay
