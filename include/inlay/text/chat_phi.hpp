// SPDX-License-Identifier: Apache-2.0
// Chat formats of Phi, to the contract of chat_formats.hpp.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/text/chat_formats.hpp"
#include "inlay/text/chat_prompt.hpp"
#include "inlay/text/chat_tools.hpp"

namespace inlay {

/// Phi-3, Phi-3.5, Phi-4-mini and Phi-4.
struct phi_chat {
  enum class version : unsigned char {
    v3,       ///< Phi-3 and 3.5: marks and texts on lines of their own
    v4_mini,  ///< the same without line ends
    v4,       ///< Phi-4 14B: ChatML with a separator
  } style = version::v3;
  std::vector<std::string> tools = {};  ///< of Phi-4-mini: JSON objects that declare functions

  void render(std::span<const message> conversation, std::size_t from, bool open_reply, chat_prompt& out) const {
    const bool mini = style == version::v4_mini;
    if (detail::follows_reply(conversation, from)) close(out);
    if (!mini) detail::refuse_tools(tools, out);
    if (mini && from == 0) system(conversation, out);
    for (std::size_t i = from; i < conversation.size(); ++i) {
      const message& m = conversation[i];
      if (m.role == chat_role::tool && mini) respond(m, out);
      if (m.role == chat_role::tool) continue;
      if (m.role == chat_role::system && (mini || (style == version::v3 && m.content.empty()))) continue;
      begin(name(m.role), out);
      out.text(m.content);
      if (mini) call(m.calls, out);
      close(out);
    }
    if (open_reply)
      begin("assistant", out);
    else if (style != version::v4)
      out.eos();
  }
  std::span<const std::string_view> stop_names() const noexcept {
    static constexpr std::string_view of_3[] = {"<|end|>", "<|endoftext|>", "<|assistant|>"};
    static constexpr std::string_view of_4[] = {"<|im_end|>", "<|endoftext|>"};
    if (style == version::v4) return of_4;
    return of_3;
  }

 private:
  void system(std::span<const message> conversation, chat_prompt& out) const {
    const bool stated = !conversation.empty() && conversation[0].role == chat_role::system;
    if (!stated && tools.empty()) return;
    const std::string_view said = stated ? std::string_view(conversation[0].content) : std::string_view{};
    begin("system", out);
    out.text(said);
    for (const detail::chat_tool& tool : detail::read_tools(tools, false, out)) {
      out.control("<|tool|>");
      out.text(detail::json_text(tool.function()));
      out.control("<|/tool|>");
    }
    if (!tools.empty() && said.find("<|tool_call|>") == said.npos) {
      out.text("You are a helpful assistant with some tools.\nTo use a tool, respond in this format: ");
      out.control("<|tool_call|>");
      out.text(R"({"name": "foo", "arguments": {"a": 1}})");
      out.control("<|/tool_call|>");
    }
    close(out);
  }
  static void call(std::span<const tool_call> calls, chat_prompt& out) {
    for (const tool_call& c : calls) {
      out.control("<|tool_call|>");
      out.text(detail::call_json(c));
      out.control("<|/tool_call|>");
    }
  }
  void respond(const message& m, chat_prompt& out) const {
    std::string quoted;
    detail::write_quoted(m.content, quoted);
    out.control("<|tool_response|>");
    out.text(quoted);
    close(out);
  }
  void begin(std::string_view role, chat_prompt& out) const {
    if (style == version::v4) {
      out.control("<|im_start|>");
      out.text(role);
      out.control("<|im_sep|>");
    } else {
      out.control(concat("<|", role, "|>"));
      if (style == version::v3) out.text("\n");
    }
  }
  void close(chat_prompt& out) const {
    out.control(style == version::v4 ? "<|im_end|>" : "<|end|>");
    if (style == version::v3) out.text("\n");
  }
};

}  // namespace inlay
