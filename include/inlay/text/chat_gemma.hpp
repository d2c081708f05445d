// SPDX-License-Identifier: Apache-2.0
// Chat formats of Gemma, to the contract of chat_formats.hpp.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "inlay/text/chat_formats.hpp"
#include "inlay/text/chat_prompt.hpp"
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

/// Gemma 4. Thoughts are in a channel of their own, which past replies lose.
struct gemma4_chat {
  bool thinking = false;

  void render(std::span<const message> conversation, std::size_t from, bool open_reply, chat_prompt& out) const {
    if (detail::follows_reply(conversation, from)) close(out);
    std::size_t i = from;
    if (from == 0) {
      out.bos();
      const bool system = !conversation.empty() && conversation[0].role == chat_role::system;
      if (system || thinking) {
        begin("system", out);
        if (thinking) {
          out.control("<|think|>");
          out.text("\n");
        }
        if (system) out.text(detail::strip(conversation[i++].content));
        close(out);
      }
    }
    for (const std::size_t first = i; i < conversation.size(); ++i) {
      const message& m = conversation[i];
      if (m.role == chat_role::tool) continue;
      const bool model = m.role == chat_role::assistant;
      if (!model || i == first || conversation[i - 1].role != chat_role::assistant)
        begin(model ? "model" : name(m.role), out);
      out.text(detail::strip(model ? answer_of(m.content) : m.content));
      close(out);
    }
    if (!open_reply) return;
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
