// SPDX-License-Identifier: Apache-2.0
// What chat formats share in writing tools and their calls.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/text/chat_json.hpp"
#include "inlay/text/chat_prompt.hpp"

namespace inlay::detail {

/// A tool as it was given, and the function in it: tools are {"type": "function", "function": {"name": ...}}, or the
/// function alone where `bare` allows it.
struct chat_tool {
  chat_json whole;
  const chat_json& function() const noexcept {
    const chat_json* f = whole.find("function");
    return f != nullptr ? *f : whole;
  }
  std::string_view name() const noexcept { return function().find("name")->text; }
};

/// The prompt then is the error, which says which tool and why.
inline void refuse_tool(std::string_view tool, std::string_view why, chat_prompt& out) {
  constexpr std::size_t shown = 80;
  out.refuse({errc::argument, concat("The tool ", tool.substr(0, shown), " ", why, ".")});
}

/// The tools, read; one that is no JSON object with a function's name is refused, and nothing is given.
inline std::vector<chat_tool> read_tools(std::span<const std::string> tools, bool bare, chat_prompt& out) {
  using kind = chat_json::kind;
  std::vector<chat_tool> all;
  for (const std::string& text : tools) {
    auto value = read_chat_json(text);
    std::string_view why;
    if (!value || !value->is(kind::object)) {
      why = "is not a JSON object";
    } else if (!bare && value->find("function") == nullptr) {
      why = "has no \"function\"";
    } else {
      const chat_tool tool{*std::move(value)};
      const chat_json* name = tool.function().find("name");
      if (name != nullptr && name->is(kind::string) && !name->text.empty()) {
        all.push_back(tool);
        continue;
      }
      why = "has no name";
    }
    refuse_tool(text, why, out);
    return {};
  }
  return all;
}

/// Arguments as JSON on one line; what is no JSON stays as it is.
inline std::string arguments_text(const tool_call& call) {
  const auto value = read_chat_json(call.arguments);
  return value ? json_text(*value) : call.arguments;
}

/// The same as a template prints it that takes no JSON for a string.
inline std::string arguments_json(const tool_call& call) {
  const auto value = read_chat_json(call.arguments);
  return json_text(value ? *value : chat_json{.what = chat_json::kind::string, .text = call.arguments});
}

/// The function of a call as one JSON object.
inline std::string call_json(const tool_call& call) {
  std::string out = "{\"name\": ";
  write_quoted(call.name, out);
  return concat(out, ", \"arguments\": ", arguments_json(call), "}");
}

/// For a format without tools.
inline void refuse_tools(std::span<const std::string> tools, chat_prompt& out) {
  if (!tools.empty()) refuse_tool(tools[0], "cannot be declared: the chat format has no tools", out);
}

/// {"name": "f", "arguments": {...}}, the second key as the family calls it.
inline std::string call_text(const tool_call& call, std::string_view arguments = "arguments") {
  return concat("{\"name\": \"", call.name, "\", \"", arguments, "\": ", arguments_text(call), "}");
}

/// What Python's str() gives; nothing for containers other than a list of plain words.
inline std::optional<std::string> python_text(const chat_json& value) {
  using kind = chat_json::kind;
  if (value.is(kind::boolean)) return value.text == "true" ? "True" : "False";
  if (value.is(kind::null)) return "None";
  if (!value.is_container()) return value.text;
  if (value.is(kind::object)) return std::nullopt;
  std::string out = "[";
  for (const chat_json& v : value.values) {
    for (const char c : v.text)
      if (c < ' ' || c > '~' || c == '\'' || c == '\\') return std::nullopt;
    if (!v.is(kind::string)) return std::nullopt;
    out += concat(out.size() == 1 ? "'" : ", '", v.text, "'");
  }
  return out + "]";
}

/// Containers as JSON, all else as Python's str() gives it.
inline std::string json_or_text(const chat_json& value) {
  return value.is_container() ? json_text(value) : *python_text(value);
}

/// Functions with a tag for each argument: how Qwen3.5 and Nemotron 3 are told to call.
struct tagged_calls {
  static constexpr std::string_view begin_of_tools =
      "# Tools\n\nYou have access to the following functions:\n\n<tools>";
  static constexpr std::string_view instructions =
      "\n\nIf you choose to call a function ONLY reply in the following format with NO suffix:\n\n<tool_call>\n"
      "<function=example_function_name>\n<parameter=example_parameter_1>\nvalue_1\n</parameter>\n"
      "<parameter=example_parameter_2>\nThis is the value for the second parameter\nthat can span\nmultiple lines\n"
      "</parameter>\n</function>\n</tool_call>\n\n<IMPORTANT>\nReminder:\n- Function calls MUST follow the specified "
      "format: an inner <function=...></function> block must be nested within <tool_call></tool_call> XML tags\n"
      "- Required parameters MUST be specified\n- You may provide optional reasoning for your function call in natural "
      "language BEFORE the function call, but NOT after\n- If there is no function call available, answer the question "
      "like normal with your current knowledge and do not tell the user about function calls\n</IMPORTANT>";

  static void call(const tool_call& call, chat_prompt& out) {
    out.text(concat("<tool_call>\n<function=", call.name, ">\n"));
    const auto arguments = read_chat_json(call.arguments.empty() ? "{}" : std::string_view(call.arguments));
    if (!arguments || !arguments->is(chat_json::kind::object))
      return out.refuse({errc::argument, concat("The arguments of the call of \"", call.name,
                                                "\" are not a JSON object, which the chat format needs.")});
    for (std::size_t i = 0; i < arguments->keys.size(); ++i)
      out.text(
          concat("<parameter=", arguments->keys[i], ">\n", json_or_text(arguments->values[i]), "\n</parameter>\n"));
    out.text("</function>\n</tool_call>");
  }
};

}  // namespace inlay::detail
