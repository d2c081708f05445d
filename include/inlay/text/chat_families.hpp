// SPDX-License-Identifier: Apache-2.0
// Chat formats of further families, to the contract of chat_formats.hpp: turns, thoughts and results of tools. How
// tools are declared is here for Qwen2.5 and Qwen3, otherwise in the template of the checkpoint (text/chat_jinja.hpp).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/text/chat_formats.hpp"
#include "inlay/text/chat_prompt.hpp"
#include "inlay/text/strip.hpp"

namespace inlay {

namespace detail {

constexpr std::string_view strip_newlines(std::string_view text, bool left, bool right) noexcept {
  while (left && text.starts_with('\n')) text.remove_prefix(1);
  while (right && text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

/// What follows the last `mark` in a text; the text if it has none.
constexpr std::string_view after_last(std::string_view text, std::string_view mark) noexcept {
  const std::size_t at = text.rfind(mark);
  return at == text.npos ? text : text.substr(at + mark.size());
}

inline std::string without(std::string_view text, std::string_view part) {
  std::string out;
  for (std::size_t at; (at = text.find(part)) != text.npos; text.remove_prefix(at + part.size()))
    out += text.substr(0, at);
  return out += text;
}

/// Index of the last message of the user; npos if there is none.
inline std::size_t last_user(std::span<const message> conversation) noexcept {
  for (std::size_t i = conversation.size(); i-- != 0;)
    if (conversation[i].role == chat_role::user) return i;
  return static_cast<std::size_t>(-1);
}

/// A reply cut at "</think>": thoughts before, answer behind.
struct thought_reply {
  std::string_view reasoning, answer;
};

inline thought_reply split_thoughts(const message& m) noexcept {
  constexpr std::string_view end = "</think>";
  const std::string_view content = m.content;
  if (!m.reasoning.empty() || content.find(end) == content.npos) return {m.reasoning, content};
  const std::string_view before = strip_newlines(content.substr(0, content.find(end)), false, true);
  return {strip_newlines(after_last(before, "<think>"), true, false),
          strip_newlines(after_last(content, end), true, false)};
}

/// Tools, their calls and what they gave, as Qwen writes them.
struct qwen_tools {
  /// Behind what the system says. Each tool is a JSON object, written as it is given.
  static void declare(std::span<const std::string> tools, chat_prompt& out) {
    out.text(
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n<tools>");
    for (const std::string& tool : tools) {
      out.text("\n");
      out.text(tool);
    }
    out.text(
        "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
        "<tool_call></tool_call> XML tags:\n<tool_call>\n"
        "{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call>");
  }
  static void call(const tool_call& c, chat_prompt& out) {
    out.text("<tool_call>\n{\"name\": \"");
    out.text(c.name);
    out.text("\", \"arguments\": ");
    out.text(c.arguments);
    out.text("}\n</tool_call>");
  }
  /// Results in a row are one turn of the user; message `i` is one.
  static void result(std::span<const message> conversation, std::size_t i, std::string_view text, chat_prompt& out) {
    if (i == 0 || conversation[i - 1].role != chat_role::tool) begin("user", out);
    out.text("\n<tool_response>\n");
    out.text(text);
    out.text("\n</tool_response>");
    if (i + 1 == conversation.size() || conversation[i + 1].role != chat_role::tool) close(out);
  }
  static void begin(std::string_view role, chat_prompt& out) {
    out.control("<|im_start|>");
    out.text(role);
  }
  static void close(chat_prompt& out) {
    out.control("<|im_end|>");
    out.text("\n");
  }
};

}  // namespace detail

/// Qwen2.5. Without tools and calls it is ChatML.
struct qwen2_chat {
  std::string default_system = {};      ///< put first when the conversation has no system message; empty: nothing
  std::vector<std::string> tools = {};  ///< JSON objects, as Python's json.dumps writes them, as the model was taught

  void render(std::span<const message> conversation, std::size_t from, bool open_reply, chat_prompt& out) const {
    if (detail::follows_reply(conversation, from)) close(out);
    std::size_t i = from;
    if (from == 0) {
      const bool stated = !conversation.empty() && conversation[0].role == chat_role::system;
      const std::string_view system = stated ? std::string_view(conversation[i++].content) : default_system;
      if (stated || !tools.empty() || (!system.empty() && !conversation.empty())) {
        begin("system", out);
        out.text("\n");
        out.text(system);
        if (!tools.empty()) {
          out.text("\n\n");
          detail::qwen_tools::declare(tools, out);
        }
        close(out);
      }
    }
    for (; i < conversation.size(); ++i) {
      const message& m = conversation[i];
      if (m.role == chat_role::tool) {
        detail::qwen_tools::result(conversation, i, m.content, out);
        continue;
      }
      begin(name(m.role), out);
      if (m.calls.empty() || !m.content.empty()) {
        out.text("\n");
        out.text(m.content);
      }
      for (const tool_call& c : m.calls) {
        out.text("\n");
        detail::qwen_tools::call(c, out);
      }
      close(out);
    }
    if (!open_reply) return;
    begin("assistant", out);
    out.text("\n");
  }
  std::span<const std::string_view> stop_names() const noexcept {
    static constexpr std::string_view names[] = {"<|im_end|>"};
    return names;
  }

 private:
  static void begin(std::string_view role, chat_prompt& out) { detail::qwen_tools::begin(role, out); }
  static void close(chat_prompt& out) { detail::qwen_tools::close(out); }
};

/// Qwen3 and Qwen3.5. Thoughts are shown again only in replies to the last question.
struct qwen3_chat {
  bool thinking = true;
  enum class version : unsigned char {
    v3,
    v3_5,  ///< texts are stripped, and the reply begins inside the thoughts
  } style = version::v3;
  std::vector<std::string> tools = {};  ///< Qwen3's: JSON objects, as Python's json.dumps writes them

  void render(std::span<const message> conversation, std::size_t from, bool open_reply, chat_prompt& out) const {
    if (detail::follows_reply(conversation, from)) close(out);
    const bool strip = style == version::v3_5;
    const std::size_t query = last_query(conversation);
    std::size_t i = from;
    if (from == 0 && !tools.empty() && !strip) {
      begin("system", out);
      out.text("\n");
      if (!conversation.empty() && conversation[0].role == chat_role::system) {
        out.text(conversation[i++].content);
        out.text("\n\n");
      }
      detail::qwen_tools::declare(tools, out);
      close(out);
    }
    for (; i < conversation.size(); ++i) {
      const message& m = conversation[i];
      if (m.role == chat_role::tool) {
        detail::qwen_tools::result(conversation, i, strip ? detail::strip(m.content) : m.content, out);
        continue;
      }
      begin(name(m.role), out);
      out.text("\n");
      if (m.role == chat_role::assistant)
        reply(m, i, query, i + 1 == conversation.size(), out);
      else
        out.text(strip ? detail::strip(m.content) : m.content);
      close(out);
    }
    if (!open_reply) return;
    begin("assistant", out);
    out.text("\n");
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
  static void begin(std::string_view role, chat_prompt& out) { detail::qwen_tools::begin(role, out); }
  static void close(chat_prompt& out) { detail::qwen_tools::close(out); }

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
    if (v3_5) return;
    for (std::size_t i = 0; i < m.calls.size(); ++i) {
      if (i != 0 || !r.answer.empty()) out.text("\n");
      detail::qwen_tools::call(m.calls[i], out);
    }
  }
};

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

/// Phi-3, Phi-3.5, Phi-4-mini and Phi-4.
struct phi_chat {
  enum class version : unsigned char {
    v3,       ///< Phi-3 and 3.5: marks and texts on lines of their own
    v4_mini,  ///< the same without line ends
    v4,       ///< Phi-4 14B: ChatML with a separator
  } style = version::v3;

  void render(std::span<const message> conversation, std::size_t from, bool open_reply, chat_prompt& out) const {
    if (detail::follows_reply(conversation, from)) close(out);
    for (std::size_t i = from; i < conversation.size(); ++i) {
      const message& m = conversation[i];
      if (m.role == chat_role::tool) continue;
      if (m.role == chat_role::system &&
          (style == version::v3 ? m.content.empty() : style == version::v4_mini && i != 0))
        continue;
      begin(name(m.role), out);
      out.text(m.content);
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

/// Nemotron Nano v2. "/think" and "/no_think" in what system and user say switch the thoughts, the last of them counts.
struct nemotron2_chat {
  void render(std::span<const message> conversation, std::size_t from, bool open_reply, chat_prompt& out) const {
    if (detail::follows_reply(conversation, from)) close(out);
    std::size_t i = from, end = conversation.size();
    if (from == 0) {
      out.control("<SPECIAL_10>");
      out.text("System\n");
      if (end != 0 && conversation[0].role == chat_role::system) out.text(cleaned(conversation[i++].content));
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
        out.text(detail::strip(answer_of(m.content)));
        close(out);
      }
    }
    const std::string_view rest = unfinished ? detail::strip(conversation[end].content) : std::string_view{};
    if (!open_reply && rest.empty()) return;
    begin("Assistant\n", out);
    out.text(thinks(conversation) ? "<think>\n" : "<think></think>");
    out.text(rest);
    if (!open_reply) close(out);
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

  void render(std::span<const message> conversation, std::size_t from, bool open_reply, chat_prompt& out) const {
    if (detail::follows_reply(conversation, from)) close(out);
    std::size_t i = from;
    if (from == 0) {
      begin("system", out);
      if (!conversation.empty() && conversation[0].role == chat_role::system) out.text(conversation[i++].content);
      close(out);
    }
    const std::size_t question = detail::last_user(conversation);
    for (; i < conversation.size(); ++i) {
      const message& m = conversation[i];
      if (m.role == chat_role::tool) {
        if (i != 0 && conversation[i - 1].role != chat_role::tool) begin("user", out);
        out.text("<tool_response>\n");
        out.text(m.content);
        out.text("\n</tool_response>\n");
        if (i + 1 == conversation.size() || conversation[i + 1].role != chat_role::tool) close(out);
        continue;
      }
      begin(name(m.role), out);
      if (m.role == chat_role::assistant)
        out.text(detail::strip(reply(m, question != static_cast<std::size_t>(-1) && i < question)));
      else
        out.text(m.content);
      close(out);
    }
    if (!open_reply) return;
    begin("assistant", out);
    out.text(thinking ? "<think>\n" : "<think></think>");
  }
  std::span<const std::string_view> stop_names() const noexcept {
    static constexpr std::string_view names[] = {"<|im_end|>"};
    return names;
  }

 private:
  static void begin(std::string_view role, chat_prompt& out) {
    out.control("<|im_start|>");
    out.text(role);
    out.text("\n");
  }
  static void close(chat_prompt& out) {
    out.control("<|im_end|>");
    out.text("\n");
  }
  static std::string reply(const message& m, bool past) {
    std::string content;
    if (!detail::strip(m.reasoning).empty())
      content = concat("<think>\n", m.reasoning, "\n</think>\n", m.content);
    else if (m.content.find("<think>") == std::string::npos && m.content.find("</think>") == std::string::npos)
      content = concat("<think></think>", m.content);
    else
      content = m.content;
    if (past && content.find("<think>") != std::string::npos && content.find("</think>") != std::string::npos)
      content = concat("<think></think>", detail::after_last(content, "</think>"));
    return content;
  }
};

}  // namespace inlay
