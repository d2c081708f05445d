// SPDX-License-Identifier: Apache-2.0
// An encoder that was loaded: what embedders and classifiers run. Cheap to include; the members are defined in
// generate/encoder_model_parts.hpp and load_encoder<Model>() in generate/load_encoder.hpp, which one translation unit
// of a program instantiates for the model types it uses (INLAY_INSTANTIATE_ENCODER).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/core/opaque_ptr.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/text/tokenizer.hpp"

namespace inlay {

struct encoder_batch;

struct encoder_facts : model_facts {
  std::size_t outputs = 0;      ///< numbers of an answer: the width of an embedding, the labels of a classifier
  std::size_t max_tokens = 0;   ///< of one text, what the tokenizer puts around it included
  std::size_t token_types = 0;  ///< kinds of segment, at least 1
  bool per_token = false;       ///< every token gets an answer, not the text as a whole
};

/// Weights, tokenizer and labels. Move-only; constant after loading, so any number of embedders, classifiers and
/// threads may use it at once.
class encoder_model {
 public:
  /// What a model is made of (generate/encoder_model_parts.hpp): filled by load_encoder(), or by whoever builds one
  /// otherwise.
  struct parts;
  explicit encoder_model(std::unique_ptr<parts> from);

  const encoder_facts& facts() const;
  /// Null if the checkpoint carries none that can be used: then the model is used by token ids alone.
  const tokenizer* text() const;
  /// Why text() is null.
  const error& text_error() const;
  /// The names of a classifier's outputs, in order; empty if the checkpoint does not name them.
  const std::vector<std::string>& labels() const;

  /// Bytes of scratch memory that forward() takes for `rows` tokens.
  std::size_t scratch_bytes(std::size_t rows) const;
  /// Reads whole texts and writes their outputs (models/encoder_batch.hpp).
  void forward(const encoder_batch& b, workspace w) const;

 private:
  opaque_ptr<parts> parts_;
};

/// Loads a checkpoint into an encoder type: a GGUF file, a safetensors file, or a folder with config.json and
/// safetensors (and tokenizer.json). Errors are those of load().
template <class Model>
result<encoder_model> load_encoder(std::string_view path, const load_options& options = {});

}  // namespace inlay
