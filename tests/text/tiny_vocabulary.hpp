// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "inlay/text/make_tokenizer.hpp"
#include "inlay/text/utf8.hpp"

namespace inlay_test {

/// Builds vocabularies in a test; owns the texts that the views of `value` refer to.
class tiny_vocabulary {
 public:
  inlay::vocabulary value;

  /// All bytes in the alphabet of GPT-2 (ids 0 ... 255 are the bytes 0 ... 255), then what the merges make.
  static tiny_vocabulary byte_level(std::initializer_list<std::pair<const char*, const char*>> merges,
                                    std::string_view pre = "gpt-2") {
    tiny_vocabulary v;
    v.value.source = "tiny";
    v.value.model = "gpt2";
    v.value.pre = pre;
    for (int b = 0; b < 256; ++b) v.add(letter(b));
    for (const auto& [left, right] : merges) {
      v.value.merges.push_back(v.keep(std::string(left) + " " + right));
      v.add(std::string(left) + right);
    }
    return v;
  }

  /// How GPT-2 writes a byte.
  static std::string letter(int byte) {
    for (char32_t c = 0; c < 512; ++c)
      if (inlay::detail::byte_of_alphabet(c) == byte) {
        std::string out;
        inlay::utf8::append(out, c);
        return out;
      }
    return {};
  }

  inlay::token_id add(std::string text, inlay::token_kind kind = inlay::token_kind::normal) {
    value.tokens.push_back(keep(std::move(text)));
    value.types.push_back(static_cast<std::int32_t>(kind));
    return static_cast<inlay::token_id>(value.tokens.size() - 1);
  }

  std::string_view keep(std::string text) { return texts_->emplace_back(std::move(text)); }

  /// The tokenizer; null with the reason in `why` when it cannot be made.
  std::unique_ptr<inlay::tokenizer> make() {
    auto made = inlay::make_tokenizer(value);
    why = made ? std::string() : made.error().message;
    return made ? std::move(*made) : nullptr;
  }
  std::string why;

 private:
  std::unique_ptr<std::deque<std::string>> texts_ = std::make_unique<std::deque<std::string>>();
};

}  // namespace inlay_test
