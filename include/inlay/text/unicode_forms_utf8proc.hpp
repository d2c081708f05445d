// SPDX-License-Identifier: Apache-2.0
// unicode_forms from utf8proc (Debian: libutf8proc-dev; link with -lutf8proc).
#pragma once

#include <utf8proc.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/text/normalizer.hpp"
#include "inlay/text/utf8.hpp"

namespace inlay {

class utf8proc_forms final : public unicode_forms {
 public:
  void normalize(form how, std::string_view text, std::string& out) const override {
    // utf8proc refuses ill-formed text, so it gets the parts between such bytes.
    while (!text.empty()) {
      const std::size_t valid = utf8::valid_prefix(text);
      normalize_valid(how, text.substr(0, valid), out);
      text.remove_prefix(valid);
      if (text.empty()) return;
      const std::size_t bad = utf8::decode(text).size;
      out += text.substr(0, bad);
      text.remove_prefix(bad);
    }
  }

  char32_t lower(char32_t code) const noexcept override {
    return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code)));
  }

 private:
  static utf8proc_option_t options_of(form how) noexcept {
    const bool compose = how == form::nfc || how == form::nfkc;
    const bool compatible = how == form::nfkc || how == form::nfkd;
    return static_cast<utf8proc_option_t>(UTF8PROC_STABLE | (compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) |
                                          (compatible ? UTF8PROC_COMPAT : 0));
  }

  static void normalize_valid(form how, std::string_view text, std::string& out) {
    if (text.empty()) return;
    const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
    const auto size = static_cast<utf8proc_ssize_t>(text.size());
    const utf8proc_option_t options = options_of(how);
    // The first call counts. A character becomes at most 18.
    std::vector<utf8proc_int32_t> codes;
    const utf8proc_ssize_t needed = utf8proc_decompose(bytes, size, nullptr, 0, options);
    if (needed < 0) {
      out += text;
      return;
    }
    codes.resize(static_cast<std::size_t>(needed) + 1);
    const utf8proc_ssize_t decomposed = utf8proc_decompose(bytes, size, codes.data(), needed, options);
    const utf8proc_ssize_t count =
        decomposed < 0 ? decomposed : utf8proc_normalize_utf32(codes.data(), decomposed, options);
    if (count < 0) {
      out += text;
      return;
    }
    for (utf8proc_ssize_t i = 0; i < count; ++i)
      utf8::append(out, static_cast<char32_t>(codes[static_cast<std::size_t>(i)]));
  }
};

/// Pass its address where `unicode_forms` are wanted.
inline const utf8proc_forms unicode_from_utf8proc{};

}  // namespace inlay
