// SPDX-License-Identifier: Apache-2.0
// Byte-level BPE (GPT-2, Llama 3, Qwen, SmolLM2, Tekken): the text is cut into words, a word begins as its bytes, and
// the merges join them by rank. (Sennrich et al. 2016, arXiv:1508.07909; Radford et al. 2019.)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/text/flat_index.hpp"
#include "inlay/text/merger.hpp"
#include "inlay/text/pretokenizer.hpp"
#include "inlay/text/table_tokenizer.hpp"
#include "inlay/text/utf8.hpp"

namespace inlay {

namespace detail {

/// GPT-2 writes each byte as a printable character: the printable ones of Latin-1 as themselves, the other 68 as U+0100
/// and on. This gives the byte of such a character, or -1.
constexpr int byte_of_alphabet(char32_t c) noexcept {
  const auto printable = [](char32_t b) {
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
  };
  if (c < 256) return printable(c) ? static_cast<int>(c) : -1;
  if (c < 256 + 33) return static_cast<int>(c - 256);                  // 0 ... 32
  if (c < 256 + 33 + 34) return static_cast<int>(c - 256 - 33 + 127);  // 127 ... 160
  return c == 256 + 67 ? 173 : -1;
}

/// Replaces `out` by the bytes that a token is written for. False, and the text as it is, if a character of it is not
/// of the alphabet.
inline bool decode_alphabet(std::string_view text, std::string& out) {
  out.clear();
  for (const char *p = text.data(), *end = p + text.size(); p != end;) {
    const utf8::decoded d = utf8::decode(p, end);
    const int byte = byte_of_alphabet(d.code);
    if (byte < 0) {
      out = text;
      return false;
    }
    out.push_back(static_cast<char>(static_cast<unsigned char>(byte)));
    p += d.size;
  }
  return true;
}

}  // namespace detail

class byte_level_bpe final : public detail::table_tokenizer {
 public:
  struct options {
    pretokenizer words = {word_split::gpt2};
    bool whole_words = false;             ///< a word that is a token is taken as it is, whatever the merges say
    bool space_before = false;            ///< a space is put before a text that does not begin with white space
    token_id unknown = detail::no_token;  ///< for bytes without a token; without it they are left out
  };

  byte_level_bpe(detail::tokenizer_parts parts, detail::merge_index merges, options how)
      : table_tokenizer(std::move(parts)), merges_(std::move(merges)), how_(std::move(how)) {
    for (std::size_t b = 0; b < 256; ++b) {
      const char c = static_cast<char>(static_cast<unsigned char>(b));
      bytes_[b] = tokens().find_text(std::string_view(&c, 1));
      if (bytes_[b] == detail::no_token) bytes_[b] = how_.unknown;
    }
  }

 protected:
  void encode_text(std::string_view text, text_place place, std::vector<token_id>& out) const override {
    detail::merger scratch;
    if (how_.space_before && place != text_place::inside &&
        !unicode::is(unicode::white_space, utf8::decode(text).code)) {
      std::string spaced(1, ' ');
      spaced += text;
      encode_words(spaced, scratch, out);
    } else {
      encode_words(text, scratch, out);
    }
  }

 private:
  // Positions in a word are 32 bit.
  static constexpr std::size_t longest_word = std::size_t{1} << 30;

  void encode_words(std::string_view text, detail::merger& scratch, std::vector<token_id>& out) const {
    split_words(how_.words, text, [&](std::string_view word) {
      for (; word.size() > longest_word; word.remove_prefix(longest_word))
        encode_word(word.substr(0, longest_word), scratch, out);
      encode_word(word, scratch, out);
    });
  }

  void encode_word(std::string_view word, detail::merger& scratch, std::vector<token_id>& out) const {
    if (how_.whole_words) {
      if (const token_id id = tokens().find_text(word); id != detail::no_token) {
        out.push_back(id);
        return;
      }
    }
    scratch.clear();
    const auto size = static_cast<std::uint32_t>(word.size());
    for (std::uint32_t i = 0; i < size; ++i) {
      const token_id id = bytes_[static_cast<unsigned char>(word[i])];
      if (id != detail::no_token) scratch.push(id, i);  // a byte that the vocabulary cannot express is left out
    }
    scratch.run(size, [this](token_id left, token_id right, std::uint32_t, std::uint32_t) {
      return merges_.find(left, right);
    });
    scratch.for_each(size, [&](token_id id, std::uint32_t, std::uint32_t) { out.push_back(id); });
  }

  detail::merge_index merges_;
  options how_;
  std::array<token_id, 256> bytes_{};
};

}  // namespace inlay
