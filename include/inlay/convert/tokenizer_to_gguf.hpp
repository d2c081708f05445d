// SPDX-License-Identifier: Apache-2.0
// A tokenizer.json, and what the files beside it say, as the metadata of a GGUF. What the keys of GGUF cannot express
// is an error that says so, never a tokenizer that gives other ids.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/generate/read_tokenizer.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/io/gguf_writer.hpp"
#include "inlay/io/json.hpp"
#include "inlay/text/byte_tokens.hpp"
#include "inlay/text/pretokenizer.hpp"
#include "inlay/text/spaces.hpp"
#include "inlay/text/token.hpp"
#include "inlay/text/tokenizer_file.hpp"
#include "inlay/text/tokenizer_pipeline.hpp"

namespace inlay::detail {

/// The first `tokenizer.ggml.pre` whose cuts these are.
inline std::string_view gguf_name_of(const pretokenizer& words, bool whole_words) {
  for (const std::string_view name : {"gpt-2", "smollm", "llama-bpe", "dbrx", "qwen2", "qwen35", "tekken", "gpt-4o"})
    if (pretokenizer_by_gguf_name(name) == words && takes_whole_words(name) == whole_words) return name;
  return {};
}

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
    // Whether the text is normalized first is implied by the kind of tokenizer in a GGUF.
    auto pipeline = read_pipeline(file_.rest, source_, nullptr, true);
    const json_value* model = member(file_.rest, "model");
    if (model == nullptr || !model->is_object()) return refuse("has no model");
    const std::string_view type = string_of(*model, "type").value_or("BPE");
    if (!pipeline && type != "WordPiece") return unexpected(pipeline.error());
    if (pipeline) pipeline_ = std::move(*pipeline);
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
        tokens_[id] = e.text.starts_with(mark) && e.text.size() > mark.size() ? e.text.substr(mark.size())
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
    const auto at = std::find(tokens_.begin(), tokens_.end(), text);
    if (at == tokens_.end()) return std::nullopt;
    return static_cast<std::size_t>(at - tokens_.begin());
  }

  /// Tokens with a role, from tokenizer_config.json and config.json; what is put around a text; the chat template.
  result<void> finish(bool around_is_implied) {
    const auto config = parse_json(read_beside(from_, "tokenizer_config.json"), source_);
    const auto model_config = parse_json(from_.config(), source_);
    const auto name_in = [&](const char* key) -> std::optional<std::string> {
      const json_value* v = config ? member(*config, key) : nullptr;
      if (v != nullptr && v->is_object()) v = member(*v, "content");
      return v != nullptr && v->is_string() ? std::optional(v->get<std::string>()) : std::nullopt;
    };
    std::optional<std::size_t> bos, eos;
    struct role {
      const char* name;
      const char* id_in_config;
      std::string_view key;
      std::optional<std::size_t>* kept;
    };
    std::optional<std::size_t> ignored;
    for (const role& r : {role{"bos_token", "bos_token_id", "tokenizer.ggml.bos_token_id", &bos},
                          role{"eos_token", "eos_token_id", "tokenizer.ggml.eos_token_id", &eos},
                          role{"unk_token", "", "tokenizer.ggml.unknown_token_id", &ignored},
                          role{"pad_token", "pad_token_id", "tokenizer.ggml.padding_token_id", &ignored},
                          role{"sep_token", "", "tokenizer.ggml.seperator_token_id", &ignored},
                          role{"cls_token", "", "tokenizer.ggml.cls_token_id", &ignored},
                          role{"mask_token", "", "tokenizer.ggml.mask_token_id", &ignored}}) {
      std::optional<std::size_t> id;
      if (const auto text = name_in(r.name)) id = id_of(*text);
      if (!id && model_config && r.id_in_config[0] != '\0') {
        const json_value* v = member(*model_config, r.id_in_config);
        if (v != nullptr && v->is_array() && !v->empty()) v = &v->front();
        if (v != nullptr && v->is_number_unsigned() && v->get<std::size_t>() < tokens_.size())
          id = v->get<std::size_t>();
      }
      *r.kept = id;
      if (id) to_.set(r.key, static_cast<std::uint32_t>(*id));
    }
    if (!around_is_implied) {
      const auto is = [&](const std::vector<std::string>& names, const std::optional<std::size_t>& id) {
        return names.empty() || (names.size() == 1 && id && tokens_[*id] == names[0]);
      };
      if (!is(pipeline_.prefix, bos)) {
        if (bos || pipeline_.prefix.size() != 1 || !(bos = id_of(pipeline_.prefix[0])))
          return refuse(concat("puts other tokens before a text than the begin of a sequence"));
        to_.set("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(*bos));
      }
      if (!is(pipeline_.suffix, eos)) {
        if (eos || pipeline_.suffix.size() != 1 || !(eos = id_of(pipeline_.suffix[0])))
          return refuse(concat("puts other tokens behind a text than the end of a sequence"));
        to_.set("tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(*eos));
      }
      to_.set("tokenizer.ggml.add_bos_token", !pipeline_.prefix.empty());
      to_.set("tokenizer.ggml.add_eos_token", !pipeline_.suffix.empty());
    }
    std::string chat = read_beside(from_, "chat_template.jinja");
    if (chat.empty()) chat = name_in("chat_template").value_or("");
    if (!chat.empty()) to_.set("tokenizer.chat_template", std::string_view(chat));
    return {};
  }

  result<void> byte_level(const json_value& model) {
    const std::string_view pre = gguf_name_of(pipeline_.words, flag_of(model, "ignore_merges", false));
    if (pre.empty()) return refuse("cuts text into words in a way that has no name in tokenizer.ggml.pre");
    if (string_of(model, "unk_token")) return refuse("has bytes without a token, and a token for the unknown");
    const json_value* normalizer = member(file_.rest, "normalizer");
    if (normalizer != nullptr && !normalizer->is_null() && find_type(*normalizer, "Sequence") == nullptr) {
      const bool nfc = string_of(*normalizer, "type") == "NFC";
      if (!nfc) return refuse(concat("normalizes text by ", shown(string_of(*normalizer, "type").value_or(""))));
      if (!pre.starts_with("qwen")) notes_.push_back(concat(source_, ": text is no longer brought into NFC."));
    }
    write_tokens("gpt2", false);
    to_.set("tokenizer.ggml.pre", pre);
    write_merges();
    to_.set("tokenizer.ggml.add_space_prefix", pipeline_.byte_level_space);
    return finish(false);
  }

  /// SentencePiece's BPE: merges by the score of what they make, which the ranks of the merges give.
  result<void> characters(const json_value& model) {
    if (!pipeline_.spaces.marked) return refuse("is a BPE of characters in which spaces are not marked");
    if (flag_of(model, "ignore_merges", false)) return refuse("takes whole words before merging");
    if (pipeline_.words == pretokenizer{word_split::lines}) {
      std::fill(scores_.begin(), scores_.end(), -1000.0f);
      write_tokens("gemma4", true);
      write_merges();
      to_.set("tokenizer.ggml.add_space_prefix", pipeline_.spaces.before != space_before::never);
      return finish(false);
    }
    const bool at_spaces = pipeline_.words == pretokenizer{word_split::before_spaces};
    if (!pipeline_.words.empty() && !at_spaces) return refuse("cuts text into words before it merges characters");
    if (at_spaces)
      for (const auto& e : file_.vocabulary)
        if (e.text.find(space_mark, 1) != std::string::npos)
          return refuse(concat("never merges over a space, but has the token ", shown(e.text)));
    std::unordered_map<std::string_view, std::size_t> ids;
    for (const auto& e : file_.vocabulary) ids.emplace(e.text, static_cast<std::size_t>(e.id));
    std::fill(scores_.begin(), scores_.end(), -std::numeric_limits<float>::max());
    std::vector<bool> made(tokens_.size());
    std::string text, last;
    std::size_t rank = 0;
    for (const auto& [left, right] : file_.merges) {
      text = left + right;
      if (text == last) continue;
      const auto id = ids.find(text);
      if (id == ids.end()) return refuse(concat("merges to ", shown(text), ", which is no token"));
      if (made[id->second]) return refuse(concat("ranks the merges that make ", shown(text), " apart from each other"));
      made[id->second] = true;
      scores_[id->second] = -static_cast<float>(rank++);
      last = text;
    }
    if (rank >= std::size_t{1} << 24) return refuse("has too many merges for scores in f32");
    for (std::size_t i = 0; i < scores_.size(); ++i)
      if (!made[i]) scores_[i] = types_[i] == 1 ? -static_cast<float>(rank) : 0.0f;
    if (auto ok = no_accidental_merges(ids, made); !ok) return ok;
    write_tokens("llama", true);
    to_.set("tokenizer.ggml.pre", "default");
    to_.set("tokenizer.ggml.add_space_prefix", pipeline_.spaces.before != space_before::never);
    note_space_before();
    return finish(false);
  }

  void note_space_before() {
    if (pipeline_.spaces.before == space_before::unless_present)
      notes_.push_back(concat(source_, ": a text that begins with a space gets another one before it in a GGUF."));
  }

  /// By scores any two neighbours that make a token are merged, whether or not the list has the pair.
  result<void> no_accidental_merges(const std::unordered_map<std::string_view, std::size_t>& ids,
                                    const std::vector<bool>& made) const {
    std::unordered_map<std::string, bool> pairs;
    for (const auto& [left, right] : file_.merges) pairs.emplace(concat(left, " ", right), true);
    for (const auto& [text, id] : ids) {
      if (types_[id] != static_cast<std::int32_t>(token_kind::normal)) continue;
      for (std::size_t at = 1; at < text.size(); ++at) {
        const auto left = ids.find(text.substr(0, at)), right = ids.find(text.substr(at));
        if (left == ids.end() || right == ids.end()) continue;
        const bool both = types_[left->second] == 1 && types_[right->second] == 1;
        if (both && !pairs.contains(concat(left->first, " ", right->first)))
          return refuse(concat(made[id] ? "does not merge every pair that makes " : "never makes ", shown(text)));
      }
    }
    return {};
  }

  result<void> unigram_model(const json_value&) {
    if (!pipeline_.spaces.marked) return refuse("is a Unigram model in which spaces are not marked");
    if (!pipeline_.words.empty()) return refuse("cuts text into words before a Unigram model sees it");
    note_space_before();
    write_tokens("t5", true);
    to_.set("tokenizer.ggml.pre", "default");
    to_.set("tokenizer.ggml.add_space_prefix", pipeline_.spaces.before != space_before::never);
    const json_value* normalizer = member(file_.rest, "normalizer");
    bool collapses = false;
    if (normalizer != nullptr) {
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
    return finish(false);
  }

  result<void> wordpiece_model(const json_value&) {
    const json_value* normalizer = member(file_.rest, "normalizer");
    const bool lower = normalizer != nullptr && string_of(*normalizer, "type") == "BertNormalizer" &&
                       flag_of(*normalizer, "lowercase", true) && flag_of(*normalizer, "strip_accents", true);
    if (!lower) return refuse("keeps capitals or accents");
    write_tokens("bert", false);
    to_.set("tokenizer.ggml.pre", "default");
    return finish(true);
  }

  const checkpoint& from_;
  std::string source_;
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
