// SPDX-License-Identifier: Apache-2.0
// JSON documents, such as the config.json of a checkpoint.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/core/json_events.hpp"
#include "inlay/io/mapped_file.hpp"

namespace inlay {

namespace detail {

/// Builds the document. Of equal keys in one object the last counts.
class json_builder final : public json_events {
 public:
  json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool start_object(std::size_t) override { return open(json::value_t::object); }
  bool start_array(std::size_t) override { return open(json::value_t::array); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    slot_ = &(*open_.back())[std::move(name)];
    return true;
  }

 private:
  template <class Value>
  bool add(Value&& value) {
    place() = std::forward<Value>(value);
    return true;
  }
  json& place() {
    if (open_.empty()) return root_;
    json& parent = *open_.back();
    if (parent.is_object()) return *slot_;
    parent.push_back(nullptr);
    return parent.back();
  }
  bool open(json::value_t kind) {
    if (!enter()) return false;
    json& made = place();
    made = kind;
    open_.push_back(&made);
    return true;
  }
  bool close() {
    leave();
    open_.pop_back();
    return true;
  }

  json root_;
  // Containers being filled. They stay in place: only the innermost gets elements.
  std::vector<json*> open_;
  json* slot_ = nullptr;
};

/// Python writes NaN, Infinity and -Infinity, which JSON does not have, into some configs: the text with null for them.
inline std::string without_python_numbers(std::string_view text) {
  std::string mended;
  std::size_t copied = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (in_string) {
      if (text[i] == '\\')
        ++i;
      else if (text[i] == '"')
        in_string = false;
      continue;
    }
    in_string = text[i] == '"';
    for (const std::string_view literal : {"NaN", "Infinity", "-Infinity"}) {
      if (text[i] != literal[0] || text.substr(i, literal.size()) != literal) continue;
      mended += text.substr(copied, i - copied);
      mended += "null";
      i += literal.size() - 1;
      copied = i + 1;
      break;
    }
  }
  mended += text.substr(copied);
  return mended;
}

}  // namespace detail

/// Parses a JSON text; `path` is for messages. Python's NaN and infinities read as null. errc::format.
inline result<json> parse_json(std::string_view text, std::string_view path) {
  detail::json_builder builder;
  const std::string mended = detail::without_python_numbers(text);
  const result<void> read = builder.read(mended, path);
  if (!read) return unexpected<error>(read.error());
  return builder.take();
}

/// Reads and parses a JSON file of at most `max_bytes`. errc::io, errc::format.
inline result<json> read_json(std::string path, std::uint64_t max_bytes) {
  const result<mapped_file> file = mapped_file::open(std::move(path));
  if (!file) return unexpected<error>(file.error());
  if (file->bytes().size() > max_bytes) {
    return fail(errc::format,
                concat(file->path(), ": is ", file->bytes().size(), " bytes long; at most ", max_bytes, " are read."));
  }
  return parse_json({reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()}, file->path());
}

}  // namespace inlay
