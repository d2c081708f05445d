// SPDX-License-Identifier: Apache-2.0
// The tokenizer of a checkpoint: in the metadata of a GGUF, in the tokenizer.json beside safetensors.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "inlay/core/error.hpp"
#include "inlay/generate/vocabulary_gguf.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/io/mapped_file.hpp"
#include "inlay/io/open_safetensors.hpp"
#include "inlay/text/make_tokenizer.hpp"
#include "inlay/text/tokenizer.hpp"
#include "inlay/text/tokenizer_json.hpp"
#include "inlay/text/tokenizer_options.hpp"

namespace inlay::detail {

/// A text file beside the weights; empty if there is none.
inline std::string read_beside(const checkpoint& file, std::string_view name) {
  const auto beside = mapped_file::open(sibling(file.path(), name));
  if (!beside) return {};
  return {reinterpret_cast<const char*>(beside->bytes().data()), beside->bytes().size()};
}

inline result<std::unique_ptr<tokenizer>> make_tokenizer_of(const checkpoint& file, const tokenizer_options& options) {
  if (file.gguf() != nullptr) {
    const auto v = vocabulary_from_gguf(*file.gguf());
    if (!v) return unexpected<error>(v.error());
    return make_tokenizer(*v, options);
  }
  const std::string path = sibling(file.path(), "tokenizer.json");
  const std::string text = read_beside(file, "tokenizer.json");
  if (text.empty()) return fail(errc::missing, concat(path, ": there is no such file, so the model has no tokenizer."));
  return tokenizer_from_json(text, path, options);
}

/// errc::missing where the checkpoint has no tokenizer, errc::mismatch where it has more tokens than the model.
inline result<std::unique_ptr<tokenizer>> read_tokenizer(const checkpoint& file, std::size_t vocab,
                                                         const tokenizer_options& options) {
  auto made = make_tokenizer_of(file, options);
  if (made && (*made)->size() > vocab)
    return fail(errc::mismatch, concat(file.path(), ": the tokenizer has ", (*made)->size(),
                                       " tokens, but the model has ", vocab, "."));
  return made;
}

}  // namespace inlay::detail
