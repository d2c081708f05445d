// SPDX-License-Identifier: Apache-2.0
// A tokenizer.json, and what the files beside it say, as the metadata of a GGUF. What the keys of GGUF cannot express
// is an error that says so, never a tokenizer that gives other ids.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/convert/merge_scores.hpp"
#include "inlay/core/error.hpp"
#include "inlay/generate/read_tokenizer.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/io/gguf_writer.hpp"
#include "inlay/io/json.hpp"
#include "inlay/text/byte_tokens.hpp"
#include "inlay/text/normalizer.hpp"
#include "inlay/text/pretokenizer.hpp"
#include "inlay/text/pretokenizer_names.hpp"
#include "inlay/text/spaces.hpp"
#include "inlay/text/token.hpp"
#include "inlay/text/tokenizer_file.hpp"
#include "inlay/text/tokenizer_pipeline.hpp"

namespace inlay::detail {

/// The first `tokenizer.ggml.pre` whose cuts these are, of those that treat text as `nfc` says if there is one.
inline std::string_view gguf_name_of(const pretokenizer& words, bool whole_words, bool nfc) {
  std::string_view found;
  for (const std::string_view name :
       {"gpt-2", "smollm", "llama-bpe", "dbrx", "qwen2", "deepseek-r1-qwen", "qwen35", "tekken", "gpt-4o"}) {
    if (pretokenizer_by_gguf_name(name) != words || takes_whole_words(name) != whole_words) continue;
    if (implies_nfc(name) == nfc) return name;
    if (found.empty()) found = name;
  }
  return found;
}

/// Whether a normalizer brings text into NFC; none where it does anything else.
inline std::optional<bool> only_nfc(const json_value* normalizer) {
  if (normalizer == nullptr || normalizer->is_null()) return false;
  const auto type = string_of(*normalizer, "type");
  if (type == "NFC") return true;
  const json_value* steps = type == "Sequence" ? member(*normalizer, "normalizers") : nullptr;
  if (steps == nullptr || !steps->is_array()) return std::nullopt;
  bool nfc = false;
  for (const json_value& step : *steps) {
    if (string_of(step, "type") != "NFC") return std::nullopt;
    nfc = true;
  }
  return nfc;
}

/// In place of a library for text, where a pipeline is read and no text goes through it.
class unused_forms final : public unicode_forms {
 public:
  void normalize(form, std::string_view text, std::string& out) const override { out += text; }
  char32_t lower(char32_t code) const noexcept override { return code; }
};

/// Finds an object of a type anywhere in a normalizer or the like.
inline const json_value* find_type(const json_value& in, std::string_view type) {
  if (in.is_object() && string_of(in, "type") == type) return &in;
  if (in.is_structured())
    for (const json_value& inner : in)
      if (const json_value* found = find_type(inner, type)) return found;
  return nullptr;
}

class tokenizer_to_gguf {
 public:
  tokenizer_to_gguf(const checkpoint& from, std::size_t vocab, gguf_writer& to, std::vector<std::string>& notes)
      : from_(from), source_(sibling(from.path(), "tokenizer.json")), vocab_(vocab), to_(to), notes_(notes) {}

  /// Nothing, with a note, where there is no tokenizer.json.
  result<void> write() {
    const std::string text = read_beside(from_, "tokenizer.json");
    if (text.empty()) {
      notes_.push_back(concat(source_, ": there is no such file, so the GGUF has no tokenizer."));
      to_.set("tokenizer.ggml.model", "none");
      return {};
    }
    auto file = tokenizer_file_reader::read(text, source_);
    if (!file) return unexpected(file.error());
    file_ = std::move(*file);
    auto pipeline = read_pipeline(file_.rest, source_, &forms_, false);
    if (!pipeline) return unexpected(pipeline.error());
    pipeline_ = std::move(*pipeline);
    const json_value* model = member(file_.rest, "model");
    if (model == nullptr || !model->is_object()) return refuse("has no model");
    const std::string_view type = string_of(*model, "type").value_or("BPE");
    if (auto ok = collect(*model, type); !ok) return ok;
    if (type == "BPE" && pipeline_.byte_level) return byte_level(*model);
    if (type == "BPE") return characters(*model);
    if (type == "Unigram") return unigram_model(*model);
    if (type == "WordPiece") return wordpiece_model(*model);
    return refuse(concat("has the model ", shown(type)));
  }

 private:
  unexpected<error> refuse(std::string_view what) const {
    return fail(errc::unsupported, concat(source_, ": ", what, ", which a GGUF cannot express."));
  }

  result<void> collect(const json_value& model, std::string_view type) {
    std::int64_t highest = -1;
    for (const auto& e : file_.vocabulary) highest = std::max(highest, e.id);
    const json_value* added = member(file_.rest, "added_tokens");
    if (added != nullptr && added->is_array())
      for (const json_value& a : *added) highest = std::max(highest, integer_of(a, "id").value_or(-1));
    if (highest < 0) return refuse("has no tokens");
    if (vocab_ != 0 && static_cast<std::uint64_t>(highest) >= vocab_)
      return fail(errc::mismatch, concat(source_, ": has the token ", highest, ", but the model has ", vocab_, "."));
    const auto size = std::max(vocab_, static_cast<std::size_t>(highest) + 1);
    tokens_.resize(size);
    types_.assign(size, static_cast<std::int32_t>(token_kind::unused));
    scores_.assign(size, 0.0f);
    for (std::size_t i = 0; i < size; ++i) tokens_[i] = concat("[PAD", i, "]");
    const bool bytes = flag_of(model, "byte_fallback", false);
    const std::string_view unknown = string_of(model, "unk_token").value_or("");
    const std::string_view mark = string_of(model, "continuing_subword_prefix").value_or("##");
    for (const auto& e : file_.vocabulary) {
      if (e.id < 0) return refuse("has a token without an id");
      const auto id = static_cast<std::size_t>(e.id);
      token_kind kind = bytes && byte_of_token(e.text) >= 0 ? token_kind::byte : token_kind::normal;
      if (!pipeline_.byte_level && type != "WordPiece" && !unknown.empty() && e.text == unknown)
        kind = token_kind::unknown;
      if (type == "Unigram" && integer_of(model, "unk_id") == e.id) kind = token_kind::unknown;
      tokens_[id] = e.text;
      if (type == "WordPiece")
        tokens_[id] = !mark.empty() && e.text.starts_with(mark) && e.text.size() > mark.size()
                          ? e.text.substr(mark.size())
                          : concat(space_mark, e.text);
      types_[id] = static_cast<std::int32_t>(kind);
      scores_[id] = static_cast<float>(e.score);
    }
    if (added == nullptr || !added->is_array()) return {};
    for (const json_value& a : *added) {
      const auto id = static_cast<std::size_t>(integer_of(a, "id").value_or(0));
      const bool special = flag_of(a, "special", false);
      if (types_[id] != static_cast<std::int32_t>(token_kind::unknown))
        types_[id] = static_cast<std::int32_t>(special ? token_kind::control : token_kind::user_defined);
      tokens_[id] = string_of(a, "content").value_or("");
      if (type == "Unigram" && types_[id] != static_cast<std::int32_t>(token_kind::unknown)) scores_[id] = 0.0f;
      if (flag_of(a, "single_word", false))
        notes_.push_back(
            concat(source_, ": ", shown(tokens_[id]), " is only found as a whole word; in a GGUF anywhere."));
      if (flag_of(a, "lstrip", false) || flag_of(a, "rstrip", false))
        notes_.push_back(concat(source_, ": ", shown(tokens_[id]),
                                " takes the white space beside it along; in a GGUF only the tokens of Phi-3 do."));
    }
    return {};
  }

  void write_tokens(std::string_view model, bool scores) {
    to_.set("tokenizer.ggml.model", model);
    std::vector<std::string_view> views(tokens_.begin(), tokens_.end());
    to_.set_array("tokenizer.ggml.tokens", std::span<const std::string_view>(views));
    if (scores) to_.set_array("tokenizer.ggml.scores", std::span<const float>(scores_));
    to_.set_array("tokenizer.ggml.token_type", std::span<const std::int32_t>(types_));
  }
  void write_merges() {
    std::vector<std::string> lines;
    lines.reserve(file_.merges.size());
    for (const auto& [left, right] : file_.merges) lines.push_back(concat(left, " ", right));
    std::vector<std::string_view> views(lines.begin(), lines.end());
    to_.set_array("tokenizer.ggml.merges", std::span<const std::string_view>(views));
  }

  std::optional<std::size_t> id_of(std::string_view text) const {
    auto at = std::find(tokens_.begin(), tokens_.end(), text);
    if (at == tokens_.end() && pipeline_.bert_words)
      at = std::find(tokens_.begin(), tokens_.end(), concat(space_mark, text));
    if (at == tokens_.end()) return std::nullopt;
    return static_cast<std::size_t>(at - tokens_.begin());
  }

  std::optional<std::size_t> unknown_of(const json_value& model) const {
    if (const auto text = string_of(model, "unk_token")) return id_of(*text);
    const auto id = integer_of(model, "unk_id");
    if (!id || *id < 0 || static_cast<std::uint64_t>(*id) >= tokens_.size()) return std::nullopt;
    return static_cast<std::size_t>(*id);
  }

  /// Tokens with a role, from tokenizer.json where it tells them by what they do, then from tokenizer_config.json and
  /// config.json; what is put around a text; the chat template.
  result<void> finish(const json_value& model) {
    const auto config = parse_json(read_beside(from_, "tokenizer_config.json"), source_);
    const auto model_config = parse_json(from_.config(), source_);
    const auto name_in = [&](const char* key) -> std::optional<std::string> {
      const json_value* v = config ? member(*config, key) : nullptr;
      if (v != nullptr && v->is_object()) v = member(*v, "content");
      return v != nullptr && v->is_string() ? std::optional(v->get<std::string>()) : std::nullopt;
    };
    const auto id_in_config = [&](const char* key) -> std::optional<std::size_t> {
      const json_value* v = model_config && key != nullptr ? member(*model_config, key) : nullptr;
      if (v != nullptr && v->is_array() && !v->empty()) v = &v->front();
      if (v == nullptr || !v->is_number_unsigned() || v->get<std::size_t>() >= tokens_.size()) return std::nullopt;
      return v->get<std::size_t>();
    };
    const auto set = [&](std::string_view key, const char* name, const char* id_name,
                         std::optional<std::size_t> id = std::nullopt) {
      if (const auto text = id ? std::nullopt : name_in(name)) id = id_of(*text);
      if (!id) id = id_in_config(id_name);
      if (id) to_.set(key, static_cast<std::uint32_t>(*id));
      return id;
    };
    const bool bert = pipeline_.bert_words;
    std::optional<std::size_t> classify, separator;
    if (bert) {
      const bool both = pipeline_.prefix.size() == 1 && pipeline_.suffix.size() == 1;
      if (both) classify = id_of(pipeline_.prefix[0]), separator = id_of(pipeline_.suffix[0]);
      if (!classify || !separator) return refuse("does not put one token before a text and one behind it");
    }
    // Readers of a WordPiece take one of bos and cls for what goes before a text.
    const auto bos = set("tokenizer.ggml.bos_token_id", "bos_token", "bos_token_id", classify);
    const auto eos = set("tokenizer.ggml.eos_token_id", "eos_token", "eos_token_id");
    set("tokenizer.ggml.cls_token_id", "cls_token", nullptr, classify);
    set("tokenizer.ggml.seperator_token_id", "sep_token", nullptr, separator);  // the format's own spelling
    set("tokenizer.ggml.unknown_token_id", "unk_token", nullptr, unknown_of(model));
    if (!set("tokenizer.ggml.padding_token_id", "pad_token", "pad_token_id")) {
      const json_value* padding = member(file_.rest, "padding");
      auto name = padding != nullptr ? string_of(*padding, "pad_token") : std::nullopt;
      if (!name && bert) name = "[PAD]";
      if (name) set("tokenizer.ggml.padding_token_id", "", nullptr, id_of(*name));
    }
    if (!set("tokenizer.ggml.mask_token_id", "mask_token", nullptr) && bert)
      set("tokenizer.ggml.mask_token_id", "", nullptr, id_of("[MASK]"));
    if (!bert)
      if (auto ok = write_around(bos, eos); !ok) return ok;
    std::string chat = read_beside(from_, "chat_template.jinja");
    if (chat.empty()) chat = name_in("chat_template").value_or("");
    if (!chat.empty()) to_.set("tokenizer.chat_template", std::string_view(chat));
    return {};
  }

  /// What is put around a text, unless the kind of the tokenizer implies it.
  result<void> write_around(std::optional<std::size_t> bos, std::optional<std::size_t> eos) {
    const auto is = [&](const std::vector<std::string>& names, const std::optional<std::size_t>& id) {
      return names.empty() || (names.size() == 1 && id && tokens_[*id] == names[0]);
    };
    const auto only = [&](const std::vector<std::string>& names) {
      return names.size() == 1 ? id_of(names[0]) : std::nullopt;
    };
    if (!is(pipeline_.prefix, bos)) {
      bos = bos ? std::nullopt : only(pipeline_.prefix);
      if (!bos) return refuse("puts other tokens before a text than the begin of a sequence");
      to_.set("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(*bos));
    }
    if (!is(pipeline_.suffix, eos)) {
      eos = eos ? std::nullopt : only(pipeline_.suffix);
      if (!eos) return refuse("puts other tokens behind a text than the end of a sequence");
      to_.set("tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(*eos));
    }
    to_.set("tokenizer.ggml.add_bos_token", !pipeline_.prefix.empty());
    to_.set("tokenizer.ggml.add_eos_token", !pipeline_.suffix.empty());
    return {};
  }

  result<void> byte_level(const json_value& model) {
    const json_value* normalizer = member(file_.rest, "normalizer");
    const auto nfc = only_nfc(normalizer);
    if (!nfc) return refuse(concat("normalizes text by ", shown(string_of(*normalizer, "type").value_or(""))));
    const std::string_view pre = gguf_name_of(pipeline_.words, flag_of(model, "ignore_merges", false), *nfc);
    if (pre.empty()) return refuse("cuts text into words in a way that has no name in tokenizer.ggml.pre");
    if (string_of(model, "unk_token")) return refuse("has bytes without a token, and a token for the unknown");
    if (*nfc != implies_nfc(pre))
      notes_.push_back(concat(source_, *nfc ? ": text is no longer brought into NFC."
                                            : ": text is brought into NFC by readers of a GGUF that can."));
    write_tokens("gpt2", false);
    to_.set("tokenizer.ggml.pre", pre);
    write_merges();
    to_.set("tokenizer.ggml.add_space_prefix", pipeline_.byte_level_space);
    return finish(model);
  }

  /// SentencePiece's BPE, or Gemma 4's, which keeps its merges.
  result<void> characters(const json_value& model) {
    if (!pipeline_.spaces.marked) return refuse("is a BPE of characters in which spaces are not marked");
    if (flag_of(model, "ignore_merges", false)) return refuse("takes whole words before merging");
    if (pipeline_.normalizer) return refuse("changes more of its text than the spaces");
    if (pipeline_.words == pretokenizer{word_split::lines}) {
      std::fill(scores_.begin(), scores_.end(), -1000.0f);
      write_tokens("gemma4", true);
      write_merges();
      to_.set("tokenizer.ggml.add_space_prefix", pipeline_.spaces.before != space_before::never);
      return finish(model);
    }
    const bool at_spaces = pipeline_.words == pretokenizer{word_split::before_spaces};
    if (!pipeline_.words.empty() && !at_spaces) return refuse("cuts text into words before it merges characters");
    if (at_spaces)
      for (const auto& e : file_.vocabulary)
        if (e.text.find(space_mark, 1) != std::string::npos)
          return refuse(concat("never merges over a space, but has the token ", shown(e.text)));
    if (const auto problem = merge_scores(file_, types_).write(scores_)) return refuse(*problem);
    write_tokens("llama", true);
    to_.set("tokenizer.ggml.pre", "default");
    to_.set("tokenizer.ggml.add_space_prefix", pipeline_.spaces.before != space_before::never);
    note_space_before();
    return finish(model);
  }

  void note_space_before() {
    if (pipeline_.spaces.before == space_before::unless_present)
      notes_.push_back(concat(source_, ": a text that begins with a space gets another one before it in a GGUF."));
  }

  result<void> unigram_model(const json_value& model) {
    if (!pipeline_.spaces.marked) return refuse("is a Unigram model in which spaces are not marked");
    if (!pipeline_.words.empty()) return refuse("cuts text into words before a Unigram model sees it");
    note_space_before();
    write_tokens("t5", true);
    to_.set("tokenizer.ggml.pre", "default");
    to_.set("tokenizer.ggml.add_space_prefix", pipeline_.spaces.before != space_before::never);
    const json_value* normalizer = member(file_.rest, "normalizer");
    bool collapses = false;
    if (normalizer != nullptr) {
      for (const char* type : {"NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "BertNormalizer"})
        if (find_type(*normalizer, type) != nullptr) return refuse(concat("normalizes text by ", type));
      collapses = find_type(*normalizer, "Replace") != nullptr;
      if (const json_value* map = find_type(*normalizer, "Precompiled")) {
        std::string bytes;
        if (!decode_base64(string_of(*map, "precompiled_charsmap").value_or(""), bytes))
          return refuse("has a damaged map of characters");
        const auto* first = reinterpret_cast<const std::uint8_t*>(bytes.data());
        to_.set_array("tokenizer.ggml.precompiled_charsmap", std::span<const std::uint8_t>(first, bytes.size()));
      }
    }
    to_.set("tokenizer.ggml.remove_extra_whitespaces", collapses);
    return finish(model);
  }

  result<void> wordpiece_model(const json_value& model) {
    const json_value* normalizer = member(file_.rest, "normalizer");
    const bool usual = normalizer != nullptr && string_of(*normalizer, "type") == "BertNormalizer" &&
                       flag_of(*normalizer, "clean_text", true) && flag_of(*normalizer, "handle_chinese_chars", true);
    if (!usual) return refuse("does not clean its text as BERT does");
    if (!flag_of(*normalizer, "lowercase", true) || !flag_of(*normalizer, "strip_accents", true))
      return refuse("keeps capitals or accents");
    if (!pipeline_.bert_words || !pipeline_.words.empty())
      return refuse("cuts text into words in another way than BERT does");
    if (!unknown_of(model)) return refuse("has no token for the unknown");
    if (integer_of(model, "max_input_chars_per_word").value_or(100) != 100)
      return refuse("has another longest word than one of 100 characters");
    write_tokens("bert", false);
    to_.set("tokenizer.ggml.pre", "default");
    return finish(model);
  }

  const checkpoint& from_;
  std::string source_;
  unused_forms forms_;
  std::size_t vocab_;
  gguf_writer& to_;
  std::vector<std::string>& notes_;
  tokenizer_file file_;
  tokenizer_pipeline pipeline_;
  std::vector<std::string> tokens_;
  std::vector<std::int32_t> types_;
  std::vector<float> scores_;
};

/// Writes the tokenizer and chat template of a checkpoint of safetensors. errc::unsupported where a GGUF cannot say it.
inline result<void> write_tokenizer(const checkpoint& from, std::size_t vocab, gguf_writer& to,
                                    std::vector<std::string>& notes) {
  return tokenizer_to_gguf(from, vocab, to, notes).write();
}

}  // namespace inlay::detail
