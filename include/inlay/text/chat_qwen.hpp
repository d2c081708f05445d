// SPDX-License-Identifier: Apache-2.0
// Chat formats of Qwen, to the contract of chat_formats.hpp.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/text/chat_formats.hpp"
#include "inlay/text/chat_prompt.hpp"
#include "inlay/text/chat_thoughts.hpp"
#include "inlay/text/chat_tools.hpp"
#include "inlay/text/strip.hpp"

namespace inlay {

namespace detail {

/// Tools, their calls and what they gave, as Qwen writes them.
struct qwen_tools {
  /// Behind what the system says.
  static void declare(std::span<const std::string> tools, chat_prompt& out) {
    out.text(
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n<tools>");
    list(tools, out);
    out.text(
        "\n\nFor each function call, return a json object with function name and arguments within "
        "<tool_call></tool_call> XML tags:\n<tool_call>\n"
        "{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call>");
  }
  /// Qwen3.5's, before what the system says.
  static void declare_tagged(std::span<const std::string> tools, chat_prompt& out) {
    out.text(tagged_calls::begin_of_tools);
    list(tools, out);
    out.text(tagged_calls::instructions);
  }
  static void list(std::span<const std::string> tools, chat_prompt& out) {
    for (const chat_tool& tool : read_tools(tools, true, out)) out.text(concat("\n", json_text(tool.whole)));
    out.text("\n</tools>");
  }
  static void call(const tool_call& c, chat_prompt& out) {
    out.text(concat("<tool_call>\n", call_text(c), "\n</tool_call>"));
  }
  /// Results in a row are one turn of the user; message `i` is one.
  static void result(std::span<const message> conversation, std::size_t i, std::string_view text, chat_prompt& out) {
    if (i == 0 || conversation[i - 1].role != chat_role::tool)
      begin_chatml_turn("user", out);
    else
      out.text("\n");
    out.text("<tool_response>\n");
    out.text(text);
    out.text("\n</tool_response>");
    if (i + 1 == conversation.size() || conversation[i + 1].role != chat_role::tool) end_chatml_turn(out);
  }
};

}  // namespace detail

/// Qwen2.5. Without tools and calls it is ChatML.
struct qwen2_chat {
  std::string default_system = {};      ///< put first when the conversation has no system message; empty: nothing
  std::vector<std::string> tools = {};  ///< JSON objects that declare functions

  void render(std::span<const message> conversation, std::size_t from, bool open_reply, chat_prompt& out) const {
    if (detail::follows_reply(conversation, from)) detail::end_chatml_turn(out);
    std::size_t i = from;
    if (from == 0) {
      const bool stated = !conversation.empty() && conversation[0].role == chat_role::system;
      const std::string_view system = stated ? std::string_view(conversation[i++].content) : default_system;
      if (stated || !tools.empty() || (!system.empty() && !conversation.empty())) {
        detail::begin_chatml_turn("system", out);
        out.text(system);
        if (!tools.empty()) {
          out.text("\n\n");
          detail::qwen_tools::declare(tools, out);
        }
        detail::end_chatml_turn(out);
      }
    }
    for (; i < conversation.size(); ++i) {
      const message& m = conversation[i];
      if (m.role == chat_role::tool) {
        detail::qwen_tools::result(conversation, i, m.content, out);
        continue;
      }
      detail::begin_chatml_turn(name(m.role), out);
      out.text(m.content);
      for (std::size_t c = 0; c < m.calls.size(); ++c) {
        if (c != 0 || !m.content.empty()) out.text("\n");
        detail::qwen_tools::call(m.calls[c], out);
      }
      detail::end_chatml_turn(out);
    }
    if (open_reply) detail::begin_chatml_turn("assistant", out);
  }
  std::span<const std::string_view> stop_names() const noexcept {
    static constexpr std::string_view names[] = {"<|im_end|>"};
    return names;
  }
};

/// Qwen3 and Qwen3.5. Thoughts are shown again only in replies to the last question.
struct qwen3_chat {
  bool thinking = true;
  enum class version : unsigned char {
    v3,
    v3_5,  ///< texts are stripped, and the reply begins inside the thoughts
  } style = version::v3;
  std::vector<std::string> tools = {};  ///< JSON objects that declare functions

  void render(std::span<const message> conversation, std::size_t from, bool open_reply, chat_prompt& out) const {
    if (detail::follows_reply(conversation, from)) detail::end_chatml_turn(out);
    const bool strip = style == version::v3_5;
    const std::size_t query = last_query(conversation);
    std::size_t i = from;
    if (from == 0 && !tools.empty()) {
      detail::begin_chatml_turn("system", out);
      const bool stated = !conversation.empty() && conversation[0].role == chat_role::system;
      const std::string_view system = stated ? std::string_view(conversation[i++].content) : std::string_view{};
      if (strip) {
        detail::qwen_tools::declare_tagged(tools, out);
        if (!detail::strip(system).empty()) out.text(concat("\n\n", detail::strip(system)));
      } else {
        out.text(system);
        if (stated) out.text("\n\n");
        detail::qwen_tools::declare(tools, out);
      }
      detail::end_chatml_turn(out);
    }
    for (; i < conversation.size(); ++i) {
      const message& m = conversation[i];
      if (m.role == chat_role::tool) {
        detail::qwen_tools::result(conversation, i, strip ? detail::strip(m.content) : m.content, out);
        continue;
      }
      detail::begin_chatml_turn(name(m.role), out);
      if (m.role == chat_role::assistant)
        reply(m, i, query, i + 1 == conversation.size(), out);
      else
        out.text(strip ? detail::strip(m.content) : m.content);
      detail::end_chatml_turn(out);
    }
    if (!open_reply) return;
    detail::begin_chatml_turn("assistant", out);
    if (!thinking)
      out.text("<think>\n\n</think>\n\n");
    else if (style == version::v3_5)
      out.text("<think>\n");
  }
  std::span<const std::string_view> stop_names() const noexcept {
    static constexpr std::string_view names[] = {"<|im_end|>", "<|endoftext|>"};
    return names;
  }

 private:
  // The last message of the user that is not the result of a tool; without one, the last message.
  std::size_t last_query(std::span<const message> conversation) const noexcept {
    for (std::size_t i = conversation.size(); i-- != 0;) {
      if (conversation[i].role != chat_role::user) continue;
      std::string_view text = conversation[i].content;
      if (style == version::v3_5) text = detail::strip(text);
      if (!text.starts_with("<tool_response>") || !text.ends_with("</tool_response>")) return i;
    }
    return conversation.size() - 1;
  }

  void reply(const message& m, std::size_t index, std::size_t query, bool last, chat_prompt& out) const {
    const bool v3_5 = style == version::v3_5;
    message stripped{m.role, {}, m.reasoning, {}};
    if (v3_5) stripped.content = detail::strip(m.content);
    const detail::thought_reply r = detail::split_thoughts(v3_5 ? stripped : m);
    if (index > query && (v3_5 || last || !r.reasoning.empty())) {
      out.text("<think>\n");
      out.text(v3_5 ? detail::strip(r.reasoning) : detail::strip_newlines(r.reasoning, true, true));
      out.text("\n</think>\n\n");
      out.text(v3_5 ? r.answer : detail::strip_newlines(r.answer, true, false));
    } else {
      out.text(r.answer);
    }
    for (std::size_t i = 0; i < m.calls.size(); ++i) {
      if (i != 0 || !(v3_5 ? detail::strip(r.answer) : r.answer).empty()) out.text(v3_5 && i == 0 ? "\n\n" : "\n");
      if (v3_5)
        detail::tagged_calls::call(m.calls[i], out);
      else
        detail::qwen_tools::call(m.calls[i], out);
    }
  }
};

}  // namespace inlay
