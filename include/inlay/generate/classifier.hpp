// SPDX-License-Identifier: Apache-2.0
// Texts, or pairs of texts, to labels:
//
//   auto model = inlay::load_encoder<my_classifier>("my-classifier");
//   inlay::classifier classifier(*model);
//   auto answers = classifier.classify({"What a lovely day!"});
//   std::string_view label = model->labels()[(*answers)[0].label];
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

struct classification {
  std::size_t label = 0;             ///< the most likely one
  std::vector<float> probabilities;  ///< [labels]: softmax of the logits; of independent labels their sigmoids
  std::vector<float> logits;         ///< [labels]
};

struct classifier_options : encoder_options {
  /// Labels do not exclude each other: each has a probability of its own. Always so for a single output.
  bool independent_labels = false;
};

/// Holds threads and memory; one for each thread that classifies. The model must outlive it.
class classifier {
 public:
  explicit classifier(const encoder_model& model, classifier_options options = {})
      : runner_(detail::begin_texts(model, options)),
        independent_(options.independent_labels || model.facts().outputs == 1) {}

  const encoder_model& model() const;

  /// An answer for each text, computed in batches without padding; what a text gives does not depend on the others. The
  /// model's text_error() if it has no tokenizer.
  result<std::vector<classification>> classify(std::span<const std::string_view> texts);
  result<std::vector<classification>> classify(std::initializer_list<std::string_view> texts) {
    return classify(std::span<const std::string_view>(texts.begin(), texts.size()));
  }
  /// The same for pairs.
  result<std::vector<classification>> classify_pairs(std::span<const text_pair> pairs);
  /// The same for texts that are tokens already. errc::argument where the model cannot take them.
  result<std::vector<classification>> classify_tokens(std::span<const encoded_text> texts);

 private:
  opaque_ptr<detail::text_runner> runner_;
  bool independent_;
};

}  // namespace inlay
