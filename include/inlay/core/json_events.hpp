// SPDX-License-Identifier: Apache-2.0
// The JSON parser as the library uses it: without exceptions, with bounded nesting, compiled once.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "inlay/core/error.hpp"

namespace inlay {

using json = nlohmann::json;

namespace detail {

/// The events of a JSON text. Handlers derive from this one type, so that the parser is compiled once. A handler that
/// wants to stop says why with reject(). Nesting is bounded: copying or printing a deeply nested document would use up
/// the stack.
class json_events : public nlohmann::json_sax<json> {
 public:
  static constexpr std::size_t max_depth = 64;

  bool null() override { return unexpected_value(); }
  bool boolean(bool) override { return unexpected_value(); }
  bool number_integer(number_integer_t) override { return unexpected_value(); }
  bool number_unsigned(number_unsigned_t) override { return unexpected_value(); }
  bool number_float(number_float_t, const string_t&) override { return unexpected_value(); }
  bool string(string_t&) override { return unexpected_value(); }
  bool binary(binary_t&) override { return unexpected_value(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return reject(concat("is not valid JSON at byte ", position));
  }

  /// Feeds `text` to this handler.
  result<void> read(std::string_view text, std::string_view path) {
    // What json::sax_parse does for text; that would also compile the readers of four binary formats, a second of
    // compile time.
    using adapter = decltype(nlohmann::detail::input_adapter(text.data(), text.data()));
    nlohmann::detail::parser<json, adapter> parser(
        nlohmann::detail::input_adapter(text.data(), text.data() + text.size()), nullptr, false);
    if (parser.sax_parse(static_cast<nlohmann::json_sax<json>*>(this))) return {};
    return fail(errc::format, concat(path, ": ", problem_, "."));
  }

 protected:
  bool reject(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }
  virtual bool unexpected_value() { return reject("has a value of an unexpected kind"); }
  bool enter() { return ++depth_ <= max_depth || reject(concat("nests deeper than ", max_depth, " levels")); }
  void leave() { --depth_; }
  std::size_t depth() const { return depth_; }

 private:
  std::string problem_;
  std::size_t depth_ = 0;
};

}  // namespace detail
}  // namespace inlay
