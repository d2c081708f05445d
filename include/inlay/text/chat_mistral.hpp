// SPDX-License-Identifier: Apache-2.0
// Chat formats of Mistral, to the contract of chat_formats.hpp.
#pragma once

#include <algorithm>
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

/// Mistral's instruction format in its versions. The system message goes before the last user message (v7: it is a turn
/// of its own); when only new turns are rendered, the user message of that moment was the last one already.
struct mistral_chat {
  enum class version : unsigned char {
    v1,      ///< 7B v0.1 and v0.2: "[INST] question [/INST] answer"
    v3,      ///< 7B v0.3: [INST] and [/INST] are tokens
    tekken,  ///< Nemo: as v3, without spaces
    v7,      ///< Small 3: as tekken, with [SYSTEM_PROMPT]
    v11,     ///< Small 3.2: as v7, and calls of tools in parts
  } style = version::v3;
  /// Of v3, tekken and v11: JSON objects that declare functions. They go before the last user message.
  std::vector<std::string> tools = {};

  void render(std::span<const message> conversation, std::size_t from, bool /*open_reply*/, chat_prompt& out) const {
    if (detail::follows_reply(conversation, from)) out.eos();
    if (!has_tools()) detail::refuse_tools(tools, out);
    const std::size_t question = detail::last_user(conversation);
    std::size_t i = from;
    std::string_view system;
    if (from == 0) {
      out.bos();
      if (!conversation.empty() && conversation[0].role == chat_role::system) {
        system = conversation[i++].content;
        if (has_system()) {
          out.control("[SYSTEM_PROMPT]");
          out.text(system);
          out.control("[/SYSTEM_PROMPT]");
        }
      }
    }
    for (; i < conversation.size(); ++i) {
      const message& m = conversation[i];
      if (!has_tools() && (m.role == chat_role::tool || !m.calls.empty()))
        out.refuse({errc::argument, "The chat format has no calls and results of tools."});
      if (m.role == chat_role::tool) {
        result(m, out);
        continue;
      }
      if (!m.calls.empty()) {
        call(m.calls, out);
        continue;
      }
      if (m.role == chat_role::assistant) {
        if (spaced()) out.text(" ");
        out.text(style == version::v3 ? detail::strip(m.content) : m.content);
        out.eos();
        continue;
      }
      // The template compares what messages say, and takes another of the same words for the last.
      if (!tools.empty() && m.role == chat_role::user && m.content == conversation[question].content) declare(out);
      mark("[INST]", out);
      if (spaced()) out.text(" ");
      if (system.data() != nullptr && !has_system() && i + 1 == conversation.size()) {
        out.text(system);
        out.text("\n\n");
      }
      out.text(m.content);
      if (style == version::v1) out.text(" ");
      mark("[/INST]", out);
    }
  }
  std::span<const std::string_view> stop_names() const noexcept { return {}; }

 private:
  bool has_system() const noexcept { return style == version::v7 || style == version::v11; }
  bool has_tools() const noexcept { return style != version::v1 && style != version::v7; }
  void declare(chat_prompt& out) const {
    out.control("[AVAILABLE_TOOLS]");
    std::string_view separator = spaced() ? " [" : "[";
    for (const detail::chat_tool& tool : detail::read_tools(tools, style == version::v11, out)) {
      out.text(separator);
      out.text(style == version::v11 ? detail::json_text(tool.whole) : function_text(tool.function()));
      separator = ", ";
    }
    out.text("]");
    out.control("[/AVAILABLE_TOOLS]");
  }
  /// The template puts quotes around texts, and escapes nothing in them.
  static std::string function_text(const detail::chat_json& function) {
    std::string out = "{\"type\": \"function\", \"function\": {";
    std::string_view separator;
    for (std::size_t i = 0; i < function.keys.size(); ++i) {
      if (function.keys[i] == "return") continue;
      const detail::chat_json& value = function.values[i];
      out += concat(separator, "\"", function.keys[i], "\": ");
      out += value.is(detail::chat_json::kind::string) ? concat("\"", value.text, "\"") : detail::json_text(value);
      separator = ", ";
    }
    return out + "}}";
  }
  void call(std::span<const tool_call> calls, chat_prompt& out) const {
    std::string_view separator = spaced() ? " [" : "[";
    if (style != version::v11) out.control("[TOOL_CALLS]");
    for (const tool_call& c : calls) {
      check_id(c.id, c.name, out);
      if (style == version::v11) {
        out.control("[TOOL_CALLS]");
        out.text(c.name);
        out.control("[CALL_ID]");
        out.text(c.id);
        out.control("[ARGS]");
        out.text(detail::arguments_json(c));
      } else {
        std::string text = detail::call_json(c);
        text.pop_back();
        out.text(concat(separator, text, ", \"id\": \"", c.id, "\"}"));
        separator = ", ";
      }
    }
    if (style != version::v11) out.text("]");
    out.eos();
  }
  void result(const message& m, chat_prompt& out) const {
    check_id(m.call_id, m.content, out);
    out.control("[TOOL_RESULTS]");
    if (style == version::v11) {
      out.text(m.call_id);
      out.control("[TOOL_CONTENT]");
      out.text(m.content);
    } else {
      out.text(concat(spaced() ? " " : "", "{\"content\": ", m.content, ", \"call_id\": \"", m.call_id, "\"}"));
    }
    out.control("[/TOOL_RESULTS]");
  }
  static void check_id(std::string_view id, std::string_view of, chat_prompt& out) {
    constexpr std::size_t size = 9, shown = 80;
    const auto characters = std::count_if(id.begin(), id.end(), [](char c) { return (c & 0xC0) != 0x80; });
    if (static_cast<std::size_t>(characters) == size) return;
    out.refuse({errc::argument, concat("The id \"", id.substr(0, shown), "\" of the call or result \"",
                                       of.substr(0, shown), "\" has to be of 9 characters in Mistral's chat format.")});
  }
  bool spaced() const noexcept { return style == version::v1 || style == version::v3; }
  void mark(std::string_view name, chat_prompt& out) const {
    if (style == version::v1)
      out.text(name);
    else
      out.control(name);
  }
};

}  // namespace inlay
