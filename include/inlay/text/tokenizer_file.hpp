// SPDX-License-Identifier: Apache-2.0
// A tokenizer.json, read once: the vocabulary and the merges go straight into lists, what is left is a small document.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"

namespace inlay::detail {

using json_value = nlohmann::json;

struct tokenizer_file {
  struct entry {
    std::string text;
    std::int64_t id = -1;
    double score = 0;  ///< Unigram only
  };
  std::vector<entry> vocabulary;                            ///< model.vocab, in file order
  bool has_scores = false;                                  ///< it is a list of [text, score], the ids being the places
  std::vector<std::pair<std::string, std::string>> merges;  ///< model.merges
  json_value rest;                                          ///< the document with null in place of those two
};

/// Handles the events of the parser. Nesting is bounded: destroying or copying a document must not use up the stack.
class tokenizer_file_reader final : public nlohmann::json_sax<json_value> {
 public:
  /// errc::format, naming `source`.
  static result<tokenizer_file> read(std::string_view text, std::string_view source) {
    tokenizer_file_reader reader;
    // What json::sax_parse does for text, without compiling its readers of binary formats.
    using adapter = decltype(nlohmann::detail::input_adapter(text.data(), text.data()));
    nlohmann::detail::parser<json_value, adapter> parser(
        nlohmann::detail::input_adapter(text.data(), text.data() + text.size()), nullptr, false);
    if (!parser.sax_parse(static_cast<nlohmann::json_sax<json_value>*>(&reader)))
      return fail(errc::format, concat(source, ": ", reader.problem_, "."));
    if (!reader.out_.rest.is_object()) return fail(errc::format, concat(source, ": is not a JSON object."));
    return std::move(reader.out_);
  }

  bool null() override { return value(nullptr); }
  bool boolean(bool v) override { return value(v); }
  bool number_integer(number_integer_t v) override { return number(v, static_cast<double>(v)); }
  bool number_unsigned(number_unsigned_t v) override {
    const bool fits = v <= static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max());
    return number(fits ? static_cast<std::int64_t>(v) : -1, static_cast<double>(v));
  }
  bool number_float(number_float_t v, const string_t&) override {
    if (where_ == place::vocabulary_list && inner_ == 2) return score(v);
    return value(v);
  }
  bool string(string_t& v) override {
    if (where_ == place::vocabulary_list && inner_ == 2 && items_++ == 0) {
      out_.vocabulary.push_back({std::move(v), static_cast<std::int64_t>(out_.vocabulary.size()), 0});
      return true;
    }
    if (where_ == place::merges && inner_ == 1) {  // "left right": neither part has a space
      const std::size_t space = v.find(' ');
      if (space == v.npos || v.find(' ', space + 1) != v.npos) return reject("has a merge that is not two tokens");
      out_.merges.emplace_back(v.substr(0, space), v.substr(space + 1));
      return true;
    }
    if (where_ == place::merges && inner_ == 2 && items_ < 2) {
      if (items_++ == 0)
        out_.merges.emplace_back(std::move(v), std::string());
      else
        out_.merges.back().second = std::move(v);
      return true;
    }
    return value(std::move(v));
  }
  bool binary(binary_t&) override { return reject("holds binary data"); }

  bool start_object(std::size_t) override {
    if (where_ != place::document) return unexpected_here();
    if (capturing("vocab")) {
      *slot_ = nullptr;
      return capture(place::vocabulary);
    }
    return open(json_value::value_t::object);
  }
  bool end_object() override { return where_ == place::document ? close() : end_capture(); }

  bool start_array(std::size_t) override {
    if (where_ == place::vocabulary) return unexpected_here();
    if (where_ == place::vocabulary_list || where_ == place::merges) {
      if (inner_ != 1) return unexpected_here();
      items_ = 0;
      ++inner_;
      return true;
    }
    if (capturing("vocab")) {
      *slot_ = nullptr;
      out_.has_scores = true;
      return capture(place::vocabulary_list);
    }
    if (capturing("merges")) {
      *slot_ = nullptr;
      return capture(place::merges);
    }
    return open(json_value::value_t::array);
  }
  bool end_array() override {
    if (where_ == place::document) return close();
    if (inner_ == 2) {
      --inner_;
      return items_ == 2 || unexpected_here();
    }
    return end_capture();
  }

  bool key(string_t& name) override {
    if (where_ == place::vocabulary) {
      out_.vocabulary.push_back({std::move(name), -1, 0});
      return true;
    }
    if (open_.size() == 1) section_ = name;
    name_ = name;
    slot_ = &(*open_.back())[std::move(name)];
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return reject(concat("is not valid JSON at byte ", position));
  }

 private:
  static constexpr std::size_t most_levels = 64;
  enum class place : unsigned char { document, vocabulary, vocabulary_list, merges };

  bool reject(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
    return false;
  }
  bool unexpected_here() {
    return reject(where_ == place::merges ? concat("has a merge that is not two tokens: number ", out_.merges.size())
                                          : concat("has a vocabulary with something else than tokens, after ",
                                                   out_.vocabulary.size(), " of them"));
  }

  // The value that comes is that of model.<name>.
  bool capturing(std::string_view name) const {
    return open_.size() == 2 && section_ == "model" && open_.back()->is_object() && name_ == name;
  }
  bool capture(place p) {
    if (!(p == place::merges ? out_.merges.empty() : out_.vocabulary.empty()))
      return reject("has its vocabulary or its merges twice");
    where_ = p;
    inner_ = 1;
    return true;
  }
  bool end_capture() {
    where_ = place::document;
    inner_ = 0;
    return true;
  }

  bool number(std::int64_t whole, double real) {
    if (where_ == place::vocabulary) {
      out_.vocabulary.back().id = whole;
      return true;
    }
    if (where_ == place::vocabulary_list && inner_ == 2) return score(real);
    return value(whole);
  }
  bool score(double v) {
    if (items_++ != 1) return unexpected_here();
    out_.vocabulary.back().score = v;
    return true;
  }

  template <class Value>
  bool value(Value&& v) {
    if (where_ != place::document) return unexpected_here();
    slot() = std::forward<Value>(v);
    return true;
  }
  json_value& slot() {
    if (open_.empty()) return out_.rest;
    if (open_.back()->is_object()) return *slot_;
    open_.back()->push_back(nullptr);
    return open_.back()->back();
  }
  bool open(json_value::value_t kind) {
    if (open_.size() >= most_levels) return reject(concat("nests deeper than ", most_levels, " levels"));
    json_value& made = slot();
    made = kind;
    open_.push_back(&made);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  tokenizer_file out_;
  std::string problem_, section_, name_;
  std::vector<json_value*> open_;  // containers being filled; only the innermost gets elements, so they stay in place
  json_value* slot_ = nullptr;
  place where_ = place::document;
  std::size_t inner_ = 0;  // arrays that are open in what is captured
  std::size_t items_ = 0;  // of the innermost of them
};

}  // namespace inlay::detail
