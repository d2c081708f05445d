// SPDX-License-Identifier: Apache-2.0
// White space of Unicode on its way through the engine of chat_jinja.hpp, which strips four kinds of it where Python
// strips all. In what the engine is given, each of the others is a run of those four, which is stripped or kept as one;
// in what it prints, the run becomes the character again.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "inlay/text/strip.hpp"
#include "inlay/text/utf8.hpp"

namespace inlay::detail {

class jinja_spaces {
  // What a run begins with; a tab or space for each bit of the character follows.
  static constexpr std::string_view begin = "\r\t\r";
  static constexpr std::size_t bits = 16;

 public:
  static constexpr std::size_t run_size = begin.size() + bits;  ///< in bytes

  static std::string mark(std::string_view text) {
    std::string out;
    while (!text.empty()) {
      const utf8::decoded d = utf8::decode(text);
      if (is_strippable(d.code) && d.code != ' ' && d.code != '\t' && d.code != '\n') {
        out += begin;
        for (std::size_t bit = 0; bit < bits; ++bit) out += (d.code >> bit & 1) != 0 ? '\t' : ' ';
      } else {
        out += text.substr(0, d.size);
      }
      text.remove_prefix(d.size);
    }
    return out;
  }

  /// The character that a run at the begin of `text` stands for.
  static std::optional<char32_t> find(std::string_view text) {
    if (!text.starts_with(begin) || text.size() < run_size) return std::nullopt;
    char32_t code = 0;
    for (std::size_t bit = 0; bit < bits; ++bit) {
      const char c = text[begin.size() + bit];
      if (c != ' ' && c != '\t') return std::nullopt;
      code |= static_cast<char32_t>(c == '\t') << bit;
    }
    if (!is_strippable(code)) return std::nullopt;
    return code;
  }

  /// JSON with the characters in place of the runs, whose white space is escaped there.
  static std::string restore_json(std::string_view text) {
    constexpr std::string_view mark = R"(\r\t\r)", one = R"(\t)";
    std::string out;
    while (!text.empty()) {
      if (text.starts_with(mark)) {
        std::string run(begin);
        std::size_t size = mark.size();
        while (run.size() < run_size) {
          const std::string_view rest = text.substr(size);
          const bool bit = rest.starts_with(one);
          if (!bit && !rest.starts_with(' ')) break;
          run += bit ? '\t' : ' ';
          size += bit ? one.size() : 1;
        }
        if (const auto code = find(run)) {
          std::string space;
          utf8::append(space, *code);
          space = nlohmann::json(space).dump();
          out.append(space, 1, space.size() - 2);
          text.remove_prefix(size);
          continue;
        }
      }
      const std::size_t size = text[0] == '\\' && text.size() > 1 ? 2 : 1;
      out += text.substr(0, size);
      text.remove_prefix(size);
    }
    return out;
  }
};

}  // namespace inlay::detail
