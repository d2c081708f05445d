// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "inlay/text/normalizer.hpp"
#include "inlay/text/text_decoder.hpp"
#include "inlay/text/tokenizer.hpp"
#ifdef INLAY_TEST_UTF8PROC
#include "inlay/text/unicode_forms_utf8proc.hpp"
#endif

namespace inlay_test {

using ids = std::vector<inlay::token_id>;

/// With the forms of Unicode, where there is a library for them.
inline inlay::tokenizer_options options() {
#ifdef INLAY_TEST_UTF8PROC
  return {.forms = &inlay::unicode_from_utf8proc};
#else
  return {};
#endif
}

inline std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), {});
}

/// Compares with the lines that tests/reference/tokenizers.py writes; how many texts there were.
inline std::size_t compare(const inlay::tokenizer& t, const std::string& cases_path) {
  std::ifstream file(cases_path, std::ios::binary);
  std::string line;
  std::size_t cases = 0, wrong = 0;
  while (std::getline(file, line)) {
    const auto c = nlohmann::json::parse(line, nullptr, false);
    REQUIRE(c.is_object());
    if (c.contains("around")) {
      CHECK(t.encode("a", {.add_special_tokens = true}) == c["around"].get<ids>());
      continue;
    }
    ++cases;
    const auto text = c["text"].get<std::string>();
    const ids plain = t.encode(text);
    const bool same = t.encode(text, {.specials = inlay::special_tokens::recognised}) == c["recognised"].get<ids>() &&
                      plain == c[c.contains("plain") ? "plain" : "recognised"].get<ids>() &&
                      inlay::decode(t, plain) == c[c.contains("decoded") ? "decoded" : "text"].get<std::string>();
    if (!same && ++wrong <= 10) MESSAGE("differs: " << line);
  }
  CHECK(cases > 100);
  CHECK(wrong == 0);
  return cases;
}

}  // namespace inlay_test
