// SPDX-License-Identifier: Apache-2.0
// How families write a conversation. A format is a small value type:
//
//   render(conversation, from, open_reply, out)
//     appends the messages from index `from` on. With from > 0 everything before is in the model's cache already, the
//     last of it being the assistant's reply as the model wrote it, so what ends that reply comes first. open_reply
//     adds the words after which the model speaks.
//   stop_names()
//     control tokens that end a reply, beside the end of sequence.
//
// Each gives the text of the template that is published with the models, whatever the conversation's order of roles.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/text/chat_prompt.hpp"
#include "inlay/text/chat_tools.hpp"
#include "inlay/text/strip.hpp"

namespace inlay {

template <class Format>
concept chat_format = requires(const Format& f, std::span<const message> conversation, chat_prompt& out) {
  f.render(conversation, std::size_t{}, bool{}, out);
  { f.stop_names() } -> std::convertible_to<std::span<const std::string_view>>;
};

namespace detail {

inline bool follows_reply(std::span<const message> conversation, std::size_t from) noexcept {
  return from != 0 && from <= conversation.size() && conversation[from - 1].role == chat_role::assistant;
}

/// A turn of ChatML and of the formats that came from it.
inline void begin_chatml_turn(std::string_view role, chat_prompt& out) {
  out.control("<|im_start|>");
  out.text(role);
  out.text("\n");
}
inline void end_chatml_turn(chat_prompt& out) {
  out.control("<|im_end|>");
  out.text("\n");
}

}  // namespace detail

/// ChatML: SmolLM2 and many fine-tunes. Stops at <|im_end|>.
struct chatml {
  std::string default_system = {};  ///< put first when the conversation has no system message; empty: nothing

  void render(std::span<const message> conversation, std::size_t from, bool open_reply, chat_prompt& out) const {
    if (detail::follows_reply(conversation, from)) detail::end_chatml_turn(out);
    if (from == 0 && !default_system.empty() && !conversation.empty() && conversation[0].role != chat_role::system)
      turn("system", default_system, out);
    for (std::size_t i = from; i < conversation.size(); ++i)
      turn(name(conversation[i].role), conversation[i].content, out);
    if (open_reply) detail::begin_chatml_turn("assistant", out);
  }
  std::span<const std::string_view> stop_names() const noexcept {
    static constexpr std::string_view names[] = {"<|im_end|>"};
    return names;
  }

 private:
  static void turn(std::string_view role, std::string_view content, chat_prompt& out) {
    detail::begin_chatml_turn(role, out);
    out.text(content);
    detail::end_chatml_turn(out);
  }
};

/// Llama 3, 3.1 and 3.2. Tools (of 3.1 and later) go before the first question, and one call is all a reply has.
struct llama3_chat {
  bool dates = true;                    ///< 3.1 and later: the system message begins with two dates
  std::string today = "26 Jul 2024";    ///< DD Mon YYYY
  std::vector<std::string> tools = {};  ///< JSON objects that declare functions

  void render(std::span<const message> conversation, std::size_t from, bool open_reply, chat_prompt& out) const {
    if (detail::follows_reply(conversation, from)) out.control("<|eot_id|>");
    std::size_t i = from;
    if (from == 0) {
      out.bos();
      if (dates) {
        begin("system", out);
        if (!tools.empty()) out.text("Environment: ipython\n");
        out.text("Cutting Knowledge Date: December 2023\nToday Date: ");
        out.text(today);
        out.text("\n\n");
        if (!conversation.empty() && conversation[0].role == chat_role::system)
          out.text(detail::strip(conversation[i++].content));
        out.control("<|eot_id|>");
        if (!tools.empty()) declare(conversation.subspan(i++), out);
      } else {
        detail::refuse_tools(tools, out);
      }
    }
    for (; i < conversation.size(); ++i) {
      const message& m = conversation[i];
      begin(m.role == chat_role::tool ? "ipython" : name(m.role), out);
      if (!m.calls.empty())
        call(m.calls, out);
      else if (m.role == chat_role::tool)
        out.text(quoted(m.content));
      else
        out.text(detail::strip(m.content));
      out.control("<|eot_id|>");
    }
    if (open_reply) begin("assistant", out);
  }
  std::span<const std::string_view> stop_names() const noexcept {
    static constexpr std::string_view names[] = {"<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"};
    return names;
  }

 private:
  void declare(std::span<const message> behind_system, chat_prompt& out) const {
    if (behind_system.empty())
      return detail::refuse_tool(tools[0], "needs a first message of the user, which it is declared in", out);
    begin("user", out);
    out.text(
        "Given the following functions, please respond with a JSON for a function call with its proper arguments that "
        "best answers the given prompt.\n\nRespond in the format {\"name\": function name, \"parameters\": dictionary "
        "of argument name and its value}.Do not use variables.\n\n");
    constexpr std::size_t indent = 4;
    for (const detail::chat_tool& tool : detail::read_tools(tools, true, out))
      out.text(concat(detail::json_text(tool.whole, indent), "\n\n"));
    out.text(detail::strip(behind_system[0].content));
    out.control("<|eot_id|>");
  }
  static void call(std::span<const tool_call> calls, chat_prompt& out) {
    if (calls.size() != 1)
      out.refuse({errc::argument, concat("A reply calls \"", calls[0].name, "\" and \"", calls[1].name,
                                         "\"; in Llama 3's chat format it can call one function.")});
    out.text(concat("{\"name\": \"", calls[0].name, "\", \"parameters\": ", detail::arguments_json(calls[0]), "}"));
  }
  static std::string quoted(std::string_view text) {
    std::string out;
    detail::write_quoted(text, out);
    return out;
  }
  static void begin(std::string_view role, chat_prompt& out) {
    out.control("<|start_header_id|>");
    out.text(role);
    out.control("<|end_header_id|>");
    out.text("\n\n");
  }
};

/// Llama 2 chat: the system message is part of the first user message, and each exchange is a sequence.
struct llama2_chat {
  void render(std::span<const message> conversation, std::size_t from, bool /*open_reply*/, chat_prompt& out) const {
    if (detail::follows_reply(conversation, from)) close(out);
    std::string_view system;
    for (std::size_t i = from; i < conversation.size(); ++i) {
      const message& m = conversation[i];
      if (m.role == chat_role::system) {
        system = m.content;
      } else if (m.role == chat_role::assistant) {
        out.text(" ");
        out.text(detail::strip(m.content));
        close(out);
      } else {
        out.bos();
        out.text("[INST] ");
        std::string content;
        if (system.data() != nullptr) content = concat("<<SYS>>\n", system, "\n<</SYS>>\n\n");
        system = {};
        content += m.content;
        out.text(detail::strip(content));
        out.text(" [/INST]");
      }
    }
  }
  std::span<const std::string_view> stop_names() const noexcept { return {}; }

 private:
  static void close(chat_prompt& out) {
    out.text(" ");
    out.eos();
  }
};

/// Zephyr and TinyLlama chat. The roles' marks are text, only the end of sequence is a token.
struct zephyr_chat {
  void render(std::span<const message> conversation, std::size_t from, bool open_reply, chat_prompt& out) const {
    if (detail::follows_reply(conversation, from)) close(out);
    for (std::size_t i = from; i < conversation.size(); ++i) {
      if (conversation[i].role == chat_role::tool) continue;
      out.text("<|");
      out.text(name(conversation[i].role));
      out.text("|>\n");
      out.text(conversation[i].content);
      close(out);
    }
    if (open_reply) out.text("<|assistant|>\n");
  }
  std::span<const std::string_view> stop_names() const noexcept { return {}; }

 private:
  static void close(chat_prompt& out) {
    out.eos();
    out.text("\n");
  }
};

}  // namespace inlay
