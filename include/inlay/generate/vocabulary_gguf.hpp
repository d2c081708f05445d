// SPDX-License-Identifier: Apache-2.0
// The vocabulary in the metadata of a GGUF file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/io/gguf.hpp"
#include "inlay/text/vocabulary.hpp"

namespace inlay {

namespace detail {

/// Sets `out` where the key is there; an error where it is of another kind.
template <class T>
result<void> read_optional(const gguf_file& file, std::string_view key, std::optional<T>& out) {
  if (file.find(key) == nullptr) return {};
  auto value = file.get<T>(key);
  if (!value) return unexpected(value.error());
  out = *value;
  return {};
}

inline result<std::vector<std::string_view>> read_strings(const gguf_file& file, std::string_view key) {
  const auto array = file.get<gguf_array>(key);
  if (!array) return unexpected(array.error());
  if (array->size() != 0 && array->element_type() != gguf_type::string)
    return fail(errc::mismatch, concat(file.path(), ": key \"", key, "\" must be an array of strings, not of ",
                                       name(array->element_type()), "."));
  std::vector<std::string_view> out;
  out.reserve(static_cast<std::size_t>(array->size()));
  for (const std::string_view text : array->strings()) out.push_back(text);
  return out;
}

template <class T>
result<std::vector<T>> read_numbers(const gguf_file& file, std::string_view key) {
  const auto array = file.get<gguf_array>(key);
  if (!array) return unexpected(array.error());
  std::vector<T> out;
  out.reserve(static_cast<std::size_t>(array->size()));
  for (std::uint64_t i = 0; i < array->size(); ++i) {
    const std::optional<T> number = array->at<T>(i);
    if (!number)
      return fail(errc::mismatch, concat(file.path(), ": element ", i, " of \"", key, "\" is not a fitting number."));
    out.push_back(*number);
  }
  return out;
}

}  // namespace detail

/// The vocabulary of a model file. Its views are of the file's bytes. Errors name the file and the key.
inline result<vocabulary> vocabulary_from_gguf(const gguf_file& file) {
  vocabulary out;
  out.source = file.path();
  const auto model = file.get<std::string_view>("tokenizer.ggml.model");
  if (!model) return unexpected(model.error());
  out.model = *model;
  const auto pre = file.get_or<std::string_view>("tokenizer.ggml.pre", "");
  if (!pre) return unexpected(pre.error());
  out.pre = *pre;

  auto tokens = detail::read_strings(file, "tokenizer.ggml.tokens");
  if (!tokens) return unexpected(tokens.error());
  out.tokens = std::move(*tokens);
  if (file.find("tokenizer.ggml.merges") != nullptr) {
    auto merges = detail::read_strings(file, "tokenizer.ggml.merges");
    if (!merges) return unexpected(merges.error());
    out.merges = std::move(*merges);
  }
  if (file.find("tokenizer.ggml.scores") != nullptr) {
    auto scores = detail::read_numbers<float>(file, "tokenizer.ggml.scores");
    if (!scores) return unexpected(scores.error());
    out.scores = std::move(*scores);
  }
  if (file.find("tokenizer.ggml.token_type") != nullptr) {
    auto types = detail::read_numbers<std::int32_t>(file, "tokenizer.ggml.token_type");
    if (!types) return unexpected(types.error());
    out.types = std::move(*types);
  }

  struct id_key {
    std::string_view key;
    std::optional<std::int64_t>& value;
  };
  for (const id_key& k :
       {id_key{"tokenizer.ggml.bos_token_id", out.bos}, id_key{"tokenizer.ggml.eos_token_id", out.eos},
        id_key{"tokenizer.ggml.eot_token_id", out.eot}, id_key{"tokenizer.ggml.eom_token_id", out.eom},
        id_key{"tokenizer.ggml.unknown_token_id", out.unknown}, id_key{"tokenizer.ggml.padding_token_id", out.padding},
        id_key{"tokenizer.ggml.seperator_token_id", out.separator},  // the format's own spelling
        id_key{"tokenizer.ggml.cls_token_id", out.classify}, id_key{"tokenizer.ggml.mask_token_id", out.mask}})
    if (auto ok = detail::read_optional(file, k.key, k.value); !ok) return unexpected(ok.error());

  struct flag_key {
    std::string_view key;
    std::optional<bool>& value;
  };
  for (const flag_key& k :
       {flag_key{"tokenizer.ggml.add_bos_token", out.add_bos}, flag_key{"tokenizer.ggml.add_eos_token", out.add_eos},
        flag_key{"tokenizer.ggml.add_space_prefix", out.add_space_prefix},
        flag_key{"tokenizer.ggml.remove_extra_whitespaces", out.remove_extra_whitespaces}})
    if (auto ok = detail::read_optional(file, k.key, k.value); !ok) return unexpected(ok.error());

  if (file.find("tokenizer.ggml.precompiled_charsmap") != nullptr) {
    const auto map = file.get<gguf_array>("tokenizer.ggml.precompiled_charsmap");
    if (!map) return unexpected(map.error());
    if (map->size() != 0 && fixed_size(map->element_type()) != 1)
      return fail(errc::mismatch, concat(file.path(), ": \"tokenizer.ggml.precompiled_charsmap\" is not bytes."));
    out.precompiled_charsmap = {reinterpret_cast<const std::uint8_t*>(map->bytes().data()), map->bytes().size()};
  }
  return out;
}

}  // namespace inlay
