// SPDX-License-Identifier: Apache-2.0
// What files call the cuts of pretokenizer.hpp: a GGUF gives them names, a tokenizer.json spells them out.
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>

#include "inlay/text/pretokenizer.hpp"

namespace inlay {

/// What `tokenizer.ggml.pre` names; empty for a pattern that is not one of ours.
inline std::optional<pretokenizer> pretokenizer_by_gguf_name(std::string_view name) {
  const auto is_one_of = [name](std::initializer_list<std::string_view> names) {
    for (const std::string_view n : names)
      if (n == name) return true;
    return false;
  };
  if (is_one_of({"gpt-2", "phi-2", "gigachat", "exaone4", "mpt", "olmo", "jais", "roberta-bpe", "jina-es", "jina-de",
                 "jina-v1-en", "jina-v2-es", "jina-v2-de", "jina-v2-code"}))
    return pretokenizer{word_split::gpt2};
  if (is_one_of({"smollm", "codeshell", "starcoder", "refact", "command-r"}))
    return pretokenizer{word_split::digits, word_split::gpt2};
  if (is_one_of({"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "dbrx",
                 "smaug-bpe", "glm4", "chatglm-bpe"}))
    return pretokenizer{word_split::llama3};
  if (is_one_of({"qwen2", "deepseek-r1-qwen", "megrez", "stablelm2", "hunyuan"}))
    return pretokenizer{word_split::qwen2};
  if (name == "qwen35") return pretokenizer{word_split::qwen35};
  if (name == "tekken") return pretokenizer{word_split::tekken};
  if (is_one_of({"gpt-4o", "llama4"})) return pretokenizer{word_split::gpt4o};
  return std::nullopt;
}

namespace detail {

/// How tokenizer.json spells the cuts.
struct known_expression {
  std::string_view expression;
  word_split how;
};
inline constexpr known_expression known_expressions[] = {
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", word_split::gpt2},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     word_split::llama3},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     word_split::qwen2},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     word_split::qwen35},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     word_split::tekken},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     word_split::gpt4o},
    {R"(\p{N})", word_split::digits},
    {R"([^\n]+|[\n]+)", word_split::lines},
};

}  // namespace detail

/// The cut of a regular expression as tokenizer.json spells it; empty for one that is not ours.
inline std::optional<word_split> word_split_by_expression(std::string_view expression) noexcept {
  for (const detail::known_expression& k : detail::known_expressions)
    if (k.expression == expression) return k.how;
  return std::nullopt;
}

/// The other way; empty for cuts that are no Split by an expression.
inline std::string_view expression_of(word_split how) noexcept {
  for (const detail::known_expression& k : detail::known_expressions)
    if (k.how == how) return k.expression;
  return {};
}

/// A word that is a token is taken whole, whatever the merges say: tokenizers that were made with tiktoken.
inline bool takes_whole_words(std::string_view gguf_name) noexcept {
  for (const std::string_view name :
       {"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "tekken"})
    if (gguf_name == name) return true;
  return false;
}

/// Text is brought into NFC before it is cut (Qwen's tokenizer.json; a GGUF has no key for it).
inline bool implies_nfc(std::string_view gguf_name) noexcept { return gguf_name.starts_with("qwen"); }

}  // namespace inlay
