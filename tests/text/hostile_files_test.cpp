// SPDX-License-Identifier: Apache-2.0
// Damaged tokenizer files: each is refused, or gives a tokenizer that works.
#include <doctest/doctest.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "inlay/text/text_decoder.hpp"
#include "inlay/text/tokenizer_json.hpp"

namespace {

class no_forms final : public inlay::unicode_forms {
 public:
  void normalize(form, std::string_view text, std::string& out) const override { out += text; }
  char32_t lower(char32_t code) const noexcept override { return code; }
};
const no_forms forms;

std::string read(const std::string& name) {
  std::ifstream file(std::string(INLAY_TEST_DATA "/text/") + name + ".tokenizer.json", std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), {});
}

// True if the file was taken.
bool survives(std::string_view json) {
  const auto made = inlay::tokenizer_from_json(json, "damaged.json", {.forms = &forms});
  if (!made) {
    CHECK(made.error().message.starts_with("damaged.json"));
    return false;
  }
  const inlay::tokenizer& t = **made;
  for (const std::string_view text :
       {"Hello, World! 123 \n\n F\xC3\xBChrer \xE4\xB8\xAD\xE6\x96\x87 <|im_end|>", "\xFF\xC3", " "}) {
    const auto out = t.encode(text, {.specials = inlay::special_tokens::recognised, .add_special_tokens = true});
    for (const auto id : out) CHECK(static_cast<std::size_t>(id) < t.size());
    CHECK(inlay::decode(t, out).size() < 10'000);
  }
  return true;
}

constexpr const char* names[] = {"gpt2", "qwen3", "llama2", "gemma4", "unigram_t5", "bert"};

}  // namespace

TEST_CASE("files with wrong bytes") {
  std::uint64_t state = 11;
  const auto random = [&state](std::size_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::size_t>((state >> 33) % below);
  };
  std::size_t taken = 0, all = 0;
  for (const char* name : names) {
    const std::string whole = read(name);
    REQUIRE(whole.size() > 1000);
    CHECK(survives(whole));
    for (int round = 0; round < 150; ++round) {
      std::string json = whole;
      for (std::size_t n = 1 + random(3); n != 0; --n) {
        const std::size_t at = random(2) == 0 ? random(json.size()) : random(1000);
        const std::string_view other = "\"{}[]:,0917-x\\ntrue";
        json[at] = random(4) == 0 ? static_cast<char>(random(256)) : other[random(other.size())];
      }
      taken += survives(json);
      ++all;
    }
  }
  CHECK(taken > 0);    // a byte inside a token's text
  CHECK(taken < all);  // one of the structure
}

TEST_CASE("files that end early, or have a part twice or not at all") {
  for (const char* name : names) {
    const std::string whole = read(name);
    for (std::size_t n = 0; n < whole.size(); n += 1 + whole.size() / 60) CHECK_FALSE(survives(whole.substr(0, n)));
    for (std::size_t i = 0; i < 40; ++i) {
      const std::size_t begin = i * whole.size() / 40, size = whole.size() / 90;
      survives(whole.substr(0, begin) + whole.substr(begin + size));
      survives(whole.substr(0, begin + size) + whole.substr(begin));
    }
  }
}
