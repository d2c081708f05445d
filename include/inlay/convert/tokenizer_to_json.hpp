// SPDX-License-Identifier: Apache-2.0
// The vocabulary of a GGUF as a tokenizer.json, with the files that stand beside it in a folder of safetensors.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/generate/vocabulary_gguf.hpp"
#include "inlay/io/atomic_file.hpp"
#include "inlay/io/json.hpp"
#include "inlay/text/pretokenizer.hpp"
#include "inlay/text/pretokenizer_names.hpp"
#include "inlay/text/spaces.hpp"
#include "inlay/text/token.hpp"

namespace inlay::detail {

inline std::string encode_base64(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(bytes.size() - i, 3);
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j) bits = bits << 8 | (j < left ? bytes[i + j] : 0u);
    for (std::size_t j = 0; j < 4; ++j) out += j <= left ? digits[bits >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

class tokenizer_to_json {
 public:
  explicit tokenizer_to_json(const vocabulary& v) : v_(v) {}

  result<json> make() {
    if (v_.tokens.empty()) return fail(errc::missing, concat(v_.source, ": the vocabulary has no tokens."));
    if (!v_.types.empty() && v_.types.size() != v_.tokens.size())
      return fail(errc::format, concat(v_.source, ": has not as many token types as tokens."));
    if (!v_.scores.empty() && v_.scores.size() != v_.tokens.size())
      return fail(errc::format, concat(v_.source, ": has not as many scores as tokens."));
    out_ = {{"version", "1.0"},          {"truncation", nullptr},
            {"padding", nullptr},        {"added_tokens", json::array()},
            {"normalizer", nullptr},     {"pre_tokenizer", nullptr},
            {"post_processor", nullptr}, {"decoder", nullptr}};
    for (std::size_t i = 0; i < v_.tokens.size(); ++i) {
      const int kind = kind_of(i);
      if (kind == 2 || kind == 3 || kind == 4)
        out_["added_tokens"].push_back({{"id", i},
                                        {"content", std::string(v_.tokens[i])},
                                        {"single_word", false},
                                        {"lstrip", false},
                                        {"rstrip", false},
                                        {"normalized", false},
                                        {"special", kind != 4}});
    }
    if (v_.model == "gpt2") return byte_level();
    if (v_.model == "llama" || v_.model == "gemma4") return characters();
    if (v_.model == "t5") return unigram_model();
    if (v_.model == "bert") return wordpiece_model();
    return fail(errc::unsupported, concat(v_.source, ": the tokenizer model ", v_.model, " is not known."));
  }

 private:
  int kind_of(std::size_t i) const { return v_.types.empty() || v_.types[i] == 0 ? 1 : v_.types[i]; }
  bool is_id(const std::optional<std::int64_t>& id) const {
    return id && *id >= 0 && static_cast<std::uint64_t>(*id) < v_.tokens.size();
  }

  json vocabulary_object() const {
    json vocab = json::object();
    for (std::size_t i = 0; i < v_.tokens.size(); ++i) vocab[std::string(v_.tokens[i])] = i;
    return vocab;
  }
  json merge_list() const {
    json merges = json::array();
    for (const std::string_view line : v_.merges) {
      const std::size_t space = line.empty() ? line.npos : line.find(' ', 1);
      if (space == line.npos) continue;
      merges.push_back({std::string(line.substr(0, space)), std::string(line.substr(space + 1))});
    }
    return merges;
  }

  void put_around(bool bos, bool eos) {
    json single = json::array(), pair = json::array(), special = json::object();
    const auto add = [&](const std::optional<std::int64_t>& id) {
      const std::string text(v_.tokens[static_cast<std::size_t>(*id)]);
      single.push_back({{"SpecialToken", {{"id", text}, {"type_id", 0}}}});
      special[text] = {{"id", text}, {"ids", {*id}}, {"tokens", {text}}};
    };
    if (bos && is_id(v_.bos)) add(v_.bos);
    single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
    if (eos && is_id(v_.eos)) add(v_.eos);
    pair = single;
    pair.push_back({{"Sequence", {{"id", "B"}, {"type_id", 1}}}});
    out_["post_processor"] = {
        {"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", special}};
  }

  result<json> byte_level() {
    const auto words = pretokenizer_by_gguf_name(v_.pre);
    if (!words)
      return fail(errc::unsupported, concat(v_.source, ": the cut into words \"", v_.pre,
                                            "\" (tokenizer.ggml.pre) is not known, so tokenizer.json cannot have it."));
    const bool whole = takes_whole_words(v_.pre);
    json cuts = json::array();
    for (const word_split cut : *words)
      cuts.push_back({{"type", "Split"},
                      {"pattern", {{"Regex", std::string(expression_of(cut))}}},
                      {"behavior", "Isolated"},
                      {"invert", false}});
    const bool space = v_.add_space_prefix.value_or(false);
    cuts.push_back({{"type", "ByteLevel"}, {"add_prefix_space", space}, {"trim_offsets", true}, {"use_regex", false}});
    if (space) {
      if (*words != pretokenizer{word_split::gpt2})
        return fail(errc::unsupported, concat(v_.source, ": puts a space before texts that are cut by ", v_.pre,
                                              ", which tokenizer.json cannot express."));
      cuts = {{{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}}};
    }
    out_["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", cuts}};
    if (implies_nfc(v_.pre)) out_["normalizer"] = {{"type", "NFC"}};
    out_["decoder"] = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};
    out_["model"] = {{"type", "BPE"},
                     {"dropout", nullptr},
                     {"unk_token", nullptr},
                     {"continuing_subword_prefix", nullptr},
                     {"end_of_word_suffix", nullptr},
                     {"fuse_unk", false},
                     {"byte_fallback", false},
                     {"ignore_merges", whole},
                     {"vocab", vocabulary_object()},
                     {"merges", merge_list()}};
    put_around(v_.add_bos.value_or(whole), v_.add_eos.value_or(false));
    return std::move(out_);
  }

  /// Every way to make a token of two others, the best token first: what merging by score amounts to.
  json merges_by_score() const {
    std::unordered_map<std::string_view, std::size_t> ids;
    for (std::size_t i = 0; i < v_.tokens.size(); ++i)
      if (kind_of(i) == 1) ids.emplace(v_.tokens[i], i);
    std::vector<std::tuple<float, std::size_t, std::size_t, std::size_t>> found;  // -score, token, left, right
    for (const auto& [text, id] : ids)
      for (std::size_t at = 1; at < text.size(); ++at) {
        if ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) continue;
        const auto left = ids.find(text.substr(0, at)), right = ids.find(text.substr(at));
        if (left != ids.end() && right != ids.end())
          found.emplace_back(v_.scores.empty() ? 0.0f : -v_.scores[id], id, left->second, right->second);
      }
    std::sort(found.begin(), found.end());
    json merges = json::array();
    for (const auto& [score, id, left, right] : found)
      merges.push_back({std::string(v_.tokens[left]), std::string(v_.tokens[right])});
    return merges;
  }

  result<json> characters() {
    const bool by_rank = v_.model == "gemma4";
    const bool space = v_.add_space_prefix.value_or(!by_rank);
    const std::string mark(space_mark);
    json steps = json::array();
    if (space) steps.push_back({{"type", "Prepend"}, {"prepend", mark}});
    steps.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", mark}});
    out_["normalizer"] = {{"type", "Sequence"}, {"normalizers", steps}};
    if (by_rank)
      out_["pre_tokenizer"] = {{"type", "Split"},
                               {"pattern", {{"Regex", std::string(expression_of(word_split::lines))}}},
                               {"behavior", "Isolated"},
                               {"invert", false}};
    json decoders = {{{"type", "Replace"}, {"pattern", {{"String", mark}}}, {"content", " "}},
                     {{"type", "ByteFallback"}},
                     {{"type", "Fuse"}}};
    if (space) decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    out_["decoder"] = {{"type", "Sequence"}, {"decoders", decoders}};
    std::optional<std::int64_t> unknown = v_.unknown;
    if (!unknown && v_.model == "llama") unknown = 0;
    bool bytes = false;
    for (std::size_t i = 0; i < v_.tokens.size(); ++i) bytes = bytes || kind_of(i) == 6;
    out_["model"] = {{"type", "BPE"},
                     {"dropout", nullptr},
                     {"unk_token", is_id(unknown) ? json(std::string(v_.tokens[static_cast<std::size_t>(*unknown)]))
                                                  : json(nullptr)},
                     {"continuing_subword_prefix", nullptr},
                     {"end_of_word_suffix", nullptr},
                     {"fuse_unk", true},
                     {"byte_fallback", bytes},
                     {"ignore_merges", false},
                     {"vocab", vocabulary_object()},
                     {"merges", by_rank ? merge_list() : merges_by_score()}};
    put_around(v_.add_bos.value_or(true), v_.add_eos.value_or(false));
    return std::move(out_);
  }

  result<json> unigram_model() {
    if (v_.scores.empty()) return fail(errc::missing, concat(v_.source, ": the vocabulary has no scores."));
    const std::string mark(space_mark);
    json steps = json::array();
    if (!v_.precompiled_charsmap.empty())
      steps.push_back({{"type", "Precompiled"}, {"precompiled_charsmap", encode_base64(v_.precompiled_charsmap)}});
    if (v_.remove_extra_whitespaces.value_or(true)) {
      steps.push_back({{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", " "}});
      steps.push_back({{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}});
    }
    if (!steps.empty()) out_["normalizer"] = {{"type", "Sequence"}, {"normalizers", steps}};
    const char* scheme = v_.add_space_prefix.value_or(true) ? "always" : "never";
    const json metaspace = {{"type", "Metaspace"}, {"replacement", mark}, {"prepend_scheme", scheme}, {"split", false}};
    out_["pre_tokenizer"] = metaspace;
    out_["decoder"] = metaspace;
    json list = json::array();
    bool bytes = false;
    for (std::size_t i = 0; i < v_.tokens.size(); ++i) {
      list.push_back({std::string(v_.tokens[i]), v_.scores[i]});
      bytes = bytes || kind_of(i) == 6;
    }
    out_["model"] = {{"type", "Unigram"},
                     {"unk_id", is_id(v_.unknown) ? *v_.unknown : 2},
                     {"vocab", list},
                     {"byte_fallback", bytes}};
    put_around(v_.add_bos.value_or(false), v_.add_eos.value_or(true));
    return std::move(out_);
  }

  result<json> wordpiece_model() {
    const auto spelt = [&](std::size_t i) {
      const std::string_view t = v_.tokens[i];
      return kind_of(i) != 1             ? std::string(t)
             : t.starts_with(space_mark) ? std::string(t.substr(space_mark.size()))
                                         : concat("##", t);
    };
    json vocab = json::object();
    for (std::size_t i = 0; i < v_.tokens.size(); ++i) vocab[spelt(i)] = i;
    const auto text_of = [&](const std::optional<std::int64_t>& id, std::size_t otherwise) {
      const std::size_t at = is_id(id) ? static_cast<std::size_t>(*id) : std::min(otherwise, v_.tokens.size() - 1);
      return std::pair{spelt(at), at};
    };
    const auto [begin, begin_id] = text_of(v_.classify ? v_.classify : v_.bos, 101);
    const auto [end, end_id] = text_of(v_.separator, 102);
    out_["normalizer"] = {{"type", "BertNormalizer"},
                          {"clean_text", true},
                          {"handle_chinese_chars", true},
                          {"strip_accents", nullptr},
                          {"lowercase", true}};
    out_["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
    out_["post_processor"] = {{"type", "BertProcessing"}, {"sep", {end, end_id}}, {"cls", {begin, begin_id}}};
    out_["decoder"] = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
    out_["model"] = {{"type", "WordPiece"},
                     {"unk_token", text_of(v_.unknown, 100).first},
                     {"continuing_subword_prefix", "##"},
                     {"max_input_chars_per_word", 100},
                     {"vocab", vocab}};
    return std::move(out_);
  }

  const vocabulary& v_;
  json out_;
};

/// tokenizer.json, tokenizer_config.json and generation_config.json of a GGUF's vocabulary; adds to config.json what it
/// says about tokens.
inline result<void> write_tokenizer_files(const gguf_file& from, const std::string& folder, json& config,
                                          std::vector<std::string>& notes) {
  const auto write = [&](std::string_view name, const json& document) -> result<void> {
    auto file = atomic_file::create((std::filesystem::path(folder) / name).string());
    if (!file) return unexpected<error>(std::move(file).error());
    const std::string text = document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
    if (auto written = file->write(std::as_bytes(std::span(text))); !written) return written;
    return file->commit();
  };
  // Stated even where there are none: readers have numbers of their own otherwise.
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) config[key] = nullptr;
  const auto model = from.get_or<std::string_view>("tokenizer.ggml.model", "none");
  if (model && *model == "none") {
    notes.push_back(concat(from.path(), ": has no tokenizer, so the folder has none."));
    return {};
  }
  const auto v = vocabulary_from_gguf(from);
  if (!v) return unexpected<error>(v.error());
  auto tokenizer = tokenizer_to_json(*v).make();
  if (!tokenizer) return unexpected<error>(std::move(tokenizer).error());
  if (auto written = write("tokenizer.json", *tokenizer); !written) return written;

  json settings = {{"tokenizer_class", "PreTrainedTokenizerFast"}};
  const auto name = [&](const char* key, const char* id_key, const std::optional<std::int64_t>& id) {
    if (!id || *id < 0 || static_cast<std::uint64_t>(*id) >= v->tokens.size()) return;
    settings[key] = std::string(v->tokens[static_cast<std::size_t>(*id)]);
    if (id_key[0] != '\0') config[id_key] = *id;
  };
  name("bos_token", "bos_token_id", v->bos);
  name("eos_token", "eos_token_id", v->eos);
  name("pad_token", "pad_token_id", v->padding);
  name("unk_token", "", v->unknown);
  name("sep_token", "", v->separator);
  name("cls_token", "", v->classify);
  name("mask_token", "", v->mask);
  if (const auto chat = from.get<std::string_view>("tokenizer.chat_template"))
    settings["chat_template"] = std::string(*chat);
  json stops = json::array();
  for (const auto& id : {v->eos, v->eot, v->eom})
    if (id && *id >= 0) stops.push_back(*id);
  if (!stops.empty())
    if (auto written = write("generation_config.json", {{"eos_token_id", stops}}); !written) return written;
  return write("tokenizer_config.json", settings);
}

}  // namespace inlay::detail
