// SPDX-License-Identifier: Apache-2.0
// What transformers computed with the tiny encoders of tests/data/models, and one forward pass of ours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "golden.hpp"
#include "inlay/generate/load_encoder.hpp"

namespace golden {

/// expected.safetensors of an encoder, without its padding.
class encoder_expectation {
 public:
  explicit encoder_expectation(std::string_view model) : path_(path(model, "expected.safetensors")) {
    auto file = inlay::mapped_file::open(path_);
    REQUIRE(file.has_value());
    file_ = *std::move(file);
    const auto ids = read<std::int64_t>("input_ids"), mask = read<std::int64_t>("attention_mask"),
               types = read<std::int64_t>("token_type_ids");
    const std::size_t padded = ids.size() / sequences;
    for (std::size_t n = 0; n < sequences; ++n) {
      inlay::encoded_text text;
      for (std::size_t i = n * padded; i < (n + 1) * padded && mask[i] == 1; ++i) {
        text.tokens.push_back(static_cast<inlay::token_id>(ids[i]));
        text.types.push_back(static_cast<std::int32_t>(types[i]));
      }
      texts.push_back(std::move(text));
    }
  }
  /// [sequences, width] as it is, [sequences, padded, width] with the tokens' rows one behind the other.
  std::vector<float> operator[](std::string_view name) const {
    const auto all = read<float>(name);
    const std::size_t padded = read<std::int64_t>("input_ids").size() / sequences;
    if (name != "last_hidden_state") return all;
    const std::size_t width = all.size() / sequences / padded;
    std::vector<float> out;
    for (std::size_t n = 0; n < sequences; ++n) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(n * padded * width);
      out.insert(out.end(), begin, begin + static_cast<std::ptrdiff_t>(texts[n].tokens.size() * width));
    }
    return out;
  }

  static constexpr std::size_t sequences = 3;
  std::vector<inlay::encoded_text> texts;

 private:
  template <class T>
  std::vector<T> read(std::string_view name) const {
    const auto parsed = inlay::safetensors_file::parse(file_.bytes(), path_);
    REQUIRE(parsed.has_value());
    const auto* t = parsed->find(name);
    REQUIRE(t != nullptr);
    std::vector<T> out(t->data.size() / sizeof(T));
    std::memcpy(out.data(), t->data.data(), t->data.size());
    return out;
  }

  std::string path_;
  inlay::mapped_file file_;
};

/// One forward pass of all texts, in scratch memory of just the promised size.
inline std::vector<float> run(const inlay::encoder_model& model, const std::vector<inlay::encoded_text>& texts,
                              std::size_t threads) {
  std::vector<inlay::token_id> tokens;
  std::vector<std::int32_t> types;
  std::vector<inlay::sequence_rows> sequences;
  for (const inlay::encoded_text& text : texts) {
    sequences.push_back({nullptr, tokens.size(), text.tokens.size(), 0, text.tokens.size()});
    tokens.insert(tokens.end(), text.tokens.begin(), text.tokens.end());
    types.insert(types.end(), text.types.begin(), text.types.end());
  }
  const std::size_t bytes = model.scratch_bytes(tokens.size());
  auto memory = inlay::buffer::allocate(bytes);
  REQUIRE(memory.has_value());
  inlay::arena work(memory->data(), bytes);
  inlay::thread_pool pool(threads);
  std::vector<float> out((model.facts().per_token ? tokens.size() : texts.size()) * model.facts().outputs);
  model.forward({tokens, types, sequences, out.data()}, {work, pool});
  CHECK(work.highest() <= bytes);
  return out;
}

}  // namespace golden
