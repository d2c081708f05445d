// SPDX-License-Identifier: Apache-2.0
// Renders the chat template that travels with a checkpoint, with the Jinja engine minja (Debian: libminja-dev).
// Optional: nothing else of the library includes this, since the engine works with exceptions and is slow to compile. A
// template is a program, and one can be written that does not end: render those of checkpoints you trust.
//
// The text is that of Python's Jinja2. For that the engine is given the templates slightly rewritten (jinja_truth.hpp),
// its white space, JSON and some filters replaced; it still takes an empty mapping for true in `default(x, true)` and
// in `select` without a test, prints nothing for a null, and finds mappings with an empty member unequal to themselves.
#pragma once

#if !defined(__cpp_exceptions)
#error "inlay/text/chat_jinja.hpp needs exceptions, which the Jinja engine throws"
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <minja/minja.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/text/byte_trie.hpp"
#include "inlay/text/chat_prompt.hpp"
#include "inlay/text/jinja_truth.hpp"
#include "inlay/text/strip.hpp"
#include "inlay/text/tokenizer.hpp"
#include "inlay/text/utf8.hpp"

namespace inlay {

/// What templates ask for beside the messages.
struct jinja_settings {
  std::vector<std::string> tools = {};  ///< JSON objects, as functions are declared to chat models
  std::optional<bool> thinking = {};    ///< `enable_thinking`; empty: the template's own choice
  std::string date = "26 Jul 2024";     ///< what `strftime_now` gives, whatever the format
};

/// A template, parsed. Refers to the vocabulary, whose control tokens it looks for in what the template prints. Names
/// of control tokens in the messages stay text.
class jinja_chat {
 public:
  /// errc::unsupported with the engine's reason when it cannot read the template.
  static result<jinja_chat> make(std::string_view source, const tokenizer& vocabulary) {
    jinja_chat out;
    out.vocabulary_ = &vocabulary;
    if (auto ok = bounded(source); !ok) return unexpected(ok.error());
    try {
      out.root_ = minja::Parser::parse(detail::jinja_truth::ask(source, truth_filter),
                                       {.trim_blocks = true, .lstrip_blocks = true, .keep_trailing_newline = false});
    } catch (const std::exception& e) {
      return fail(errc::unsupported, concat("The chat template cannot be read: ", e.what()));
    }
    std::vector<detail::byte_trie::entry> names;
    for (std::size_t i = 0; i < vocabulary.size(); ++i) {
      const auto id = static_cast<token_id>(i);
      if (!vocabulary.is_control(id) || vocabulary.piece(id).empty()) continue;
      names.push_back({vocabulary.piece(id), static_cast<std::uint32_t>(i)});
      // A name that the template itself looks for in replies, to cut thoughts out, must be found there.
      for (const char quote : {'\'', '"'})
        for (const std::string_view use : {"split(", ""})
          if (const std::string part = concat(use, quote, vocabulary.piece(id), quote, use.empty() ? " in " : "");
              source.find(part) != source.npos)
            out.looked_for_.push_back(id);
    }
    out.names_ = detail::byte_trie(std::move(names));
    return out;
  }

  /// The whole conversation. errc::argument with the template's own words when it refuses the messages.
  result<chat_prompt> render(std::span<const message> conversation, bool open_reply,
                             const jinja_settings& settings = {}) const {
    std::vector<std::string> kept;
    std::string text;
    try {
      nlohmann::ordered_json values;
      values["messages"] = nlohmann::ordered_json::array();
      for (const message& m : conversation) values["messages"].push_back(value_of(m, kept));
      values["add_generation_prompt"] = open_reply;
      values["bos_token"] = name_of(vocabulary_->specials().bos);
      values["eos_token"] = name_of(vocabulary_->specials().eos);
      if (settings.thinking) values["enable_thinking"] = *settings.thinking;
      for (const std::string& tool : settings.tools)
        values["tools"].push_back(nlohmann::ordered_json::parse(guarded(tool, false, kept)));
      const auto context = minja::Context::make(minja::Value(values));
      context->set("strftime_now",
                   minja::Value::callable([&](const std::shared_ptr<minja::Context>&, minja::ArgumentsValue&) {
                     return minja::Value(settings.date);
                   }));
      context->set("tojson",
                   minja::simple_function("tojson", {"value", "indent"},
                                          [](const std::shared_ptr<minja::Context>&, minja::Value& arguments) {
                                            return minja::Value(json_text(arguments));
                                          }));
      // Of any value, as Python's: the engine's own takes texts alone, and gives numbers six decimals.
      context->set("string",
                   minja::simple_function("string", {"value"},
                                          [](const std::shared_ptr<minja::Context>&, minja::Value& arguments) {
                                            return minja::Value(python_text(arguments.at("value")));
                                          }));
      context->set("upper",
                   minja::simple_function(
                       "upper", {"text"}, [](const std::shared_ptr<minja::Context>&, minja::Value& arguments) {
                         const minja::Value& value = arguments.at("text");
                         return minja::Value(value.is_null() ? "" : in_case(python_text(value), 'a', 'z', 'A' - 'a'));
                       }));
      // Small letters and capitals alike, which the engine's own keeps apart.
      context->set("dictsort",
                   minja::simple_function("dictsort", {"value"},
                                          [](const std::shared_ptr<minja::Context>&, minja::Value& arguments) {
                                            return sorted(arguments.at("value"));
                                          }));
      // Tests that it knows behind `is`, for `selectattr` too.
      for (const bool wanted : {true, false})
        context->set(
            wanted ? "defined" : "undefined",
            minja::Value::callable([wanted](const std::shared_ptr<minja::Context>&, minja::ArgumentsValue& arguments) {
              return minja::Value(arguments.args.at(0).is_null() != wanted);
            }));
      context->set(std::string(truth_filter),
                   minja::Value::callable([](const std::shared_ptr<minja::Context>&, minja::ArgumentsValue& arguments) {
                     const minja::Value& value = arguments.args.at(0);
                     const bool is_empty = value.is_object() && !value.is_callable() && value.empty();
                     return is_empty ? minja::Value(false) : value;
                   }));
      text = root_->render(context);
    } catch (const std::exception& e) {
      return fail(errc::argument, concat("The chat template does not render this conversation: ", e.what()));
    }
    return prompt_of(text, kept);
  }

 private:
  // Stands around the number of a text that is put aside while the template runs: a private character.
  static constexpr std::string_view guard = "\xF4\x8F\xBF\xBD";
  static constexpr std::string_view truth_filter = "false_if_empty";
  // The engine strips four kinds of white space, Python all of Unicode's. So in messages the others become a run of
  // those four: this, and a space or tab for each bit of the character.
  static constexpr std::string_view space_mark = "\r\t\r";
  static constexpr std::size_t space_bits = 16;

  jinja_chat() = default;

  /// The parser recurses as deep as a template nests: brackets and prefixes in a tag, tags in each other.
  static result<void> bounded(std::string_view source) {
    constexpr std::size_t longest = std::size_t{1} << 20, most_brackets = 100, most_words = 1000, most_blocks = 100;
    if (source.size() > longest)
      return fail(errc::unsupported,
                  concat("The chat template has ", source.size(), " bytes, at most ", longest, " are read."));
    std::size_t blocks = 0;
    for (std::size_t at = 0; (at = source.find('{', at)) != source.npos && at + 1 < source.size();) {
      const char kind = source[++at];
      if (kind != '{' && kind != '%') continue;
      std::string_view tag = source.substr(at + 1);
      if (tag.starts_with('-')) tag.remove_prefix(1);
      const std::size_t first = tag.find_first_not_of(" \t\r\n");
      const std::string_view word = first == tag.npos ? std::string_view{} : tag.substr(first);
      if (kind == '%') {
        const bool opens = word.starts_with("if") || word.starts_with("for") || word.starts_with("macro") ||
                           word.starts_with("filter") || word.starts_with("call") || word.starts_with("set");
        if (word.starts_with("end"))
          blocks -= blocks != 0;
        else
          blocks += opens && !(word.starts_with("set") && word.substr(0, word.find("%}")).find('=') != word.npos);
      }
      std::size_t brackets = 0, deepest = 0, words = 0, i = 0;
      for (char quote = 0; i < tag.size(); ++i) {
        const char c = tag[i];
        if (quote != 0) {
          if (c == '\\') ++i;
          if (c == quote) quote = 0;
        } else if (c == '\'' || c == '"') {
          quote = c;
        } else if (tag.substr(i).starts_with(kind == '%' ? "%}" : "}}") && brackets == 0) {
          break;
        } else if (c == '(' || c == '[' || c == '{') {
          deepest = std::max(deepest, ++brackets);
        } else if ((c == ')' || c == ']' || c == '}') && brackets != 0) {
          --brackets;
        } else {
          words += c == '-' || c == '+' || c == ' ';
        }
      }
      if (deepest > most_brackets || words > most_words || blocks > most_blocks)
        return fail(errc::unsupported, "The chat template nests too deep.");
      at += i;
    }
    return {};
  }

  /// What `tojson` prints. Python leaves empty containers on one line.
  static std::string json_text(minja::Value& arguments) {
    const minja::Value& value = arguments.at("value");
    const auto indent = arguments.get<std::int64_t>("indent", -1);
    if (indent < 0 || value.is_primitive()) return json_unmarked(value.dump(-1, true));
    return json_unmarked(value.get<nlohmann::ordered_json>().dump(static_cast<int>(indent)));
  }
  /// JSON with the white space itself where the engine wrote the marks that stand for it.
  static std::string json_unmarked(std::string_view text) {
    constexpr std::string_view mark = R"(\r\t\r)", one = R"(\t)";
    std::string out;
    while (!text.empty()) {
      if (text.starts_with(mark)) {
        std::string marked(space_mark);
        std::size_t size = mark.size();
        while (marked.size() < space_mark.size() + space_bits) {
          const std::string_view rest = text.substr(size);
          const bool bit = rest.starts_with(one);
          if (!bit && !rest.starts_with(' ')) break;
          marked += bit ? '\t' : ' ';
          size += bit ? one.size() : 1;
        }
        if (const auto code = marked_space(marked)) {
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
  /// What str() gives.
  static std::string python_text(const minja::Value& value) {
    return value.is_number_float() ? value.dump() : value.to_str();
  }

  std::string name_of(std::optional<token_id> id) const { return id ? std::string(vocabulary_->piece(*id)) : ""; }

  nlohmann::ordered_json value_of(const message& m, std::vector<std::string>& kept) const {
    const bool reply = m.role == chat_role::assistant;
    nlohmann::ordered_json out;
    out["role"] = name(m.role);
    out["content"] = spaces_marked(guarded(m.content, reply, kept));
    if (!m.reasoning.empty()) out["reasoning_content"] = spaces_marked(guarded(m.reasoning, reply, kept));
    if (!m.call_id.empty()) out["tool_call_id"] = guarded(m.call_id, false, kept);
    for (const tool_call& call : m.calls) {
      const std::string arguments = guarded(call.arguments, false, kept);
      auto parsed = nlohmann::ordered_json::parse(arguments, nullptr, false);
      nlohmann::ordered_json c;
      if (!call.id.empty()) c["id"] = guarded(call.id, false, kept);
      c["type"] = "function";
      c["function"]["name"] = guarded(call.name, false, kept);
      c["function"]["arguments"] = parsed.is_discarded() ? nlohmann::ordered_json(arguments) : std::move(parsed);
      out["tool_calls"].push_back(std::move(c));
    }
    return out;
  }

  struct found {
    std::size_t size = 0;
    token_id id = 0;
  };
  found longest_name(std::string_view text) const {
    found out;
    names_.for_each_prefix(text, [&](std::size_t size, std::uint32_t id) { out = {size, static_cast<token_id>(id)}; });
    return out;
  }

  /// The text with the names of control tokens put aside.
  std::string guarded(std::string_view text, bool reply, std::vector<std::string>& kept) const {
    std::string out;
    while (!text.empty()) {
      found f = longest_name(text);
      if (reply)
        for (const token_id id : looked_for_)
          if (f.id == id) f.size = 0;
      if (f.size == 0 && text.starts_with(guard)) f.size = guard.size();
      if (f.size == 0) {
        out += text[0];
        text.remove_prefix(1);
        continue;
      }
      out += concat(guard, kept.size(), guard);
      kept.emplace_back(text.substr(0, f.size));
      text.remove_prefix(f.size);
    }
    return out;
  }

  static std::string spaces_marked(std::string_view text) {
    std::string out;
    while (!text.empty()) {
      const utf8::decoded d = utf8::decode(text);
      if (detail::is_strippable(d.code) && d.code != ' ' && d.code != '\t' && d.code != '\n') {
        out += space_mark;
        for (std::size_t bit = 0; bit < space_bits; ++bit) out += (d.code >> bit & 1) != 0 ? '\t' : ' ';
      } else {
        out += text.substr(0, d.size);
      }
      text.remove_prefix(d.size);
    }
    return out;
  }
  /// The white space that a marked run at the begin of `text` stands for.
  static std::optional<char32_t> marked_space(std::string_view text) {
    if (!text.starts_with(space_mark) || text.size() < space_mark.size() + space_bits) return std::nullopt;
    char32_t code = 0;
    for (std::size_t bit = 0; bit < space_bits; ++bit) {
      const char c = text[space_mark.size() + bit];
      if (c != ' ' && c != '\t') return std::nullopt;
      code |= static_cast<char32_t>(c == '\t') << bit;
    }
    if (!detail::is_strippable(code)) return std::nullopt;
    return code;
  }

  chat_prompt prompt_of(std::string_view text, const std::vector<std::string>& kept) const {
    chat_prompt out;
    std::string plain;
    while (!text.empty()) {
      if (text.starts_with(guard)) {
        std::size_t number = 0, i = guard.size();
        while (i < text.size() && text[i] >= '0' && text[i] <= '9' && number < kept.size())
          number = number * 10 + static_cast<std::size_t>(text[i++] - '0');
        if (number < kept.size() && text.substr(i).starts_with(guard)) {
          plain += kept[number];
          text.remove_prefix(i + guard.size());
          continue;
        }
      }
      if (const auto code = marked_space(text)) {
        utf8::append(plain, *code);
        text.remove_prefix(space_mark.size() + space_bits);
        continue;
      }
      const found f = longest_name(text);
      if (f.size == 0) {
        plain += text[0];
        text.remove_prefix(1);
        continue;
      }
      out.text(plain);
      plain.clear();
      if (f.id == vocabulary_->specials().bos)
        out.bos();
      else
        out.control(text.substr(0, f.size));
      text.remove_prefix(f.size);
    }
    out.text(plain);
    return out;
  }

  const tokenizer* vocabulary_ = nullptr;
  std::shared_ptr<minja::TemplateNode> root_;
  detail::byte_trie names_;
  std::vector<token_id> looked_for_;
};

/// A template as a chat format, for language_model::set_chat:
///
///   auto format = jinja_format::make(model.chat_template(), *model.text());
///   model.set_chat(custom_chat_format(*std::move(format)));
class jinja_format {
 public:
  /// As jinja_chat::make; the vocabulary must outlive the format.
  static result<jinja_format> make(std::string_view source, const tokenizer& vocabulary, jinja_settings settings = {}) {
    auto parsed = jinja_chat::make(source, vocabulary);
    if (!parsed) return unexpected<error>(std::move(parsed).error());
    jinja_format out(*std::move(parsed), std::move(settings));
    out.find_stop(vocabulary);
    return out;
  }

  void render(std::span<const message> conversation, std::size_t from, bool open_reply, chat_prompt& out) const {
    if (from == 0 || from > conversation.size() || conversation[from - 1].role != chat_role::assistant) {
      auto prompt = template_.render(conversation, open_reply, settings_);
      if (!prompt) return out.refuse(std::move(prompt).error());
      return append(*prompt, 0, {}, out);
    }
    // The reply is in the cache as the model wrote it; what follows it is found by a mark in its place.
    std::string mark;
    const auto has_mark = [&](const message& m) { return m.content.find(mark) != m.content.npos; };
    do mark += private_character;
    while (std::any_of(conversation.begin(), conversation.end(), has_mark));
    std::vector<message> marked(conversation.begin(), conversation.end());
    marked[from - 1] = {chat_role::assistant, mark};
    const auto prompt = template_.render(marked, open_reply, settings_);
    if (!prompt) return out.refuse(prompt.error());
    const auto& parts = prompt->parts();
    for (std::size_t i = parts.size(); i-- != 0;)
      if (const std::size_t at = parts[i].text.rfind(mark); at != std::string::npos)
        return append(*prompt, i, std::string_view(parts[i].text).substr(at + mark.size()), out);
    out.refuse({errc::unsupported, "The chat template leaves out what the assistant said."});
  }
  std::span<const std::string_view> stop_names() const noexcept {
    return {&stop_, stop_.empty() ? std::size_t{0} : std::size_t{1}};
  }

 private:
  static constexpr std::string_view private_character = "\xF4\x8F\xBF\xBC";  // another than jinja_chat's

  jinja_format(jinja_chat parsed, jinja_settings settings)
      : template_(std::move(parsed)), settings_(std::move(settings)) {}

  /// `first`, and the parts after part `i` (or all, for an empty `first` of part 0).
  static void append(const chat_prompt& from, std::size_t i, std::string_view first, chat_prompt& out) {
    using kind = chat_prompt::kind;
    const auto& parts = from.parts();
    if (first.data() != nullptr) {
      out.text(first);
      ++i;
    }
    for (; i < parts.size(); ++i) {
      if (parts[i].what == kind::text) out.text(parts[i].text);
      if (parts[i].what == kind::control) out.control(parts[i].text);
      if (parts[i].what == kind::bos) out.bos();
      if (parts[i].what == kind::eos) out.eos();
    }
  }

  /// The control token that the template writes behind a reply ends one.
  void find_stop(const tokenizer& vocabulary) {
    const message turns[] = {{chat_role::user, "a"}, {chat_role::assistant, "b"}, {chat_role::user, "c"}};
    chat_prompt after;
    render(turns, 2, false, after);
    for (const chat_prompt::part& p : after.parts()) {
      if (p.what == chat_prompt::kind::control) stop_ = vocabulary.piece(*vocabulary.find(p.text));
      if (p.what != chat_prompt::kind::text || !detail::strip(p.text).empty()) break;
    }
  }

  jinja_chat template_;
  jinja_settings settings_;
  std::string_view stop_;  // in the vocabulary
};

}  // namespace inlay
