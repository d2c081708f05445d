// SPDX-License-Identifier: Apache-2.0
// What tokenizer.json says around its model: normalizer, pre_tokenizer, post_processor, decoder.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/text/build.hpp"
#include "inlay/text/normalizer.hpp"
#include "inlay/text/pretokenizer.hpp"
#include "inlay/text/pretokenizer_names.hpp"
#include "inlay/text/spaces.hpp"
#include "inlay/text/tokenizer_file.hpp"

namespace inlay::detail {

/// A member of an object; null if the value is no object or has none of that name.
inline const json_value* member(const json_value& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}
inline std::optional<std::string_view> string_of(const json_value& object, const char* name) {
  const json_value* v = member(object, name);
  if (v == nullptr || !v->is_string()) return std::nullopt;
  return std::string_view(v->get_ref<const std::string&>());
}
inline bool flag_of(const json_value& object, const char* name, bool otherwise) {
  const json_value* v = member(object, name);
  return v != nullptr && v->is_boolean() ? v->get<bool>() : otherwise;
}
inline std::optional<std::int64_t> integer_of(const json_value& object, const char* name) {
  const json_value* v = member(object, name);
  if (v == nullptr || !v->is_number_integer()) return std::nullopt;
  if (v->is_number_unsigned() && v->get<std::uint64_t>() > INT64_MAX) return std::nullopt;
  return v->get<std::int64_t>();
}

/// False for text that is not base64.
inline bool decode_base64(std::string_view text, std::string& out) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                      : c >= 'a' && c <= 'z' ? c - 'a' + 26
                      : c >= '0' && c <= '9' ? c - '0' + 52
                      : c == '+'             ? 62
                      : c == '/'             ? 63
                                             : -1;
    if (value < 0) return false;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<char>(static_cast<unsigned char>(bits >> count)));
  }
  return true;
}

struct tokenizer_pipeline {
  std::unique_ptr<const text_normalizer> normalizer;  ///< null: the text stays as it is
  space_rules spaces = {.marked = false};
  pretokenizer words;
  bool byte_level = false, byte_level_space = false;
  bool bert_words = false;                  ///< BERT's cut: at white space, around punctuation
  std::vector<std::string> prefix, suffix;  ///< names of the tokens around a text
  bool strips_first_space = false;

  void normalize_added(std::string& text) const {
    if (normalizer) normalizer->apply(text);
  }
};

class pipeline_reader {
 public:
  pipeline_reader(std::string_view source, const unicode_forms* forms, bool skip_forms)
      : source_(source), forms_(forms), skip_forms_(skip_forms) {}

  result<tokenizer_pipeline> read(const json_value& root) {
    if (const json_value* v = member(root, "normalizer"); v != nullptr && !v->is_null())
      if (auto ok = normalizer(*v); !ok) return unexpected(ok.error());
    if (const json_value* v = member(root, "pre_tokenizer"); v != nullptr && !v->is_null())
      if (auto ok = pre_tokenizer(*v); !ok) return unexpected(ok.error());
    if (white_split_ && !out_.spaces.marked)
      return unexpected(error(refuse("pre-tokenizer", "WhitespaceSplit without Metaspace").error()));
    if (const json_value* v = member(root, "post_processor"); v != nullptr && !v->is_null())
      if (auto ok = post_processor(*v); !ok) return unexpected(ok.error());
    if (const json_value* v = member(root, "decoder"); v != nullptr && !v->is_null()) decoder(*v);
    if (!steps_.empty()) out_.normalizer = std::make_unique<normalizer_chain>(std::move(steps_), forms_);
    return std::move(out_);
  }

 private:
  using kind = normalizer_chain::kind;

  unexpected<error> refuse(std::string_view part, std::string_view what) const {
    return fail(errc::unsupported, concat(source_, ": the ", part, " ", what, " is not supported."));
  }
  static std::string_view type_of(const json_value& v) { return string_of(v, "type").value_or(""); }

  /// A pattern that is a plain string.
  static std::optional<std::string_view> plain_pattern(const json_value& v) {
    const json_value* pattern = member(v, "pattern");
    return pattern == nullptr ? std::nullopt : string_of(*pattern, "String");
  }

  result<void> add_step(kind what, std::string_view from = {}, std::string_view to = {}) {
    // What comes after the spaces were marked would have to see the marks.
    if (out_.spaces.marked) return refuse("normalizer", "with further steps after the marks for spaces");
    if (normalizer_chain::needs_forms(what) && forms_ == nullptr) {
      if (skip_forms_ && what != kind::lowercase) return {};
      return fail(errc::unsupported,
                  concat(source_,
                         ": the tokenizer normalizes its text, and no library for that was given: see "
                         "inlay/text/unicode_forms_utf8proc.hpp."));
    }
    steps_.push_back({what, std::string(from), std::string(to)});
    return {};
  }

  result<void> normalizer(const json_value& v) {
    const std::string_view type = type_of(v);
    if (type == "Sequence") {
      if (const json_value* list = member(v, "normalizers"); list != nullptr && list->is_array())
        for (const json_value& item : *list)
          if (auto ok = normalizer(item); !ok) return ok;
      return {};
    }
    if (type == "NFC") return add_step(kind::nfc);
    if (type == "NFD") return add_step(kind::nfd);
    if (type == "NFKC") return add_step(kind::nfkc);
    if (type == "NFKD") return add_step(kind::nfkd);
    if (type == "Lowercase") return add_step(kind::lowercase);
    if (type == "StripAccents") return add_step(kind::strip_marks);
    if (type == "BertNormalizer") return bert_normalizer(v);
    if (type == "Strip") {
      if (flag_of(v, "strip_left", true))
        if (auto ok = add_step(kind::strip_left); !ok) return ok;
      if (flag_of(v, "strip_right", true)) return add_step(kind::strip_right);
      return {};
    }
    if (type == "Prepend") {
      const auto text = string_of(v, "prepend");
      if (text == space_mark && !out_.spaces.marked) {
        out_.spaces.before = space_before::always;
        return {};
      }
      return add_step(kind::prepend, {}, text.value_or(""));
    }
    if (type == "Precompiled") return precompiled(v);
    if (type == "Replace") {
      const auto pattern = plain_pattern(v);
      const auto content = string_of(v, "content");
      const json_value* either = member(v, "pattern");
      if (either != nullptr && string_of(*either, "Regex") == " {2,}" && (content == " " || content == space_mark))
        return add_step(kind::collapse_spaces);
      if (!pattern || pattern->empty() || !content) return refuse("normalizer", "Replace by a regular expression");
      if (*pattern == " " && *content == space_mark) {
        out_.spaces.marked = true;
        return {};
      }
      return add_step(kind::replace, *pattern, *content);
    }
    return refuse("normalizer", shown(type));
  }

  result<void> precompiled(const json_value& v) {
    const auto encoded = string_of(v, "precompiled_charsmap");
    std::string bytes;
    if (!encoded || !decode_base64(*encoded, bytes))
      return fail(errc::format, concat(source_, ": the precompiled map of characters is damaged."));
    auto map = charsmap::make(bytes, source_);
    if (!map) return unexpected(map.error());
    if (auto ok = add_step(kind::charsmap); !ok) return ok;
    steps_.back().map = std::move(*map);
    return {};
  }

  result<void> bert_normalizer(const json_value& v) {
    const bool lower = flag_of(v, "lowercase", true);
    if (flag_of(v, "clean_text", true))
      if (auto ok = add_step(kind::clean); !ok) return ok;
    if (flag_of(v, "handle_chinese_chars", true))
      if (auto ok = add_step(kind::space_ideographs); !ok) return ok;
    if (flag_of(v, "strip_accents", lower)) {
      if (auto ok = add_step(kind::nfd); !ok) return ok;
      if (auto ok = add_step(kind::strip_accents); !ok) return ok;
    }
    return lower ? add_step(kind::lowercase) : result<void>{};
  }

  result<void> pre_tokenizer(const json_value& v) {
    const std::string_view type = type_of(v);
    if (type == "Sequence") {
      if (const json_value* list = member(v, "pretokenizers"); list != nullptr && list->is_array())
        for (const json_value& item : *list)
          if (auto ok = pre_tokenizer(item); !ok) return ok;
      return {};
    }
    if (out_.byte_level || out_.bert_words) return refuse("pre-tokenizer", concat(shown(type), " after the last cut"));
    if (type == "ByteLevel") {
      out_.byte_level = true;
      out_.byte_level_space = flag_of(v, "add_prefix_space", true);
      if (out_.byte_level_space && !out_.words.empty())
        return refuse("pre-tokenizer", "ByteLevel with add_prefix_space after a cut");
      if (flag_of(v, "use_regex", true)) out_.words.push_back(word_split::gpt2);
      return {};
    }
    if (type == "Digits") {
      if (!flag_of(v, "individual_digits", false)) return refuse("pre-tokenizer", "Digits for whole numbers");
      out_.words.push_back(word_split::digits);
      return {};
    }
    if (type == "WhitespaceSplit") {
      if (out_.spaces.marked || !out_.words.empty()) return refuse("pre-tokenizer", "WhitespaceSplit after a cut");
      steps_.push_back({kind::collapse_white});
      white_split_ = true;
      return {};
    }
    if (type == "Split") return split(v);
    if (type == "Metaspace") return metaspace(v);
    if (type == "BertPreTokenizer") {
      out_.bert_words = true;
      return {};
    }
    return refuse("pre-tokenizer", shown(type));
  }

  result<void> split(const json_value& v) {
    const std::string_view behavior = string_of(v, "behavior").value_or("");
    const bool inverted = flag_of(v, "invert", false);
    if (const auto plain = plain_pattern(v)) {
      if (*plain == " " && out_.spaces.marked) return {};  // there are no spaces any more
      return refuse("pre-tokenizer", concat("Split by ", shown(*plain)));
    }
    const json_value* pattern = member(v, "pattern");
    const auto expression = pattern == nullptr ? std::nullopt : string_of(*pattern, "Regex");
    if (!expression) return refuse("pre-tokenizer", "Split without a pattern");
    const auto known = word_split_by_expression(*expression);
    // All expressions but that of digits match every text as a whole, so nothing is removed that is not matched.
    const bool keeps_all = behavior == "Isolated" || (behavior == "Removed" && inverted && known != word_split::digits);
    if (!known || !keeps_all)
      return fail(errc::unsupported,
                  concat(source_, ": the text is cut into words by an expression that is not known: ",
                         expression->substr(0, 300), " (", behavior, ")."));
    out_.words.push_back(*known);
    return {};
  }

  result<void> metaspace(const json_value& v) {
    if (string_of(v, "replacement").value_or(space_mark) != space_mark)
      return refuse("pre-tokenizer", "Metaspace with another mark than U+2581");
    out_.spaces.marked = true;
    const std::string_view old = flag_of(v, "add_prefix_space", true) ? "always" : "never";
    const std::string_view scheme = string_of(v, "prepend_scheme").value_or(old);
    if (scheme != "never") {
      if (out_.spaces.before != space_before::never) return refuse("pre-tokenizer", "Metaspace after Prepend");
      out_.spaces.before = space_before::unless_present;
      out_.spaces.first_only = scheme == "first";
    }
    if (white_split_ && scheme != "always")
      return refuse("pre-tokenizer", "WhitespaceSplit with a Metaspace like this");
    if (white_split_ || flag_of(v, "split", true)) out_.words.push_back(word_split::before_spaces);
    return {};
  }

  result<void> post_processor(const json_value& v) {
    const std::string_view type = type_of(v);
    if (type == "Sequence") {
      if (const json_value* list = member(v, "processors"); list != nullptr && list->is_array())
        for (const json_value& item : *list)
          if (auto ok = post_processor(item); !ok) return ok;
      return {};
    }
    if (type == "ByteLevel") return {};  // of offsets, which are not kept
    if (type == "TemplateProcessing") {
      const json_value* single = member(v, "single");
      if (single == nullptr || !single->is_array())
        return refuse("post-processor", "TemplateProcessing without \"single\"");
      bool before = true;
      for (const json_value& item : *single) {
        if (member(item, "Sequence") != nullptr) {
          before = false;
        } else if (const json_value* token = member(item, "SpecialToken")) {
          (before ? out_.prefix : out_.suffix).emplace_back(string_of(*token, "id").value_or(""));
        }
      }
      return {};
    }
    if (type == "BertProcessing" || type == "RobertaProcessing") {
      const auto name = [&](const char* key) -> std::string {
        const json_value* pair = member(v, key);
        const bool named = pair != nullptr && pair->is_array() && !pair->empty() && (*pair)[0].is_string();
        return named ? (*pair)[0].get<std::string>() : std::string();
      };
      out_.prefix.push_back(name("cls"));
      out_.suffix.push_back(name("sep"));
      return {};
    }
    return refuse("post-processor", shown(type));
  }

  void decoder(const json_value& v) {
    const std::string_view type = type_of(v);
    if (type == "Sequence") {
      if (const json_value* list = member(v, "decoders"); list != nullptr && list->is_array())
        for (const json_value& item : *list) decoder(item);
    } else if (type == "Strip") {
      if (string_of(v, "content") == " " && integer_of(v, "start").value_or(0) == 1) out_.strips_first_space = true;
    } else if (type == "Metaspace") {
      const std::string_view old = flag_of(v, "add_prefix_space", true) ? "always" : "never";
      out_.strips_first_space = string_of(v, "prepend_scheme").value_or(old) != "never";
    } else if (type == "WordPiece") {
      out_.strips_first_space = true;
    }
  }

  std::string_view source_;
  const unicode_forms* forms_;
  bool skip_forms_;
  std::vector<normalizer_chain::step> steps_;
  bool white_split_ = false;
  tokenizer_pipeline out_;
};

inline result<tokenizer_pipeline> read_pipeline(const json_value& root, std::string_view source,
                                                const unicode_forms* forms, bool skip_forms) {
  return pipeline_reader(source, forms, skip_forms).read(root);
}

}  // namespace inlay::detail
