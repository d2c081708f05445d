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

#include "inlay/core/error.hpp"
#include "inlay/core/json_events.hpp"

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

/// Builds the value from a parser's events. Of equal keys the last counts, in the place of the first.
class chat_json_reader final : public json_events {
 public:
  chat_json take() { return std::move(root_); }

  bool null() override { return add({.what = kind::null, .text = "null"}); }
  bool boolean(bool value) override { return add({.what = kind::boolean, .text = value ? "true" : "false"}); }
  bool number_integer(number_integer_t value) override { return add({.what = kind::number, .text = concat(value)}); }
  bool number_unsigned(number_unsigned_t value) override { return add({.what = kind::number, .text = concat(value)}); }
  bool number_float(number_float_t, const string_t& text) override { return add({.what = kind::number, .text = text}); }
  bool string(string_t& value) override { return add({.what = kind::string, .text = std::move(value)}); }
  bool start_object(std::size_t) override { return open(kind::object); }
  bool start_array(std::size_t) override { return open(kind::array); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    chat_json& object = *open_.back();
    const auto same = std::find(object.keys.begin(), object.keys.end(), name);
    next_ = static_cast<std::size_t>(same - object.keys.begin());
    if (same == object.keys.end()) {
      object.keys.push_back(std::move(name));
      object.values.emplace_back();
    }
    return true;
  }

 private:
  using kind = chat_json::kind;

  chat_json& place() {
    if (open_.empty()) return root_;
    chat_json& in = *open_.back();
    return in.is(kind::object) ? in.values[next_] : in.values.emplace_back();
  }
  bool add(chat_json value) {
    place() = std::move(value);
    return true;
  }
  bool open(kind what) {
    if (!enter()) return false;
    chat_json& made = place();
    made = {.what = what};
    open_.push_back(&made);
    return true;
  }
  bool close() {
    open_.pop_back();
    leave();
    return true;
  }

  chat_json root_;
  std::vector<chat_json*> open_;  // a container moves only while it is not among them
  std::size_t next_ = 0;          // the place of a key's value
};

/// Empty when the text is not JSON or nests deeper than 64 levels.
inline std::optional<chat_json> read_chat_json(std::string_view text) {
  chat_json_reader reader;
  if (!reader.read(text, "")) return std::nullopt;
  return reader.take();
}

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
