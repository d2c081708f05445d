// SPDX-License-Identifier: Apache-2.0
// JSON in conversations: tools, arguments of calls. Read with the order of its keys, and written as Python writes it,
// which is what models are taught with.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/text/utf8.hpp"

namespace inlay::detail {

struct chat_json {
  enum class kind : unsigned char { null, boolean, number, string, array, object } what = kind::null;
  std::string text = {};               // a string's characters; a number or name as it is written
  std::vector<std::string> keys = {};  // of an object, each once
  std::vector<chat_json> values = {};  // of an object or array

  bool is(kind k) const noexcept { return what == k; }
  bool is_container() const noexcept { return is(kind::array) || is(kind::object); }
  const chat_json* find(std::string_view key) const noexcept {
    for (std::size_t i = 0; i < keys.size(); ++i)
      if (keys[i] == key) return &values[i];
    return nullptr;
  }
};

class chat_json_reader {
 public:
  explicit chat_json_reader(std::string_view text) : rest_(text) {}

  std::optional<chat_json> read() {
    chat_json out;
    if (!value(out, 0)) return std::nullopt;
    space();
    if (!rest_.empty()) return std::nullopt;
    return out;
  }

 private:
  static constexpr std::size_t max_depth = 64;
  using kind = chat_json::kind;

  void space() {
    const std::size_t n = rest_.find_first_not_of(" \t\r\n");
    rest_.remove_prefix(n == rest_.npos ? rest_.size() : n);
  }
  bool skip(std::string_view what) {
    if (!rest_.starts_with(what)) return false;
    rest_.remove_prefix(what.size());
    return true;
  }
  bool value(chat_json& out, std::size_t depth) {
    space();
    if (rest_.empty() || depth > max_depth) return false;
    if (rest_[0] == '"') {
      out.what = kind::string;
      return string(out.text);
    }
    if (rest_[0] == '{' || rest_[0] == '[') return container(out, depth);
    for (const std::string_view name : {"true", "false", "null"}) {
      if (!skip(name)) continue;
      out.what = name == "null" ? kind::null : kind::boolean;
      out.text = name;
      return true;
    }
    out.what = kind::number;
    return number(out.text);
  }
  bool container(chat_json& out, std::size_t depth) {
    const bool object = rest_[0] == '{';
    const std::string_view end = object ? "}" : "]";
    out.what = object ? kind::object : kind::array;
    rest_.remove_prefix(1);
    space();
    if (skip(end)) return true;
    do {
      chat_json* place = nullptr;
      if (object) {
        space();
        std::string key;
        if (!string(key)) return false;
        space();
        if (!skip(":")) return false;
        // Of equal keys the last counts, in the place of the first.
        for (std::size_t i = 0; i < out.keys.size() && place == nullptr; ++i)
          if (out.keys[i] == key) *(place = &out.values[i]) = {};
        if (place == nullptr) out.keys.push_back(std::move(key));
      }
      if (!value(place != nullptr ? *place : out.values.emplace_back(), depth + 1)) return false;
      space();
    } while (skip(","));
    return skip(end);
  }
  std::string_view digits() {
    const std::size_t n = rest_.find_first_not_of("0123456789");
    const std::string_view out = rest_.substr(0, n);
    rest_.remove_prefix(out.size());
    return out;
  }
  bool number(std::string& out) {
    const std::string_view all = rest_;
    skip("-");
    const std::string_view whole = digits();
    if (whole.empty() || (whole.size() > 1 && whole[0] == '0')) return false;
    if (skip(".") && digits().empty()) return false;
    if (skip("e") || skip("E")) {
      if (!skip("-")) skip("+");
      if (digits().empty()) return false;
    }
    out = all.substr(0, all.size() - rest_.size());
    return true;
  }
  bool string(std::string& out) {
    if (!skip("\"")) return false;
    while (!rest_.empty()) {
      const char c = rest_[0];
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') {
        out += c;
        continue;
      }
      if (rest_.empty()) return false;
      constexpr std::string_view names = "\"\\/bfnrt", meant = "\"\\/\b\f\n\r\t";
      const char escape = rest_[0];
      rest_.remove_prefix(1);
      if (const std::size_t at = names.find(escape); at != names.npos) {
        out += meant[at];
      } else {
        if (escape != 'u' || !character(out)) return false;
      }
    }
    return false;
  }
  bool character(std::string& out) {
    char32_t code = 0, low = 0;
    if (!hexadecimal(code)) return false;
    if (code >= 0xD800 && code < 0xE000) {
      if (code >= 0xDC00 || !skip("\\u") || !hexadecimal(low) || low < 0xDC00 || low >= 0xE000) return false;
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    utf8::append(out, code);
    return true;
  }
  bool hexadecimal(char32_t& out) {
    if (rest_.size() < 4) return false;
    for (const char c : rest_.substr(0, 4)) {
      constexpr std::string_view lower = "0123456789abcdef", upper = "0123456789ABCDEF";
      const std::size_t digit = std::min(lower.find(c), upper.find(c));
      if (digit == lower.npos) return false;
      out = out * 16 + static_cast<char32_t>(digit);
    }
    rest_.remove_prefix(4);
    return true;
  }

  std::string_view rest_;
};

/// Empty when the text is not JSON or nests deeper than 64 levels.
inline std::optional<chat_json> read_chat_json(std::string_view text) { return chat_json_reader(text).read(); }

/// A string between quotes.
inline void write_quoted(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    constexpr std::string_view meant = "\"\\\b\f\n\r\t", names = "\"\\bfnrt", digits = "0123456789abcdef";
    if (const std::size_t at = meant.find(c); at != meant.npos) {
      out += '\\';
      out += names[at];
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += digits[static_cast<std::size_t>(c) >> 4];
      out += digits[static_cast<std::size_t>(c) & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

/// As json.dumps(value, ensure_ascii=False, indent=indent) does; `indent` 0 is none: all on one line. Numbers stay as
/// they were written.
inline void write_json(const chat_json& value, std::size_t indent, std::string& out, std::size_t depth = 0) {
  using kind = chat_json::kind;
  if (value.is(kind::string)) return write_quoted(value.text, out);
  if (!value.is_container()) {
    out += value.text;
    return;
  }
  const bool object = value.is(kind::object);
  const auto line = [&](std::size_t level) {
    if (indent != 0 && !value.values.empty()) out.append(1, '\n').append(indent * level, ' ');
  };
  out += object ? '{' : '[';
  for (std::size_t i = 0; i < value.values.size(); ++i) {
    if (i != 0) out += indent != 0 ? "," : ", ";
    line(depth + 1);
    if (object) {
      write_quoted(value.keys[i], out);
      out += ": ";
    }
    write_json(value.values[i], indent, out, depth + 1);
  }
  line(depth);
  out += object ? '}' : ']';
}

inline std::string json_text(const chat_json& value, std::size_t indent = 0) {
  std::string out;
  write_json(value, indent, out);
  return out;
}

}  // namespace inlay::detail
