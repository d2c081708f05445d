// SPDX-License-Identifier: Apache-2.0
// The config.json of a checkpoint of safetensors: what its publisher says the model is.
#pragma once

#include <concepts>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "inlay/core/error.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/io/json.hpp"
#include "inlay/io/untrusted.hpp"

namespace inlay {

/// A JSON object whose members are read with messages that name the file, the key and what was found.
class config_json {
 public:
  config_json(json object, std::string path) : object_(std::move(object)), path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  const json& root() const { return object_; }

  /// Null where there is no such key or its value is null. A dot steps into an object: "rope_scaling.factor".
  const json* find(std::string_view key) const {
    const json* at = &object_;
    while (true) {
      const std::size_t dot = key.find('.');
      if (!at->is_object()) return nullptr;
      const auto member = at->find(key.substr(0, dot));
      if (member == at->end() || member->is_null()) return nullptr;
      at = &*member;
      if (dot == std::string_view::npos) return at;
      key.remove_prefix(dot + 1);
    }
  }

  /// A bool, an integer that fits T, a floating-point number or a std::string. errc::missing, errc::mismatch.
  template <class T>
  result<T> get(std::string_view key) const {
    const json* value = find(key);
    if (value == nullptr) return fail(errc::missing, concat(path_, ": has no ", detail::in_quotes(key), "."));
    return convert<T>(key, *value);
  }
  template <class T>
  result<T> get_or(std::string_view key, T fallback) const {
    const json* value = find(key);
    return value == nullptr ? result<T>(std::move(fallback)) : convert<T>(key, *value);
  }

 private:
  template <class T>
  result<T> convert(std::string_view key, const json& value) const {
    std::string expected;
    if constexpr (std::same_as<T, bool>) {
      if (value.is_boolean()) return value.template get<bool>();
      expected = "true or false";
    } else if constexpr (std::integral<T>) {
      if (value.is_number_unsigned()) {
        if (const auto number = value.template get<std::uint64_t>(); std::in_range<T>(number))
          return static_cast<T>(number);
      } else if (value.is_number_integer()) {
        if (const auto number = value.template get<std::int64_t>(); std::in_range<T>(number))
          return static_cast<T>(number);
      }
      expected = concat("a whole number from ", +std::numeric_limits<T>::min(), " to ", +std::numeric_limits<T>::max());
    } else if constexpr (std::floating_point<T>) {
      if (value.is_number()) return value.template get<T>();
      expected = "a number";
    } else {
      if (value.is_string()) return T(value.template get_ref<const std::string&>());
      expected = "a string";
    }
    return fail(errc::mismatch,
                concat(path_, ": ", detail::in_quotes(key), " must be ", expected, ", not ", value.type_name(), "."));
  }

  json object_;
  std::string path_;
};

/// Parses the text of a config.json. errc::format.
inline result<config_json> parse_config(std::string_view text, std::string path) {
  result<json> parsed = parse_json(text, path);
  if (!parsed) return unexpected<error>(std::move(parsed).error());
  if (!parsed->is_object()) return fail(errc::format, concat(path, ": is not a JSON object."));
  return config_json(std::move(*parsed), std::move(path));
}

/// The config.json of a checkpoint. errc::missing where it has none.
inline result<config_json> parse_config(const checkpoint& from) {
  if (from.config_path().empty()) return fail(errc::missing, concat(from.path(), ": has no config.json beside it."));
  return parse_config(from.config(), from.config_path());
}

}  // namespace inlay
