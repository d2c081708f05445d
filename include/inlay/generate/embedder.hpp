// SPDX-License-Identifier: Apache-2.0
// Texts to vectors:
//
//   auto model = inlay::load_encoder<inlay::models::all_minilm_l6_v2>("all-MiniLM-L6-v2");
//   inlay::embedder embedder(*model);
//   auto vectors = embedder.embed({"A man is eating food.", "Someone is having a meal."});
//   float similarity = inlay::cosine((*vectors)[0], (*vectors)[1]);
//
// Cheap to include; the members are defined in generate/encoder_definitions.hpp.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/core/opaque_ptr.hpp"
#include "inlay/generate/encode_texts.hpp"
#include "inlay/generate/encoder_model.hpp"

namespace inlay {

/// Holds threads and memory; one for each thread that embeds. The model must outlive it.
class embedder {
 public:
  explicit embedder(const encoder_model& model, encoder_options options = {})
      : runner_(detail::begin_texts(model, options)) {}

  const encoder_model& model() const;
  /// Numbers of a vector.
  std::size_t width() const { return model().facts().outputs; }

  /// [texts, width()]: a vector for each text. Any number of texts of any lengths: they are computed in batches without
  /// padding, and what a text gives does not depend on the others. The model's text_error() if it has no tokenizer.
  result<float_rows> embed(std::span<const std::string_view> texts);
  result<float_rows> embed(std::initializer_list<std::string_view> texts) {
    return embed(std::span<const std::string_view>(texts.begin(), texts.size()));
  }
  result<std::vector<float>> embed(std::string_view text);

  /// The same for texts that are tokens already. errc::argument where the model cannot take them.
  result<float_rows> embed_tokens(std::span<const encoded_text> texts);

 private:
  opaque_ptr<detail::text_runner> runner_;
};

/// The cosine of the angle between two vectors of the same width: 1 where they point the same way, 0 for zero vectors.
float cosine(std::span<const float> a, std::span<const float> b);

}  // namespace inlay
