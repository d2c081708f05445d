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
#include "inlay/text/jinja_bounds.hpp"
#include "inlay/text/jinja_filters.hpp"
#include "inlay/text/jinja_spaces.hpp"
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
    if (auto ok = detail::check_jinja_bounds(source); !ok) return unexpected(ok.error());
    try {
      out.root_ = minja::Parser::parse(detail::jinja_truth::ask(source, detail::jinja_filters::truth),
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
      detail::jinja_filters::add_to(*context);
      text = root_->render(context);
    } catch (const std::exception& e) {
      return fail(errc::argument, concat("The chat template does not render this conversation: ", e.what()));
    }
    return prompt_of(text, kept);
  }

 private:
  // Stands around the number of a text that is put aside while the template runs: a private character.
  static constexpr std::string_view guard = "\xF4\x8F\xBF\xBD";

  jinja_chat() = default;

  std::string name_of(std::optional<token_id> id) const { return id ? std::string(vocabulary_->piece(*id)) : ""; }

  nlohmann::ordered_json value_of(const message& m, std::vector<std::string>& kept) const {
    const bool reply = m.role == chat_role::assistant;
    nlohmann::ordered_json out;
    out["role"] = name(m.role);
    out["content"] = detail::jinja_spaces::mark(guarded(m.content, reply, kept));
    if (!m.reasoning.empty()) out["reasoning_content"] = detail::jinja_spaces::mark(guarded(m.reasoning, reply, kept));
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
      if (const auto code = detail::jinja_spaces::find(text)) {
        utf8::append(plain, *code);
        text.remove_prefix(detail::jinja_spaces::run_size);
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
