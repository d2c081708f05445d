// SPDX-License-Identifier: Apache-2.0
// Filters and tests of Jinja as Python has them, in place of those of the engine minja. A part of chat_jinja.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <minja/minja.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/text/jinja_spaces.hpp"

namespace inlay::detail {

class jinja_filters {
 public:
  /// The filter that makes an empty mapping false, see jinja_truth.hpp.
  static constexpr std::string_view truth = "false_if_empty";

  static void add_to(minja::Context& context) {
    add(context, "tojson", {"value", "indent"}, json);
    // Of any value: the engine's own takes texts alone, and gives numbers six decimals.
    add(context, "string", {"value"}, [](minja::Value& arguments) { return text(arguments.at("value")); });
    add(context, "upper", {"text"}, [](minja::Value& arguments) {
      const minja::Value& value = arguments.at("text");
      return value.is_null() ? std::string() : in_case(text(value), 'a', 'z', 'A' - 'a');
    });
    // Small letters and capitals alike, which the engine's own keeps apart.
    add(context, "dictsort", {"value"}, [](minja::Value& arguments) { return sorted(arguments.at("value")); });
    // Tests that it knows behind `is`, for `selectattr` too.
    add_test(context, "defined", [](const minja::Value& value) { return minja::Value(!value.is_null()); });
    add_test(context, "undefined", [](const minja::Value& value) { return minja::Value(value.is_null()); });
    add_test(context, truth, [](const minja::Value& value) {
      const bool is_empty = value.is_object() && !value.is_callable() && value.empty();
      return is_empty ? minja::Value(false) : value;
    });
  }

 private:
  using scope = std::shared_ptr<minja::Context>;

  /// F takes the arguments by name.
  template <class F>
  static void add(minja::Context& context, const std::string& name, const std::vector<std::string>& parameters, F f) {
    context.set(name, minja::simple_function(name, parameters, [f](const scope&, minja::Value& arguments) {
                  return minja::Value(f(arguments));
                }));
  }
  /// F takes the value that is tested.
  template <class F>
  static void add_test(minja::Context& context, std::string_view name, F f) {
    context.set(std::string(name), minja::Value::callable([f](const scope&, minja::ArgumentsValue& arguments) {
                  return f(arguments.args.at(0));
                }));
  }

  // Python leaves empty containers on one line.
  static std::string json(minja::Value& arguments) {
    const minja::Value& value = arguments.at("value");
    const auto indent = arguments.get<std::int64_t>("indent", -1);
    if (indent < 0 || value.is_primitive()) return jinja_spaces::restore_json(value.dump(-1, true));
    return jinja_spaces::restore_json(value.get<nlohmann::ordered_json>().dump(static_cast<int>(indent)));
  }

  /// What str() gives.
  static std::string text(const minja::Value& value) { return value.is_number_float() ? value.dump() : value.to_str(); }

  static std::string in_case(std::string_view text, char first, char last, int shift) {
    std::string out(text);
    for (char& c : out)
      if (c >= first && c <= last) c = static_cast<char>(c + shift);
    return out;
  }

  static minja::Value sorted(minja::Value& object) {
    std::vector<std::pair<std::string, std::size_t>> order;
    const std::vector<minja::Value> keys = object.keys();
    order.reserve(keys.size());
    for (const minja::Value& key : keys) order.emplace_back(in_case(key.to_str(), 'A', 'Z', 'a' - 'A'), order.size());
    std::sort(order.begin(), order.end());
    minja::Value out = minja::Value::array();
    for (const auto& [name, i] : order) out.push_back(minja::Value::array({keys[i], object.at(keys[i])}));
    return out;
  }
};

}  // namespace inlay::detail
