// SPDX-License-Identifier: Apache-2.0
// Tools as Gemma 4 writes them: values between braces without JSON's quotes, each text between two control tokens.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/text/chat_json.hpp"
#include "inlay/text/chat_prompt.hpp"
#include "inlay/text/chat_tools.hpp"

namespace inlay::detail {

class gemma_tools {
 public:
  explicit gemma_tools(chat_prompt& out) : out_(out) {}

  /// False for a function with a description, type or list of names that is none.
  bool declare(const chat_tool& tool) {
    const chat_json& function = tool.function();
    out_.control("<|tool>");
    out_.text(concat("declaration:", tool.name(), "{description:"));
    const chat_json* description = function.find("description");
    if (description != nullptr && !description->is(kind::string)) return false;
    quote(description != nullptr ? description->text : "");
    if (const chat_json* parameters = function.find("parameters"); truth(parameters)) {
      if (!parameters->is(kind::object)) return false;
      out_.text(",parameters:{");
      if (const chat_json* properties = parameters->find("properties"); truth(properties)) {
        out_.text("properties:{");
        if (!properties->is(kind::object) || !fields(*properties)) return false;
        out_.text("},");
      }
      if (const chat_json* required = parameters->find("required"); truth(required)) {
        if (!names(*required)) return false;
        out_.text(",");
      }
      if (const chat_json* type = parameters->find("type"); truth(type)) {
        const auto text = type_text(type);
        if (!text) return false;
        out_.text("type:");
        quote(*text);
        out_.text("}");
      }
    }
    if (const chat_json* response = function.find("response"); response != nullptr && !respond(*response)) return false;
    out_.text("}");
    out_.control("<tool|>");
    return true;
  }

  void call(const tool_call& c) {
    out_.control("<|tool_call>");
    out_.text(concat("call:", c.name, "{"));
    const auto arguments = read_chat_json(c.arguments);
    if (!arguments || arguments->is(kind::string))
      out_.text(arguments ? arguments->text : c.arguments);
    else if (arguments->is(kind::object))
      members(*arguments, false);
    out_.text("}");
    out_.control("<tool_call|>");
  }

  void result(std::string_view name, std::string_view content) {
    out_.control("<|tool_response>");
    out_.text(concat("response:", name, "{value:"));
    quote(content);
    out_.text("}");
    out_.control("<tool_response|>");
  }

 private:
  using kind = chat_json::kind;

  void quote(std::string_view text) {
    out_.control("<|\"|>");
    out_.text(text);
    out_.control("<|\"|>");
  }

  /// What counts as true in a template.
  static bool truth(const chat_json* value) noexcept {
    if (value == nullptr || value->is(kind::null)) return false;
    if (value->is(kind::boolean)) return value->text == "true";
    if (value->is(kind::number)) return value->text.find_first_not_of("-+.0eE") != std::string::npos;
    return value->is(kind::string) ? !value->text.empty() : !value->values.empty();
  }
  static std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
  }
  static std::string upper(std::string_view text) {
    std::string out(text);
    for (char& c : out)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    return out;
  }
  /// In capitals; empty for none.
  static std::optional<std::string> type_text(const chat_json* type) {
    if (type == nullptr) return std::string();
    auto text = python_text(*type);
    if (text) *text = upper(*text);
    return text;
  }
  /// Members in the order of their keys, small letters and capitals alike.
  static std::vector<std::size_t> sorted(const chat_json& object) {
    std::vector<std::pair<std::string, std::size_t>> keys;
    keys.reserve(object.keys.size());
    for (const std::string& key : object.keys) keys.emplace_back(lower(key), keys.size());
    std::sort(keys.begin(), keys.end());
    std::vector<std::size_t> out;
    out.reserve(keys.size());
    for (const auto& [key, i] : keys) out.push_back(i);
    return out;
  }

  void value(const chat_json& v, bool quoted_keys) {
    if (v.is(kind::string)) {
      quote(v.text);
    } else if (v.is(kind::boolean)) {
      out_.text(v.text);
    } else if (v.is(kind::object)) {
      out_.text("{");
      members(v, quoted_keys);
      out_.text("}");
    } else if (v.is(kind::array)) {
      out_.text("[");
      for (std::size_t i = 0; i < v.values.size(); ++i) {
        if (i != 0) out_.text(",");
        value(v.values[i], quoted_keys);
      }
      out_.text("]");
    } else {
      out_.text(*python_text(v));
    }
  }
  void members(const chat_json& object, bool quoted_keys) {
    std::string_view separator;
    for (const std::size_t i : sorted(object)) {
      out_.text(separator);
      if (quoted_keys)
        quote(object.keys[i]);
      else
        out_.text(object.keys[i]);
      out_.text(":");
      value(object.values[i], quoted_keys);
      separator = ",";
    }
  }

  bool names(const chat_json& list) {
    if (!list.is(kind::array)) return false;
    out_.text("required:[");
    for (std::size_t i = 0; i < list.values.size(); ++i) {
      if (!list.values[i].is(kind::string)) return false;
      if (i != 0) out_.text(",");
      quote(list.values[i].text);
    }
    out_.text("]");
    return true;
  }

  bool respond(const chat_json& response) {
    out_.text(",response:{");
    if (const chat_json* description = response.find("description"); truth(description)) {
      if (!description->is(kind::string)) return false;
      out_.text("description:");
      quote(description->text);
      out_.text(",");
    }
    const auto type = type_text(response.find("type"));
    if (!type) return false;
    if (*type != "OBJECT") return true;
    out_.text("type:");
    quote(*type);
    out_.text("}");
    return true;
  }

  /// The parameters of a function or an object. Those that are called as keys of a declaration are left out.
  bool fields(const chat_json& properties) {
    std::string_view separator;
    for (const std::size_t i : sorted(properties)) {
      const std::string& key = properties.keys[i];
      const bool reserved =
          key == "description" || key == "type" || key == "properties" || key == "required" || key == "nullable";
      if (reserved) continue;
      out_.text(concat(separator, key, ":{"));
      if (!field(properties.values[i])) return false;
      separator = ",";
    }
    return true;
  }
  bool field(const chat_json& f) {
    const auto type = type_text(f.find("type"));
    if (!type) return false;
    std::string_view separator;
    const auto part = [&](std::string_view text) {
      out_.text(concat(separator, text));
      separator = ",";
    };
    if (const chat_json* description = f.find("description"); truth(description)) {
      if (!description->is(kind::string)) return false;
      part("description:");
      quote(description->text);
    }
    if (const chat_json* values = f.find("enum"); *type == "STRING" && truth(values)) {
      part("enum:");
      value(*values, true);
    }
    if (const chat_json* items = f.find("items"); *type == "ARRAY" && truth(items) && items->is(kind::object)) {
      part("items:{");
      if (!elements(*items)) return false;
      out_.text("}");
    }
    if (truth(f.find("nullable"))) part("nullable:true");
    if (*type == "OBJECT") {
      const chat_json* properties = f.find("properties");
      part("properties:{");
      if (!fields(properties != nullptr && properties->is(kind::object) ? *properties : f)) return false;
      out_.text("}");
      if (const chat_json* required = f.find("required"); truth(required)) {
        part("");
        if (!names(*required)) return false;
      }
    }
    part("type:");
    quote(*type);
    out_.text("}");
    return true;
  }
  bool elements(const chat_json& items) {
    std::string_view separator;
    for (const std::size_t i : sorted(items)) {
      const std::string& key = items.keys[i];
      const chat_json& v = items.values[i];
      if (v.is(kind::null)) continue;
      out_.text(separator);
      separator = ",";
      if (key == "properties") {
        out_.text("properties:{");
        if (v.is(kind::object) && !fields(v)) return false;
        out_.text("}");
      } else if (key == "required") {
        if (!names(v)) return false;
      } else if (key == "type") {
        out_.text("type:");
        if (!v.is(kind::string) && !v.is(kind::array)) return false;
        chat_json large = v;
        large.text = upper(large.text);
        for (chat_json& name : large.values) {
          if (!name.is(kind::string)) return false;
          name.text = upper(name.text);
        }
        value(large, true);
      } else {
        out_.text(concat(key, ":"));
        value(v, true);
      }
    }
    return true;
  }

  chat_prompt& out_;
};

}  // namespace inlay::detail
