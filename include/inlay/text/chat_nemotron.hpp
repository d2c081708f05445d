// SPDX-License-Identifier: Apache-2.0
// Chat formats of Nemotron, to the contract of chat_formats.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
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

/// Nemotron Nano v2. "/think" and "/no_think" in what system and user say switch the thoughts, the last of them counts.
struct nemotron2_chat {
  std::vector<std::string> tools = {};  ///< JSON objects that declare functions

  void render(std::span<const message> conversation, std::size_t from, bool open_reply, chat_prompt& out) const {
    if (detail::follows_reply(conversation, from)) close(out);
    std::size_t i = from, end = conversation.size();
    if (from == 0) {
      out.control("<SPECIAL_10>");
      out.text("System\n");
      std::string system;
      if (end != 0 && conversation[0].role == chat_role::system) system = cleaned(conversation[i++].content);
      out.text(system);
      if (!tools.empty()) declare(!system.empty(), out);
      out.text("\n\n");
    }
    // A reply at the end is one to be continued.
    const bool unfinished = end > i && conversation[end - 1].role == chat_role::assistant;
    if (unfinished) --end;
    for (; i < end; ++i) {
      const message& m = conversation[i];
      if (m.role == chat_role::user) {
        begin("User\n", out);
        out.text(cleaned(m.content));
        out.text("\n");
      } else if (m.role == chat_role::tool) {
        if (i == 0 || conversation[i - 1].role != chat_role::tool) begin("User\n<TOOL_RESPONSE>[", out);
        out.text(m.content);
        const bool more = i + 1 < end && conversation[i + 1].role == chat_role::tool;
        out.text(more ? ", " : "]</TOOL_RESPONSE>");
      } else if (m.role == chat_role::assistant) {
        begin("Assistant\n", out);
        const std::string_view answer = detail::strip(answer_of(m.content));
        out.text(answer);
        if (!m.calls.empty() && !answer.empty()) out.text("\n");
        call(m.calls, out);
        close(out);
      }
    }
    const std::string_view rest = unfinished ? detail::strip(conversation[end].content) : std::string_view{};
    if (open_reply || !rest.empty()) {
      begin("Assistant\n", out);
      out.text(thinks(conversation) ? "<think>\n" : "<think></think>");
      out.text(rest);
      if (!open_reply) close(out);
    }
    // The template leaves out calls that would be continued.
    if (open_reply || !unfinished || conversation[end].calls.empty()) return;
    begin("Assistant\n", out);
    call(conversation[end].calls, out);
    out.control("<SPECIAL_12>");
    out.text("\n\n");
  }
  std::span<const std::string_view> stop_names() const noexcept {
    static constexpr std::string_view names[] = {"<SPECIAL_12>"};
    return names;
  }

 private:
  static void begin(std::string_view who, chat_prompt& out) {
    out.control("<SPECIAL_11>");
    out.text(who);
  }
  static void close(chat_prompt& out) {
    out.text("\n");
    out.control("<SPECIAL_12>");
    out.text("\n");
  }
  void declare(bool behind_system, chat_prompt& out) const {
    if (behind_system) out.text("\n\n");
    out.text("You can use the following tools to assist the user if required:\n<AVAILABLE_TOOLS>[");
    std::string_view separator;
    for (const detail::chat_tool& tool : detail::read_tools(tools, true, out)) {
      out.text(separator);
      out.text(detail::json_text(tool.function()));
      separator = ", ";
    }
    out.text(
        "]</AVAILABLE_TOOLS>\n\nIf you decide to call any tool(s), use the following format:\n"
        "<TOOLCALL>[{{\"name\": \"tool_name1\", \"arguments\": \"tool_args1\"}}, "
        "{{\"name\": \"tool_name2\", \"arguments\": \"tool_args2\"}}]</TOOLCALL>\n\n"
        "The user will execute tool-calls and return responses from tool(s) in this format:\n"
        "<TOOL_RESPONSE>[{{\"tool_response1\"}}, {{\"tool_response2\"}}]</TOOL_RESPONSE>\n\n"
        "Based on the tool responses, you can call additional tools if needed, correct tool calls if any errors are "
        "found, or just respond to the user.");
  }
  static void call(std::span<const tool_call> calls, chat_prompt& out) {
    for (std::size_t i = 0; i < calls.size(); ++i) {
      out.text(i == 0 ? "<TOOLCALL>[" : ", ");
      out.text(detail::call_text(calls[i]));
    }
    if (!calls.empty()) out.text("]</TOOLCALL>");
  }
  static std::string cleaned(std::string_view text) {
    const std::string plain = detail::without(detail::without(text, "/think"), "/no_think");
    return std::string(detail::strip(plain));
  }
  // Between the first end of thoughts and the next.
  static std::string_view answer_of(std::string_view content) noexcept {
    constexpr std::string_view end = "</think>";
    const std::size_t at = content.find(end);
    if (at == content.npos) return content;
    content.remove_prefix(at + end.size());
    return content.substr(0, content.find(end));
  }
  static bool thinks(std::span<const message> conversation) noexcept {
    bool out = true;
    for (const message& m : conversation) {
      if (m.role != chat_role::user && m.role != chat_role::system) continue;
      if (m.content.find("/think") != std::string::npos)
        out = true;
      else if (m.content.find("/no_think") != std::string::npos)
        out = false;
    }
    return out;
  }
};

/// Nemotron 3 Nano: ChatML with a system turn always and thoughts, which replies before the last question lose.
struct nemotron3_chat {
  bool thinking = true;
  std::vector<std::string> tools = {};  ///< JSON objects that declare functions

  void render(std::span<const message> conversation, std::size_t from, bool open_reply, chat_prompt& out) const {
    if (detail::follows_reply(conversation, from)) detail::end_chatml_turn(out);
    std::size_t i = from;
    if (from == 0) {
      detail::begin_chatml_turn("system", out);
      std::string_view system;
      if (!conversation.empty() && conversation[0].role == chat_role::system) system = conversation[i++].content;
      out.text(system);
      if (!tools.empty()) {
        if (!system.empty()) out.text("\n\n");
        declare(out);
      }
      detail::end_chatml_turn(out);
    }
    const std::size_t question = detail::last_user(conversation);
    for (; i < conversation.size(); ++i) {
      const message& m = conversation[i];
      if (m.role == chat_role::tool) {
        if (i != 0 && conversation[i - 1].role != chat_role::tool) detail::begin_chatml_turn("user", out);
        out.text("<tool_response>\n");
        out.text(m.content);
        out.text("\n</tool_response>\n");
        if (i + 1 == conversation.size() || conversation[i + 1].role != chat_role::tool) detail::end_chatml_turn(out);
        continue;
      }
      detail::begin_chatml_turn(name(m.role), out);
      if (m.role == chat_role::assistant) {
        out.text(detail::strip(reply(m, question != static_cast<std::size_t>(-1) && i < question)));
        for (const tool_call& call : m.calls) {
          out.text(&call == m.calls.data() ? "\n" : "");
          detail::tagged_calls::call(call, out);
          out.text("\n");
        }
      } else {
        out.text(m.content);
      }
      detail::end_chatml_turn(out);
    }
    if (!open_reply) return;
    detail::begin_chatml_turn("assistant", out);
    out.text(thinking ? "<think>\n" : "<think></think>");
  }
  std::span<const std::string_view> stop_names() const noexcept {
    static constexpr std::string_view names[] = {"<|im_end|>"};
    return names;
  }

 private:
  void declare(chat_prompt& out) const {
    out.text(detail::tagged_calls::begin_of_tools);
    const auto all = detail::read_tools(tools, true, out);
    for (std::size_t i = 0; i < all.size(); ++i)
      if (!declare(all[i].function(), out))
        detail::refuse_tool(tools[i], "has a description or type that the chat format cannot express", out);
    out.text("\n</tools>");
    out.text(detail::tagged_calls::instructions);
  }
  static bool declare(const detail::chat_json& function, chat_prompt& out) {
    using kind = detail::chat_json::kind;
    out.text(concat("\n<function>\n<name>", function.find("name")->text, "</name>"));
    if (!describe(function, out)) return false;
    out.text("\n<parameters>");
    const detail::chat_json* parameters = function.find("parameters");
    if (parameters != nullptr && parameters->is(kind::object)) {
      const detail::chat_json* properties = parameters->find("properties");
      if (properties != nullptr && properties->is(kind::object))
        for (std::size_t i = 0; i < properties->keys.size(); ++i)
          if (!declare(properties->keys[i], properties->values[i], out)) return false;
      others(*parameters, {"type", "properties", "required"}, out);
      if (const auto* required = parameters->find("required")) tagged("required", detail::json_text(*required), out);
    }
    out.text("\n</parameters>");
    others(function, {"type", "name", "description", "parameters"}, out);
    out.text("\n</function>");
    return true;
  }
  static bool declare(std::string_view parameter, const detail::chat_json& fields, chat_prompt& out) {
    out.text(concat("\n<parameter>\n<name>", parameter, "</name>"));
    if (const auto* type = fields.find("type")) {
      const auto text = detail::python_text(*type);
      if (!text) return false;
      tagged("type", *text, out);
    }
    if (!describe(fields, out)) return false;
    if (const auto* values = fields.find("enum")) tagged("enum", detail::json_text(*values), out);
    others(fields, {"name", "type", "description", "enum"}, out);
    out.text("\n</parameter>");
    return true;
  }
  static bool describe(const detail::chat_json& of, chat_prompt& out) {
    const detail::chat_json* description = of.find("description");
    if (description == nullptr) return true;
    if (!description->is(detail::chat_json::kind::string)) return false;
    tagged("description", detail::strip(description->text), out);
    return true;
  }
  /// The keys that have no place of their own.
  static void others(const detail::chat_json& of, std::initializer_list<std::string_view> known, chat_prompt& out) {
    for (std::size_t i = 0; i < of.keys.size(); ++i)
      if (std::find(known.begin(), known.end(), of.keys[i]) == known.end())
        tagged(of.keys[i], detail::json_or_text(of.values[i]), out);
  }
  static void tagged(std::string_view tag, std::string_view text, chat_prompt& out) {
    out.text(concat("\n<", tag, ">", text, "</", tag, ">"));
  }
  static std::string reply(const message& m, bool past) {
    std::string content;
    if (!detail::strip(m.reasoning).empty())
      content = concat("<think>\n", m.reasoning, "\n</think>\n", m.content);
    else if (m.content.find("<think>") == std::string::npos && m.content.find("</think>") == std::string::npos)
      content = concat("<think></think>", m.content);
    else
      content = m.content;
    // A reply with calls loses thoughts without an end or begin too.
    if (past && !m.calls.empty()) {
      const std::string_view all = content;
      const bool ended = all.find("</think>") != all.npos;
      const std::string_view kept = ended ? detail::after_last(all, "</think>") : all.substr(0, all.find("<think>"));
      return concat("<think></think>", detail::strip(kept));
    }
    if (past && content.find("<think>") != std::string::npos && content.find("</think>") != std::string::npos)
      content = concat("<think></think>", detail::after_last(content, "</think>"));
    return content;
  }
};

}  // namespace inlay
