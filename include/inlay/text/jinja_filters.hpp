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

#include "inlay/text/jinja_source.hpp"
#include "inlay/text/jinja_spaces.hpp"

namespace inlay::detail {

/// Python's None, which the engine does not tell from something undefined. A value of a kind that JSON has not: no
/// text, number, mapping or list. The engine prints it as text().
struct jinja_null {
  static nlohmann::ordered_json json() { return nlohmann::ordered_json::binary({110, 117, 108, 108}, 42); }
  static std::string text() { return json().dump(); }
  static bool is(const minja::Value& value) {
    if (!value.is_primitive() || value.is_string() || value.is_number() || value.is_boolean()) return false;
    return value.get<nlohmann::ordered_json>().is_binary();
  }
};

class jinja_filters {
 public:
  /// What the templates that jinja_source rewrites say.
  static constexpr jinja_words words = {"inlay_truth", "inlay_null", "inlay_equal", "inlay_unequal"};

  static void add_to(minja::Context& context) {
    context.set(std::string(words.null), minja::Value(jinja_null::json()));
    add_test(context, words.truth,
             [](const minja::Value& value) { return is_false(value) ? minja::Value(false) : value; });
    for (const bool wanted : {true, false})
      context.set(std::string(wanted ? words.equal : words.unequal),
                  minja::Value::callable([wanted](const scope&, minja::ArgumentsValue& arguments) {
                    return minja::Value(are_equal(arguments.args.at(0), arguments.args.at(1)) == wanted);
                  }));
    add(context, "tojson", {"value", "indent"}, json);
    // Of any value: the engine's own takes texts alone, and gives numbers six decimals.
    add(context, "string", {"value"}, [](minja::Value& arguments) { return text(arguments.at("value")); });
    add(context, "upper", {"text"},
        [](minja::Value& arguments) { return in_case(text(arguments.at("text")), 'a', 'z', 'A' - 'a'); });
    add(context, "lower", {"text"},
        [](minja::Value& arguments) { return in_case(text(arguments.at("text")), 'A', 'Z', 'a' - 'A'); });
    // Small letters and capitals alike, which the engine's own keeps apart.
    add(context, "dictsort", {"value"}, [](minja::Value& arguments) { return sorted(arguments.at("value")); });
    // Tests that it knows behind `is`, for `selectattr` too.
    add_test(context, "defined", [](const minja::Value& value) { return minja::Value(!value.is_null()); });
    add_test(context, "undefined", [](const minja::Value& value) { return minja::Value(value.is_null()); });
    add_test(context, "none", [](const minja::Value& value) { return minja::Value(jinja_null::is(value)); });
    // `default(other, by_truth)`
    context.set("default", minja::Value::callable([](const scope&, minja::ArgumentsValue& arguments) {
                  arguments.expectArgs("default", {1, 3}, {0, 2});
                  const auto& given = arguments.args;
                  const minja::Value by_truth = given.size() > 2 ? given[2] : arguments.get_named("boolean");
                  const minja::Value other = given.size() > 1 ? given[1] : arguments.get_named("default_value");
                  const bool missing = is_false(by_truth) ? given[0].is_null() : is_false(given[0]);
                  return !missing ? given[0] : other.is_null() ? minja::Value("") : other;
                }));
    const auto own = minja::Context::builtins();
    // Of null: the word.
    change(context, *own, "trim", [](minja::ArgumentsValue& arguments) {
      if (jinja_null::is(arguments.args[0])) arguments.args[0] = minja::Value(text(arguments.args[0]));
    });
    // Something undefined has no elements.
    for (const char* name : {"length", "count", "list", "join"}) change(context, *own, name, empty_if_undefined);
    // Of null nothing can be chosen, and what is chosen without a test is by truth.
    for (const std::string name : {"map", "select", "reject", "selectattr", "rejectattr"})
      change(context, *own, name, [name](minja::ArgumentsValue& arguments) {
        empty_if_undefined(arguments);
        if (jinja_null::is(arguments.args[0])) arguments.args[0] = minja::Value::array();
        const std::size_t without_test = name == "map" ? 0 : name.ends_with("attr") ? 2 : 1;
        if (arguments.args.size() == without_test) arguments.args.emplace_back(std::string(words.truth));
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

  /// The engine's own filter, behind F, which changes the arguments.
  template <class F>
  static void change(minja::Context& context, minja::Context& builtins, const std::string& name, const F& f) {
    context.set(name, minja::Value::callable(
                          [f, filter = builtins.get(name)](const scope& caller, minja::ArgumentsValue& arguments) {
                            if (!arguments.args.empty()) f(arguments);
                            return filter.call(caller, arguments);
                          }));
  }
  static void empty_if_undefined(minja::ArgumentsValue& arguments) {
    if (arguments.args[0].is_null()) arguments.args[0] = minja::Value::array();
  }

  /// What Python takes for false.
  static bool is_false(const minja::Value& value) {
    return jinja_null::is(value) || !value.to_bool() || (value.is_object() && !value.is_callable() && value.empty());
  }
  static bool are_equal(const minja::Value& a, const minja::Value& b) {
    if (a.is_callable() || b.is_callable()) return a == b;
    if (a.is_array() != b.is_array() || a.is_object() != b.is_object()) return false;
    if (!a.is_array() && !a.is_object()) return a == b;
    if (a.size() != b.size()) return false;
    bool equal = true;
    if (a.is_object()) {
      a.for_each([&](const minja::Value& key) { equal = equal && b.contains(key) && are_equal(a.at(key), b.at(key)); });
    } else {
      for (std::size_t i = 0; i < a.size() && equal; ++i) {
        const minja::Value at(static_cast<std::int64_t>(i));
        equal = are_equal(a.at(at), b.at(at));
      }
    }
    return equal;
  }

  // Python leaves empty containers on one line.
  static std::string json(minja::Value& arguments) {
    const minja::Value& value = arguments.at("value");
    const auto indent = arguments.get<std::int64_t>("indent", -1);
    std::string compact = jinja_spaces::restore_json(with_nulls(value.dump(-1, true)));
    if (indent < 0 || value.is_primitive()) return compact;
    return nlohmann::ordered_json::parse(compact).dump(static_cast<int>(indent));
  }
  static std::string with_nulls(std::string_view json) {
    const std::string null = jinja_null::text();
    std::string out;
    for (std::size_t at; (at = json.find(null)) != json.npos; json.remove_prefix(at + null.size())) {
      out += json.substr(0, at);
      out += "null";
    }
    return out += json;
  }

  /// What str() gives.
  static std::string text(const minja::Value& value) {
    if (value.is_null()) return "";
    if (jinja_null::is(value)) return "None";
    return value.is_number_float() ? value.dump() : value.to_str();
  }

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
