// SPDX-License-Identifier: Apache-2.0
// A conversation, and what a chat format makes of it: text, and control tokens apart from the text, so that nothing a
// user types can become one.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/text/strip.hpp"
#include "inlay/text/tokenizer.hpp"

namespace inlay {

enum class chat_role : unsigned char { system, user, assistant, tool };

constexpr std::string_view name(chat_role role) noexcept {
  constexpr std::string_view names[] = {"system", "user", "assistant", "tool"};
  return names[static_cast<std::size_t>(role)];
}

/// A function that the assistant wants called.
struct tool_call {
  std::string name;
  std::string arguments;  ///< a JSON object
  std::string id = {};    ///< where the format has one
};

struct message {
  chat_role role;
  std::string content;
  std::string reasoning = {};         ///< of the assistant: its thoughts, without the marks around them
  std::vector<tool_call> calls = {};  ///< of the assistant
  std::string call_id = {};           ///< of a tool: the call that it answers, where the format has ids
};

/// Filled by a chat format. Neighbouring texts are one: they are tokenized together.
class chat_prompt {
 public:
  enum class kind : unsigned char {
    text,
    control,  ///< a control token, by name
    bos,      ///< the vocabulary's begin of sequence, if it has one
    eos,      ///< its end of sequence
  };
  struct part {
    kind what;
    std::string text;
  };

  void text(std::string_view text) {
    if (text.empty()) return;
    if (!parts_.empty() && parts_.back().what == kind::text)
      parts_.back().text += text;
    else
      parts_.push_back({kind::text, std::string(text)});
  }
  void control(std::string_view name) { parts_.push_back({kind::control, std::string(name)}); }
  void bos() { parts_.push_back({kind::bos, {}}); }
  void eos() { parts_.push_back({kind::eos, {}}); }

  /// For a format that cannot write the conversation: encode() then gives this error, the first of several.
  void refuse(error why) {
    if (!refusal_) refusal_ = std::move(why);
  }

  const std::optional<error>& refusal() const noexcept { return refusal_; }
  const std::vector<part>& parts() const noexcept { return parts_; }
  bool empty() const noexcept { return parts_.empty(); }

  /// As a template would print it, with these names of BOS and EOS.
  std::string to_string(std::string_view bos_name, std::string_view eos_name) const {
    std::string out;
    for (const part& p : parts_) out += p.what == kind::bos ? bos_name : p.what == kind::eos ? eos_name : p.text;
    return out;
  }

 private:
  std::vector<part> parts_;
  std::optional<error> refusal_;
};

/// Appends the ids of a prompt. `at_start`: it begins the sequence, and gets what the vocabulary puts before a text
/// (BOS) unless the prompt begins with BOS itself. errc::mismatch when the vocabulary lacks a control token of the
/// format; the prompt's refusal if it has one.
inline result<void> encode(const tokenizer& vocabulary, const chat_prompt& prompt, bool at_start,
                           std::vector<token_id>& out) {
  using kind = chat_prompt::kind;
  if (prompt.refusal()) return unexpected<error>(*prompt.refusal());
  const auto& parts = prompt.parts();
  const bool own_bos = !parts.empty() && parts[0].what == kind::bos && vocabulary.specials().bos;
  if (at_start && !own_bos) out.insert(out.end(), vocabulary.prefix().begin(), vocabulary.prefix().end());
  text_place place = at_start ? text_place::begin : text_place::inside;
  bool stripped = false;  // the token before takes the white space after it along
  for (const chat_prompt::part& p : parts) {
    if (p.what == kind::text) {
      std::string_view text = p.text;
      if (stripped) text = detail::strip_left(text);
      if (!text.empty()) vocabulary.encode(text, out, {.specials = special_tokens::as_text, .place = place});
      place = text_place::inside;
      stripped = false;
      continue;
    }
    std::optional<token_id> id;
    if (p.what == kind::control) {
      id = vocabulary.find(p.text);
      if (!id) return fail(errc::mismatch, concat("The vocabulary has no token \"", p.text, "\" of the chat format."));
    } else {
      id = p.what == kind::bos ? vocabulary.specials().bos : vocabulary.specials().eos;
      if (!id && p.what == kind::eos)
        return fail(errc::mismatch, "The vocabulary has no end of sequence, which the chat format needs.");
    }
    if (id) out.push_back(*id);
    stripped = id && vocabulary.strips_after(*id);
    place = p.what == kind::bos ? text_place::begin : text_place::after_token;
  }
  return {};
}

}  // namespace inlay
