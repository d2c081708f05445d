// SPDX-License-Identifier: Apache-2.0
// tokenizer.json, the format of the `tokenizers` library -> the tokenizer for it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/text/build.hpp"
#include "inlay/text/byte_level_bpe.hpp"
#include "inlay/text/normalizer.hpp"
#include "inlay/text/sentencepiece_bpe.hpp"
#include "inlay/text/tokenizer_file.hpp"
#include "inlay/text/tokenizer_pipeline.hpp"
#include "inlay/text/unigram.hpp"
#include "inlay/text/wordpiece.hpp"

namespace inlay {

namespace detail {

/// Puts the tokens of model and list together and hands them to the models' makers.
class tokenizer_json_builder {
 public:
  tokenizer_json_builder(tokenizer_file file, std::string_view source, const tokenizer_options& options)
      : file_(std::move(file)), source_(source), options_(options) {}

  result<std::unique_ptr<tokenizer>> build(std::size_t json_size) {
    const json_value* model = member(file_.rest, "model");
    if (model == nullptr || !model->is_object()) return refuse(errc::missing, "there is no object \"model\"");
    const std::string_view type = string_of(*model, "type")
                                      .value_or(file_.has_scores        ? "Unigram"
                                                : !file_.merges.empty() ? "BPE"
                                                                        : "WordPiece");
    auto pipeline = read_pipeline(file_.rest, source_, options_.forms, options_.skip_normal_forms);
    if (!pipeline) return unexpected(pipeline.error());
    pipeline_ = std::move(*pipeline);
    if (auto ok = read_added(); !ok) return unexpected(ok.error());
    if (auto ok = number_tokens(json_size); !ok) return unexpected(ok.error());
    if (type == "BPE") return build_bpe(*model);
    if (type == "WordPiece") return build_wordpiece(*model);
    if (type == "Unigram") return build_unigram(*model);
    return refuse(errc::unsupported, concat("the model ", shown(type), " is not known"));
  }

 private:
  struct added {
    std::string text;
    std::int64_t id = -1;
    bool special = false, normalized = false;
    added_token flags;
  };

  unexpected<error> refuse(errc code, std::string_view what) const {
    return fail(code, concat(source_, ": ", what, "."));
  }

  result<void> read_added() {
    const json_value* list = member(file_.rest, "added_tokens");
    if (list == nullptr || list->is_null()) return {};
    if (!list->is_array()) return refuse(errc::format, "\"added_tokens\" is not a list");
    for (const json_value& item : *list) {
      const auto text = string_of(item, "content");
      const auto id = integer_of(item, "id");
      if (!text || !id)
        return refuse(errc::format, concat("added token ", added_.size(), " has no \"content\" or no \"id\""));
      added a{std::string(*text), *id, flag_of(item, "special", false), flag_of(item, "normalized", true), {}};
      a.flags.control = a.special;
      a.flags.strip_left = flag_of(item, "lstrip", false);
      a.flags.strip_right = flag_of(item, "rstrip", false);
      a.flags.single_word = flag_of(item, "single_word", false);
      added_.push_back(std::move(a));
    }
    return {};
  }

  // Ids may have gaps, but no more than a file of this size could name: a token takes five bytes at least.
  result<void> number_tokens(std::size_t json_size) {
    std::int64_t highest = -1;
    const auto check = [&](std::string_view text, std::int64_t id) -> result<void> {
      if (id < 0 || static_cast<std::uint64_t>(id) >= json_size)
        return refuse(errc::format, concat("token ", shown(text), " has the id ", id, ", which is out of range"));
      highest = std::max(highest, id);
      return {};
    };
    for (const tokenizer_file::entry& e : file_.vocabulary)
      if (auto ok = check(e.text, e.id); !ok) return ok;
    for (const added& a : added_)
      if (auto ok = check(a.text, a.id); !ok) return ok;
    if (highest < 0) return refuse(errc::missing, "the vocabulary has no tokens");
    const auto size = static_cast<std::size_t>(highest) + 1;
    if (size > token_table::most_tokens) return refuse(errc::format, "there are too many tokens");
    entry_of_.assign(size, -1);
    for (std::size_t i = 0; i < file_.vocabulary.size(); ++i) {
      std::int32_t& slot = entry_of_[static_cast<std::size_t>(file_.vocabulary[i].id)];
      if (slot >= 0)
        return refuse(errc::format, concat("the id ", file_.vocabulary[i].id, " belongs to two tokens, ",
                                           shown(file_.vocabulary[static_cast<std::size_t>(slot)].text), " and ",
                                           shown(file_.vocabulary[i].text)));
      slot = static_cast<std::int32_t>(i);
    }
    added_of_.assign(size, -1);
    for (std::size_t i = 0; i < added_.size(); ++i)
      added_of_[static_cast<std::size_t>(added_[i].id)] = static_cast<std::int32_t>(i);
    return {};
  }

  /// Fills the table: `decode(text, kind, id)` makes bytes of an ordinary token's text and may change its kind.
  template <class Decode, class InText>
  result<void> fill(const Decode& decode, const InText& in_text) {
    std::string text;
    std::size_t bytes = 0;
    for (const tokenizer_file::entry& e : file_.vocabulary) bytes += e.text.size();
    parts_.tokens.reserve(entry_of_.size(), bytes);
    for (std::size_t id = 0; id < entry_of_.size(); ++id) {
      token_kind kind = token_kind::unused;
      text.clear();
      if (added_of_[id] >= 0) {
        const added& a = added_[static_cast<std::size_t>(added_of_[id])];
        kind = a.special ? token_kind::control : token_kind::user_defined;
        text = a.special || !pipeline_.spaces.marked ? a.text : spaces_for_marks(a.text);
      } else if (entry_of_[id] >= 0) {
        kind = token_kind::normal;
        decode(file_.vocabulary[static_cast<std::size_t>(entry_of_[id])].text, kind, static_cast<token_id>(id), text);
      }
      if (!parts_.tokens.add(text, kind)) return refuse(errc::format, "the tokens' texts are too long");
    }
    if (auto ok = parts_.tokens.index(source_, in_text); !ok) return ok;

    std::vector<added_token_matcher::entry> raw, normalized;
    std::vector<std::string> texts(added_.size());
    for (std::size_t i = 0; i < added_.size(); ++i) {
      added_[i].flags.id = static_cast<token_id>(added_[i].id);
      texts[i] = added_[i].text;
      if (added_[i].normalized) pipeline_.normalize_added(texts[i]);
      (added_[i].normalized ? normalized : raw).push_back({texts[i], added_[i].flags});
    }
    auto first = added_token_matcher::make(raw, source_);
    if (!first) return unexpected(first.error());
    auto second = added_token_matcher::make(normalized, source_);
    if (!second) return unexpected(second.error());
    parts_.added = std::move(*first);
    parts_.added_normalized = std::move(*second);
    parts_.normalizer = std::move(pipeline_.normalizer);
    parts_.strips_first_space = pipeline_.strips_first_space;
    for (const std::string& name : pipeline_.prefix)
      if (auto ok = around(name, parts_.prefix); !ok) return ok;
    for (const std::string& name : pipeline_.suffix)
      if (auto ok = around(name, parts_.suffix); !ok) return ok;
    if (parts_.prefix.size() == 1) parts_.specials.bos = parts_.prefix[0];
    return {};
  }

  result<void> around(const std::string& name, std::vector<token_id>& out) {
    token_id id = parts_.tokens.find_name(name);
    if (id == no_token) id = parts_.tokens.find_text(name);
    if (id == no_token)
      return refuse(errc::format, concat("the post-processor puts ", shown(name), ", which is not in the vocabulary"));
    out.push_back(id);
    return {};
  }

  result<void> read_unknown(const json_value& model) {
    const auto name = string_of(model, "unk_token");
    if (!name) return {};
    token_id id = parts_.tokens.find_name(*name);
    if (id == no_token) id = parts_.tokens.find_text(*name);
    if (id == no_token)
      return refuse(errc::format, concat("the unknown token ", shown(*name), " is not in the vocabulary"));
    parts_.specials.unknown = id;
    return {};
  }

  result<std::unique_ptr<tokenizer>> build_bpe(const json_value& model) {
    if (file_.has_scores) return refuse(errc::format, "the vocabulary of a BPE model has scores");
    for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"})
      if (const auto text = string_of(model, affix); text && !text->empty())
        return refuse(errc::unsupported, concat("BPE with the ", affix, " ", shown(*text), " is not supported"));
    if (const json_value* d = member(model, "dropout"); d != nullptr && d->is_number() && d->get<double>() != 0)
      return refuse(errc::unsupported, "BPE with dropout is not supported");
    const bool whole_words = flag_of(model, "ignore_merges", false);
    return pipeline_.byte_level ? build_byte_level(model, whole_words) : build_characters(model, whole_words);
  }

  result<std::unique_ptr<tokenizer>> build_wordpiece(const json_value& model) {
    if (!pipeline_.bert_words || !pipeline_.words.empty() || pipeline_.spaces.marked)
      return refuse(errc::unsupported, "WordPiece without BERT's cut into words is not supported");
    const std::string_view mark = string_of(model, "continuing_subword_prefix").value_or("##");
    auto ok = fill(
        [&](std::string_view text, token_kind&, token_id, std::string& out) {
          const bool continues = !mark.empty() && text.size() > mark.size() && text.starts_with(mark);
          if (!continues) out = ' ';
          out += continues ? text.substr(mark.size()) : text;
        },
        [](token_id) { return true; });
    if (!ok) return unexpected(ok.error());
    const auto unknown = string_of(model, "unk_token");
    if (unknown) {
      token_id id = parts_.tokens.find_name(*unknown);
      if (id == no_token) id = parts_.tokens.find_text(concat(" ", *unknown));
      if (id == no_token)
        return refuse(errc::format, concat("the unknown token ", shown(*unknown), " is not in the vocabulary"));
      parts_.specials.unknown = id;
    }
    const std::int64_t longest = integer_of(model, "max_input_chars_per_word").value_or(100);
    return std::make_unique<wordpiece>(std::move(parts_), static_cast<std::size_t>(std::max<std::int64_t>(longest, 0)));
  }

  result<std::unique_ptr<tokenizer>> build_byte_level(const json_value& model, bool whole_words) {
    // A token that is not written in the alphabet of bytes never comes from text.
    std::vector<bool> written(entry_of_.size());
    auto ok = fill([&](std::string_view text, token_kind&, token_id id,
                       std::string& out) { written[static_cast<std::size_t>(id)] = decode_alphabet(text, out); },
                   [&](token_id id) {
                     const auto i = static_cast<std::size_t>(id);
                     return written[i] || added_of_[i] >= 0;
                   });
    if (!ok) return unexpected(ok.error());
    if (ok = read_unknown(model); !ok) return unexpected(ok.error());
    std::string left, right;
    auto merges = index_merges(parts_.tokens, file_.merges.size(), source_, [&](std::size_t i) {
      decode_alphabet(file_.merges[i].first, left);
      decode_alphabet(file_.merges[i].second, right);
      return std::pair<std::string_view, std::string_view>{left, right};
    });
    if (!merges) return unexpected(merges.error());
    const byte_level_bpe::options how{.words = pipeline_.words,
                                      .whole_words = whole_words,
                                      .space_before = pipeline_.byte_level_space,
                                      .unknown = parts_.specials.unknown.value_or(no_token)};
    return std::make_unique<byte_level_bpe>(std::move(parts_), std::move(*merges), how);
  }

  /// For models of characters with spaces marked and bytes to fall back to.
  result<void> fill_characters(const json_value& model, std::string_view unknown, byte_tokens& bytes) {
    const bool fallback = flag_of(model, "byte_fallback", false);
    const bool marks = pipeline_.spaces.marked;
    return fill(
        [&](const std::string& text, token_kind& kind, token_id id, std::string& out) {
          if (const int byte = fallback ? byte_of_token(text) : -1; byte >= 0) {
            kind = token_kind::byte;
            bytes.set(byte, id);
            out.assign(1, static_cast<char>(static_cast<unsigned char>(byte)));
          } else if (!unknown.empty() && text == unknown) {
            kind = token_kind::unknown;
            out = text;
          } else {
            out = marks ? spaces_for_marks(text) : text;
          }
        },
        [&](token_id id) {
          if (!marks) return true;  // otherwise a literal space never comes from text, which has the mark in its place
          const std::int32_t entry = entry_of_[static_cast<std::size_t>(id)];
          return entry >= 0 && file_.vocabulary[static_cast<std::size_t>(entry)].text.find(' ') == std::string::npos;
        });
  }

  result<std::unique_ptr<tokenizer>> build_unigram(const json_value& model) {
    if (!file_.has_scores && !file_.vocabulary.empty())
      return refuse(errc::format, "the vocabulary of a Unigram model has no scores");
    if (pipeline_.byte_level || pipeline_.bert_words)
      return refuse(errc::unsupported, "Unigram with this cut into words is not supported");
    std::string_view unknown;
    const auto unknown_id = integer_of(model, "unk_id");
    if (unknown_id) {
      if (*unknown_id < 0 || static_cast<std::uint64_t>(*unknown_id) >= file_.vocabulary.size())
        return refuse(errc::format, concat("the unknown token's id is ", *unknown_id, ", which is out of range"));
      unknown = file_.vocabulary[static_cast<std::size_t>(*unknown_id)].text;
    }
    byte_tokens bytes;
    std::vector<double> scores(entry_of_.size());
    double lowest = 0;
    for (const tokenizer_file::entry& e : file_.vocabulary) {
      if (e.text.size() > unigram::longest_token)
        return refuse(errc::unsupported, concat("token ", e.id, " has ", e.text.size(), " bytes, at most ",
                                                unigram::longest_token, " are supported"));
      scores[static_cast<std::size_t>(e.id)] = e.score;
      lowest = std::min(lowest, e.score);
    }
    if (auto ok = fill_characters(model, unknown, bytes); !ok) return unexpected(ok.error());
    if (unknown_id) parts_.specials.unknown = static_cast<token_id>(*unknown_id);
    for (std::size_t i = 0; i < scores.size(); ++i)
      if (entry_of_[i] < 0) scores[i] = lowest;  // an added token is cut out before
    const unigram::options how{.spaces = pipeline_.spaces, .words = pipeline_.words};
    return std::make_unique<unigram>(std::move(parts_), std::move(scores), bytes, how);
  }

  result<std::unique_ptr<tokenizer>> build_characters(const json_value& model, bool whole_words) {
    byte_tokens bytes;
    const bool marks = pipeline_.spaces.marked;
    const std::string_view unknown = string_of(model, "unk_token").value_or("");
    if (auto ok = fill_characters(model, unknown, bytes); !ok) return unexpected(ok.error());
    if (auto ok = read_unknown(model); !ok) return unexpected(ok.error());
    std::string left, right;
    auto merges = index_merges(parts_.tokens, file_.merges.size(), source_, [&](std::size_t i) {
      if (!marks) return std::pair<std::string_view, std::string_view>{file_.merges[i].first, file_.merges[i].second};
      left = spaces_for_marks(file_.merges[i].first);
      right = spaces_for_marks(file_.merges[i].second);
      return std::pair<std::string_view, std::string_view>{left, right};
    });
    if (!merges) return unexpected(merges.error());
    const sentencepiece_bpe::options how{.spaces = pipeline_.spaces,
                                         .fuse_unknown = flag_of(model, "fuse_unk", false),
                                         .whole_words = whole_words,
                                         .words = pipeline_.words};
    return std::make_unique<sentencepiece_bpe>(std::move(parts_), std::move(*merges), bytes, how);
  }

  tokenizer_file file_;
  std::string source_;
  tokenizer_options options_;
  tokenizer_pipeline pipeline_;
  std::vector<added> added_;
  std::vector<std::int32_t> entry_of_, added_of_;  // by id: the place in the vocabulary, in the list; -1 if in none
  tokenizer_parts parts_;
};

}  // namespace detail

/// The tokenizer that a tokenizer.json describes. Gives the ids that the `tokenizers` library gives, with one choice of
/// its own: what special tokens in the text become is up to the caller of encode. Errors name the file and what is
/// wrong or not supported.
inline result<std::unique_ptr<tokenizer>> tokenizer_from_json(std::string_view json, std::string_view file_name,
                                                              const tokenizer_options& options = {}) {
  auto file = detail::tokenizer_file_reader::read(json, file_name);
  if (!file) return unexpected(file.error());
  return detail::tokenizer_json_builder(std::move(*file), file_name, options).build(json.size());
}

}  // namespace inlay
