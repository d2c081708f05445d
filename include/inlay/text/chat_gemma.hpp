// SPDX-License-Identifier: Apache-2.0
// Chat formats of Gemma, to the contract of chat_formats.hpp.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/text/chat_formats.hpp"
#include "inlay/text/chat_gemma_tools.hpp"
#include "inlay/text/chat_prompt.hpp"
#include "inlay/text/chat_thoughts.hpp"
#include "inlay/text/chat_tools.hpp"
#include "inlay/text/strip.hpp"

namespace inlay {

/// Gemma 2 and 3: no system role, the system text goes before the first question.
struct gemma3_chat {
  void render(std::span<const message> conversation, std::size_t from, bool open_reply, chat_prompt& out) const {
    if (detail::follows_reply(conversation, from)) close(out);
    std::size_t i = from;
    std::string_view system;
    if (from == 0) {
      out.bos();
      if (!conversation.empty() && conversation[0].role == chat_role::system) system = conversation[i++].content;
    }
    for (const std::size_t first = i; i < conversation.size(); ++i) {
      begin(conversation[i].role, out);
      if (i == first && system.data() != nullptr) {
        out.text(system);
        out.text("\n\n");
      }
      out.text(detail::strip(conversation[i].content));
      close(out);
    }
    if (open_reply) begin(chat_role::assistant, out);
  }
  std::span<const std::string_view> stop_names() const noexcept {
    static constexpr std::string_view names[] = {"<end_of_turn>"};
    return names;
  }

 private:
  static void begin(chat_role role, chat_prompt& out) {
    out.control("<start_of_turn>");
    out.text(role == chat_role::assistant ? "model" : name(role));
    out.text("\n");
  }
  static void close(chat_prompt& out) {
    out.control("<end_of_turn>");
    out.text("\n");
  }
};

/// Gemma 4. Thoughts are in a channel of their own, which past replies lose. Results of tools are part of the reply
/// that called them.
struct gemma4_chat {
  bool thinking = false;
  std::vector<std::string> tools = {};  ///< JSON objects that declare functions

  void render(std::span<const message> conversation, std::size_t from, bool open_reply, chat_prompt& out) const {
    const std::size_t first = !conversation.empty() && conversation[0].role == chat_role::system ? 1 : 0;
    if (detail::follows_reply(conversation, from)) end(conversation, from - 1, false, out);
    std::size_t i = from;
    if (from == 0) {
      out.bos();
      i = first;
      if (first != 0 || thinking || !tools.empty()) system(first != 0 ? conversation[0].content : "", out);
    }
    const std::size_t question = detail::last_user(conversation);
    for (; i < conversation.size(); ++i) {
      const message& m = conversation[i];
      if (m.role == chat_role::tool) continue;
      const bool model = m.role == chat_role::assistant;
      std::size_t before = i;
      while (before != first && conversation[before - 1].role == chat_role::tool) --before;
      const bool goes_on = model && before > first && conversation[before - 1].role == chat_role::assistant;
      if (!goes_on) begin(model ? "model" : name(m.role), out);
      if (!m.reasoning.empty() && !m.calls.empty() && (question == static_cast<std::size_t>(-1) || i > question)) {
        out.control("<|channel>");
        out.text(concat("thought\n", m.reasoning, "\n"));
        out.control("<channel|>");
      }
      for (const tool_call& c : m.calls) detail::gemma_tools(out).call(c);
      end(conversation, i, true, out);
    }
    // After calls and their results the reply goes on.
    std::size_t last = conversation.size();
    while (last != first && conversation[last - 1].role == chat_role::tool) --last;
    if (!open_reply || (last > first && !conversation[last - 1].calls.empty())) return;
    begin("model", out);
    if (thinking) return;
    out.control("<|channel>");
    out.text("thought\n");
    out.control("<channel|>");
  }
  std::span<const std::string_view> stop_names() const noexcept {
    static constexpr std::string_view names[] = {"<turn|>", "<|tool_response>"};
    return names;
  }

 private:
  static void begin(std::string_view role, chat_prompt& out) {
    out.control("<|turn>");
    out.text(role);
    out.text("\n");
  }
  void system(std::string_view said, chat_prompt& out) const {
    begin("system", out);
    if (thinking) {
      out.control("<|think|>");
      out.text("\n");
    }
    out.text(detail::strip(said));
    const auto all = detail::read_tools(tools, false, out);
    for (std::size_t i = 0; i < all.size(); ++i)
      if (!detail::gemma_tools(out).declare(all[i]))
        detail::refuse_tool(tools[i], "has a description, type or list that the chat format cannot express", out);
    close(out);
  }
  /// What follows the calls of message `i`: their results, what it says, the end of its turn. Without `says` the model
  /// has written its words before the calls, and goes on behind the results.
  static void end(std::span<const message> conversation, std::size_t i, bool says, chat_prompt& out) {
    const message& m = conversation[i];
    bool answered = false;
    for (std::size_t k = i + 1; !m.calls.empty() && k < conversation.size(); ++k) {
      if (conversation[k].role != chat_role::tool) break;
      std::string_view called = "unknown";
      for (const tool_call& c : m.calls)
        if (c.id == conversation[k].call_id) called = c.name;
      detail::gemma_tools(out).result(called, conversation[k].content);
      answered = true;
    }
    if (says) out.text(detail::strip(m.role == chat_role::assistant ? answer_of(m.content) : m.content));
    if (!m.calls.empty() && !answered)
      out.control("<|tool_response>");
    else if (!answered || (says && !m.content.empty()))
      close(out);
  }
  static void close(chat_prompt& out) {
    out.control("<turn|>");
    out.text("\n");
  }
  static std::string answer_of(std::string_view content) {
    constexpr std::string_view open = "<|channel>", end = "<channel|>";
    std::string out;
    for (bool more = true; more;) {
      const std::size_t at = content.find(end);
      more = at != content.npos;
      const std::string_view part = content.substr(0, at);
      out += part.substr(0, part.find(open));
      if (more) content.remove_prefix(at + end.size());
    }
    return out;
  }
};

}  // namespace inlay
