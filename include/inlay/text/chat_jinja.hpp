// SPDX-License-Identifier: Apache-2.0
// Renders the chat template that travels with a checkpoint, with the Jinja engine minja (Debian: libminja-dev).
// Optional: nothing else of the library includes this, since the engine works with exceptions and is slow to compile. A
// template is a program, and one can be written that does not end: render those of checkpoints you trust.
//
// The text is that of Python's Jinja2. For that the engine is given the templates slightly rewritten
// (jinja_source.hpp), its white space, null and some filters replaced (jinja_spaces.hpp, jinja_filters.hpp). `a and b`
// still gives a boolean.
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
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/text/byte_trie.hpp"
#include "inlay/text/chat_prompt.hpp"
#include "inlay/text/jinja_bounds.hpp"
#include "inlay/text/jinja_filters.hpp"
#include "inlay/text/jinja_source.hpp"
#include "inlay/text/jinja_spaces.hpp"
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
    if (auto ok = detail::check_jinja_bounds(source); !ok) return unexpected(ok.error());
    try {
      out.root_ = minja::Parser::parse(detail::jinja_source::rewritten(source, detail::jinja_filters::words),
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
    out.null_text_ = detail::jinja_null::text();
    names.push_back({guard, static_cast<std::uint32_t>(vocabulary.size())});
    names.push_back({out.null_text_, static_cast<std::uint32_t>(vocabulary.size() + 1)});
    out.names_ = detail::byte_trie(std::move(names));
    return out;
  }

  /// The whole conversation. errc::argument with the template's own words when it refuses the messages.
  result<chat_prompt> render(std::span<const message> conversation, bool open_reply,
                             const jinja_settings& settings = {}) const {
    std::string text;
    try {
      nlohmann::ordered_json values;
      values["messages"] = nlohmann::ordered_json::array();
      for (const message& m : conversation) values["messages"].push_back(value_of(m));
      values["add_generation_prompt"] = open_reply;
      values["bos_token"] = name_of(vocabulary_->specials().bos);
      values["eos_token"] = name_of(vocabulary_->specials().eos);
      if (settings.thinking) values["enable_thinking"] = *settings.thinking;
      for (const std::string& tool : settings.tools) values["tools"].push_back(parsed(guarded(tool, false)));
      const auto context = std::make_shared<variables>(minja::Value(values), minja::Context::builtins());
      const released at_end{*context};
      context->set("strftime_now",
                   minja::Value::callable([&](const std::shared_ptr<minja::Context>&, minja::ArgumentsValue&) {
                     return minja::Value(settings.date);
                   }));
      detail::jinja_filters::add_to(*context);
      text = root_->render(context);
    } catch (const std::exception& e) {
      return fail(errc::argument, concat("The chat template does not render this conversation: ", e.what()));
    }
    return prompt_of(text);
  }

 private:
  // Stands around the number of a name that is put aside while the template runs: a private character. Behind the names
  // of the vocabulary come the guard itself and the text of null.
  static constexpr std::string_view guard = "\xF4\x8F\xBF\xBD";

  // A macro keeps the variables that it may read, and is one of them: without an end to that, both would stay. (Those
  // of a macro within a loop do: the loop's.)
  struct variables : minja::Context {
    using minja::Context::Context;
    void release() {
      values_ = minja::Value();
      parent_ = nullptr;
    }
  };
  struct released {
    variables& what;
    ~released() { what.release(); }
  };

  jinja_chat() = default;

  std::string name_of(std::optional<token_id> id) const { return id ? std::string(vocabulary_->piece(*id)) : ""; }

  /// JSON, null as what stands for it.
  static nlohmann::ordered_json parsed(std::string_view text) {
    using json = nlohmann::ordered_json;
    constexpr int deepest = 200;  // the engine recurses
    return json::parse(text, [](int depth, json::parse_event_t event, json& value) {
      if (depth > deepest) throw std::runtime_error("JSON nests too deep");
      if (event == json::parse_event_t::value && value.is_null()) value = detail::jinja_null::json();
      return true;
    });
  }

  nlohmann::ordered_json value_of(const message& m) const {
    const bool reply = m.role == chat_role::assistant;
    nlohmann::ordered_json out;
    out["role"] = name(m.role);
    out["content"] = detail::jinja_spaces::mark(guarded(m.content, reply));
    if (!m.reasoning.empty()) out["reasoning_content"] = detail::jinja_spaces::mark(guarded(m.reasoning, reply));
    if (!m.call_id.empty()) out["tool_call_id"] = guarded(m.call_id, false);
    for (const tool_call& call : m.calls) {
      const std::string arguments = guarded(call.arguments, false);
      nlohmann::ordered_json c;
      if (!call.id.empty()) c["id"] = guarded(call.id, false);
      c["type"] = "function";
      c["function"]["name"] = guarded(call.name, false);
      if (nlohmann::ordered_json::accept(arguments))
        c["function"]["arguments"] = parsed(arguments);
      else
        c["function"]["arguments"] = arguments;
      out["tool_calls"].push_back(std::move(c));
    }
    return out;
  }

  struct found {
    std::size_t size = 0;
    std::uint32_t number = 0;
  };
  found longest_name(std::string_view text) const {
    found out;
    names_.for_each_prefix(text, [&](std::size_t size, std::uint32_t number) { out = {size, number}; });
    return out;
  }

  /// The text with the names of control tokens put aside.
  std::string guarded(std::string_view text, bool reply) const {
    std::string out;
    while (!text.empty()) {
      found f = longest_name(text);
      if (reply)
        for (const token_id id : looked_for_)
          if (f.number == static_cast<std::uint32_t>(id)) f.size = 0;
      if (f.size == 0) {
        out += text[0];
        text.remove_prefix(1);
        continue;
      }
      out += concat(guard, f.number, guard);
      text.remove_prefix(f.size);
    }
    return out;
  }

  std::string_view kept_name(std::size_t number) const {
    if (number < vocabulary_->size()) return vocabulary_->piece(static_cast<token_id>(number));
    return number == vocabulary_->size() ? guard : std::string_view(null_text_);
  }

  chat_prompt prompt_of(std::string_view text) const {
    chat_prompt out;
    std::string plain;
    while (!text.empty()) {
      if (text.starts_with(guard)) {
        std::size_t number = 0, i = guard.size();
        while (i < text.size() && text[i] >= '0' && text[i] <= '9' && number < vocabulary_->size() + 2)
          number = number * 10 + static_cast<std::size_t>(text[i++] - '0');
        if (number < vocabulary_->size() + 2 && text.substr(i).starts_with(guard)) {
          plain += kept_name(number);
          text.remove_prefix(i + guard.size());
          continue;
        }
      }
      if (const auto code = detail::jinja_spaces::find(text)) {
        utf8::append(plain, *code);
        text.remove_prefix(detail::jinja_spaces::run_size);
        continue;
      }
      const found f = longest_name(text);
      if (f.size == 0 || f.number >= vocabulary_->size()) {
        const std::size_t size = std::max(f.size, std::size_t{1});
        plain += f.number > vocabulary_->size() ? "None" : text.substr(0, size);
        text.remove_prefix(size);
        continue;
      }
      out.text(plain);
      plain.clear();
      if (static_cast<token_id>(f.number) == vocabulary_->specials().bos)
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
  std::string null_text_;
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
