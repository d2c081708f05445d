// SPDX-License-Identifier: Apache-2.0
// A vocabulary as GGUF carries it -> the tokenizer for it.
#pragma once

#include <cmath>
#include <cstddef>
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
#include "inlay/text/pretokenizer_names.hpp"
#include "inlay/text/sentencepiece_bpe.hpp"
#include "inlay/text/unigram.hpp"
#include "inlay/text/vocabulary.hpp"
#include "inlay/text/wordpiece.hpp"

namespace inlay {

namespace detail {

/// Checks what every model's vocabulary must fulfil.
inline result<void> check(const vocabulary& v) {
  if (v.tokens.empty()) return fail(errc::missing, concat(v.source, ": the vocabulary has no tokens."));
  if (v.tokens.size() > token_table::most_tokens)
    return fail(errc::format, concat(v.source, ": too many tokens: ", v.tokens.size(), "."));
  if (!v.types.empty() && v.types.size() != v.tokens.size())
    return fail(errc::format,
                concat(v.source, ": ", v.tokens.size(), " tokens, but ", v.types.size(), " token types."));
  if (!v.scores.empty() && v.scores.size() != v.tokens.size())
    return fail(errc::format, concat(v.source, ": ", v.tokens.size(), " tokens, but ", v.scores.size(), " scores."));
  for (std::size_t i = 0; i < v.scores.size(); ++i)
    if (std::isnan(v.scores[i])) return fail(errc::format, concat(v.source, ": the score of token ", i, " is NaN."));
  for (std::size_t i = 0; i < v.types.size(); ++i)
    if (v.types[i] < 0 || v.types[i] > 6)
      return fail(errc::format, concat(v.source, ": token ", i, " has the unknown type ", v.types[i], "."));
  return {};
}

inline token_kind kind_of(const vocabulary& v, std::size_t i) noexcept {
  // 0 is "undefined", which converters write for ordinary tokens.
  return v.types.empty() || v.types[i] == 0 ? token_kind::normal : static_cast<token_kind>(v.types[i]);
}

/// The ids with a role; `defaults` holds where the file is silent.
inline result<special_ids> specials_of(const vocabulary& v, const special_ids& defaults) {
  special_ids out = defaults;
  struct role {
    std::string_view name;
    const std::optional<std::int64_t>& given;
    std::optional<token_id>& id;
  };
  for (const role& r : {role{"bos", v.bos, out.bos}, role{"eos", v.eos, out.eos}, role{"eot", v.eot, out.eot},
                        role{"eom", v.eom, out.eom}, role{"unknown", v.unknown, out.unknown},
                        role{"padding", v.padding, out.padding}, role{"separator", v.separator, out.separator},
                        role{"cls", v.classify, out.classify}, role{"mask", v.mask, out.mask}}) {
    if (r.given) {
      const std::int64_t id = *r.given;
      if (id == -1 || id == 0xFFFFFFFF)
        r.id.reset();
      else if (id < 0 || static_cast<std::uint64_t>(id) >= v.tokens.size())
        return fail(errc::format, concat(v.source, ": the ", r.name, " token is ", id, ", but there are only ",
                                         v.tokens.size(), " tokens."));
      else
        r.id = static_cast<token_id>(id);
    }
    if (r.id && static_cast<std::size_t>(*r.id) >= v.tokens.size()) r.id.reset();  // a default that is not there
  }
  return out;
}

/// Phi-3's marks take the white space after them along. The file does not say so; its tokens tell which vocabulary it
/// is.
inline bool is_phi3(const vocabulary& v) noexcept {
  std::size_t found = 0;
  for (const std::string_view t : v.tokens) found += t == "<|user|>" || t == "<|end|>" || t == "<|placeholder1|>";
  return v.model == "llama" && found == 3;
}

/// The tokens that are cut out of the text. Those of kind unknown are names too, as control tokens are.
inline result<added_token_matcher> added_of(const vocabulary& v) {
  std::vector<added_token_matcher::entry> entries;
  const bool phi3 = is_phi3(v);
  for (std::size_t i = 0; i < v.tokens.size(); ++i) {
    const token_kind k = kind_of(v, i);
    if (k == token_kind::control || k == token_kind::unknown || k == token_kind::user_defined)
      entries.push_back({v.tokens[i],
                         {.id = static_cast<token_id>(i),
                          .control = k != token_kind::user_defined,
                          .strip_right = phi3 && v.tokens[i].starts_with("<|") && v.tokens[i] != "<|endoftext|>"}});
  }
  return added_token_matcher::make(entries, v.source);
}

/// The merges, "left right" with a space that is not the first character; `decode(text, out)` makes a token's bytes.
template <class Decode>
result<merge_index> read_merges(const token_table& tokens, const vocabulary& v, const Decode& decode) {
  std::string left, right;
  return index_merges(tokens, v.merges.size(), v.source, [&](std::size_t i) {
    const std::string_view line = v.merges[i];
    const std::size_t space = line.empty() ? line.npos : line.find(' ', 1);
    if (space == line.npos) return std::pair<std::string_view, std::string_view>{};
    decode(line.substr(0, space), left);
    decode(line.substr(space + 1), right);
    return std::pair<std::string_view, std::string_view>{left, right};
  });
}

inline result<std::unique_ptr<tokenizer>> make_byte_level_bpe(const vocabulary& v, const tokenizer_options& options) {
  const std::optional<pretokenizer> words = pretokenizer_by_gguf_name(v.pre);
  if (!words)
    return fail(errc::unsupported,
                concat(v.source,
                       v.pre.empty() ? std::string(": the file does not say how text is cut into words "
                                                   "(tokenizer.ggml.pre)")
                                     : concat(": the pre-tokenizer ", shown(v.pre), " is not known"),
                       "."));
  tokenizer_parts parts;
  std::size_t bytes = 0;
  for (const std::string_view t : v.tokens) bytes += t.size();
  parts.tokens.reserve(v.tokens.size(), bytes);
  std::string text;
  std::vector<bool> in_text(v.tokens.size(), true);
  for (std::size_t i = 0; i < v.tokens.size(); ++i) {
    const token_kind kind = kind_of(v, i);
    if (kind == token_kind::normal || kind == token_kind::unused)
      in_text[i] = decode_alphabet(v.tokens[i], text);  // what is not written in it never comes from text
    else
      text = v.tokens[i];
    if (!parts.tokens.add(text, kind)) return fail(errc::format, concat(v.source, ": the tokens' texts are too long."));
  }
  if (auto ok = parts.tokens.index(v.source, [&](token_id id) { return in_text[static_cast<std::size_t>(id)]; }); !ok)
    return unexpected(ok.error());
  auto merges = read_merges(parts.tokens, v, decode_alphabet);
  if (!merges) return unexpected(merges.error());
  auto specials = specials_of(v, {});
  if (!specials) return unexpected(specials.error());
  auto added = added_of(v);
  if (!added) return unexpected(added.error());
  parts.specials = *specials;
  parts.added = std::move(*added);
  const bool whole = takes_whole_words(v.pre);
  if (v.add_bos.value_or(whole) && parts.specials.bos) parts.prefix.push_back(*parts.specials.bos);
  if (v.add_eos.value_or(false) && parts.specials.eos) parts.suffix.push_back(*parts.specials.eos);
  if (options.forms != nullptr && implies_nfc(v.pre))
    parts.normalizer = std::make_unique<normalizer_chain>(
        std::vector<normalizer_chain::step>{{normalizer_chain::kind::nfc}}, options.forms);
  const byte_level_bpe::options how{
      .words = *words, .whole_words = whole, .space_before = v.add_space_prefix.value_or(false)};
  return std::make_unique<byte_level_bpe>(std::move(parts), std::move(*merges), how);
}

/// The table of a vocabulary with marks for spaces and tokens of bytes.
inline result<void> fill_characters(const vocabulary& v, std::size_t longest, tokenizer_parts& parts,
                                    byte_tokens& spelt) {
  std::size_t bytes = 0;
  for (const std::string_view t : v.tokens) bytes += t.size();
  parts.tokens.reserve(v.tokens.size(), bytes);
  for (std::size_t i = 0; i < v.tokens.size(); ++i) {
    const token_kind kind = kind_of(v, i);
    std::string text(v.tokens[i]);
    if (kind == token_kind::byte) {
      const int byte = byte_of_token(text);
      if (byte < 0)
        return fail(errc::format, concat(v.source, ": token ", i, " is of type byte, but reads ", shown(text),
                                         ", not like \"<0x0A>\"."));
      spelt.set(byte, static_cast<token_id>(i));
      text.assign(1, static_cast<char>(static_cast<unsigned char>(byte)));
    } else if (kind != token_kind::control && kind != token_kind::unknown) {
      text = spaces_for_marks(text);
      if (text.size() > longest)
        return fail(errc::unsupported, concat(v.source, ": token ", i, " has ", text.size(), " bytes, at most ",
                                              longest, " are supported."));
    }
    if (!parts.tokens.add(text, kind)) return fail(errc::format, concat(v.source, ": the tokens' texts are too long."));
  }
  // A literal space never comes from text, which has the mark in its place.
  return parts.tokens.index(v.source, [&v](token_id id) {
    return v.tokens[static_cast<std::size_t>(id)].find(' ') == std::string_view::npos;
  });
}

inline result<std::unique_ptr<tokenizer>> make_sentencepiece_bpe(const vocabulary& v) {
  tokenizer_parts parts;
  byte_tokens spelt;
  if (auto ok = fill_characters(v, sentencepiece_bpe::longest_scored, parts, spelt); !ok) return unexpected(ok.error());
  const special_ids defaults = v.model == "llama" ? special_ids{.bos = 1, .eos = 2, .unknown = 0} : special_ids{};
  auto specials = specials_of(v, defaults);
  if (!specials) return unexpected(specials.error());
  auto added = added_of(v);
  if (!added) return unexpected(added.error());
  parts.specials = *specials;
  parts.added = std::move(*added);
  if (v.add_bos.value_or(true) && parts.specials.bos) parts.prefix.push_back(*parts.specials.bos);
  if (v.add_eos.value_or(false) && parts.specials.eos) parts.suffix.push_back(*parts.specials.eos);
  const bool by_rank = v.model == "gemma4";
  const bool space = v.add_space_prefix.value_or(!by_rank);
  parts.strips_first_space = space;
  sentencepiece_bpe::options how{.spaces = {.before = space ? space_before::always : space_before::never}};
  if (!by_rank) return std::make_unique<sentencepiece_bpe>(std::move(parts), v.scores, spelt, how);
  auto merges =
      read_merges(parts.tokens, v, [](std::string_view text, std::string& out) { out = spaces_for_marks(text); });
  if (!merges) return unexpected(merges.error());
  how.words = {word_split::lines};
  how.whole_line_ends = true;
  return std::make_unique<sentencepiece_bpe>(std::move(parts), std::move(*merges), spelt, how);
}

inline result<std::unique_ptr<tokenizer>> make_unigram(const vocabulary& v) {
  if (v.scores.empty()) return fail(errc::missing, concat(v.source, ": the vocabulary has no scores."));
  tokenizer_parts parts;
  byte_tokens spelt;
  if (auto ok = fill_characters(v, unigram::longest_token, parts, spelt); !ok) return unexpected(ok.error());
  auto specials = specials_of(v, {.eos = 1, .unknown = 2, .padding = 0});
  if (!specials) return unexpected(specials.error());
  auto added = added_of(v);
  if (!added) return unexpected(added.error());
  auto map = charsmap::make(
      {reinterpret_cast<const char*>(v.precompiled_charsmap.data()), v.precompiled_charsmap.size()}, v.source);
  if (!map) return unexpected(map.error());
  parts.specials = *specials;
  parts.added = std::move(*added);
  if (v.add_bos.value_or(false) && parts.specials.bos) parts.prefix.push_back(*parts.specials.bos);
  if (v.add_eos.value_or(true) && parts.specials.eos) parts.suffix.push_back(*parts.specials.eos);
  using kind = normalizer_chain::kind;
  std::vector<normalizer_chain::step> steps;
  if (!map->empty()) steps.push_back({.what = kind::charsmap, .map = std::move(*map)});
  if (v.remove_extra_whitespaces.value_or(true))
    steps.push_back({kind::collapse_spaces}), steps.push_back({kind::strip_spaces});
  parts.normalizer = std::make_unique<normalizer_chain>(std::move(steps), nullptr);
  const bool space = v.add_space_prefix.value_or(true);
  parts.strips_first_space = space;
  std::vector<double> scores(v.scores.begin(), v.scores.end());
  const unigram::options how{.spaces = {.before = space ? space_before::always : space_before::never}};
  return std::make_unique<unigram>(std::move(parts), std::move(scores), spelt, how);
}

// The file does not say how the text is normalized; converters are for models that take accents and capitals away.
inline result<std::unique_ptr<tokenizer>> make_wordpiece(const vocabulary& v, const tokenizer_options& options) {
  if (options.forms == nullptr)
    return fail(errc::unsupported, concat(v.source,
                                          ": the tokenizer normalizes its text, and no library for that was "
                                          "given: see inlay/text/unicode_forms_utf8proc.hpp."));
  tokenizer_parts parts;
  std::string text;
  for (std::size_t i = 0; i < v.tokens.size(); ++i) {
    const token_kind kind = kind_of(v, i);
    const bool begins = kind == token_kind::normal && v.tokens[i].starts_with(space_mark);
    text = begins ? " " : "";
    text += v.tokens[i].substr(begins ? space_mark.size() : 0);
    if (!parts.tokens.add(text, kind)) return fail(errc::format, concat(v.source, ": the tokens' texts are too long."));
  }
  if (auto ok = parts.tokens.index(v.source, [](token_id) { return true; }); !ok) return unexpected(ok.error());
  auto specials = specials_of(v, {.bos = 101, .unknown = 100, .padding = 0, .separator = 102, .mask = 103});
  if (!specials) return unexpected(specials.error());
  if (!specials->classify) specials->classify = specials->bos;
  auto added = added_of(v);
  if (!added) return unexpected(added.error());
  parts.specials = *specials;
  parts.added = std::move(*added);
  parts.strips_first_space = true;
  if (v.add_bos.value_or(true) && specials->classify) parts.prefix.push_back(*specials->classify);
  if (specials->separator) parts.suffix.push_back(*specials->separator);
  using kind = normalizer_chain::kind;
  parts.normalizer = std::make_unique<normalizer_chain>(
      std::vector<normalizer_chain::step>{
          {kind::clean}, {kind::space_ideographs}, {kind::nfd}, {kind::strip_accents}, {kind::lowercase}},
      options.forms);
  constexpr std::size_t longest_word = 100;  // BERT's
  return std::make_unique<wordpiece>(std::move(parts), longest_word);
}

}  // namespace detail

/// The tokenizer of a vocabulary. With `options.forms`, Qwen's texts are normalized as the models were trained on;
/// llama.cpp leaves that out, and so does this without. Errors name the source and what is wrong with it; nothing in a
/// vocabulary makes this take more memory than in proportion to its size.
inline result<std::unique_ptr<tokenizer>> make_tokenizer(const vocabulary& v, const tokenizer_options& options = {}) {
  if (auto ok = detail::check(v); !ok) return unexpected(ok.error());
  if (v.model == "gpt2") return detail::make_byte_level_bpe(v, options);
  if (v.model == "llama" || v.model == "gemma4") return detail::make_sentencepiece_bpe(v);
  if (v.model == "t5") return detail::make_unigram(v);
  if (v.model == "bert") return detail::make_wordpiece(v, options);
  return fail(errc::unsupported, concat(v.source, ": the tokenizer model ", detail::shown(v.model), " is not known."));
}

}  // namespace inlay
