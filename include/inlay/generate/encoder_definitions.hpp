// SPDX-License-Identifier: Apache-2.0
// What embedders and classifiers do, and all of loading an encoder that does not depend on its type.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/config/macros.hpp"
#include "inlay/generate/classifier.hpp"
#include "inlay/generate/embedder.hpp"
#include "inlay/generate/encoder_model_parts.hpp"
#include "inlay/generate/load_checkpoint_definitions.hpp"
#include "inlay/generate/load_encoder_checkpoint.hpp"
#include "inlay/generate/read_labels.hpp"
#include "inlay/generate/read_tokenizer.hpp"
#include "inlay/generate/text_runner.hpp"
#include "inlay/io/json.hpp"

namespace inlay {

INLAY_DEFINITION opaque_ptr<detail::text_runner> detail::begin_texts(const encoder_model& model,
                                                                     encoder_options options) {
  return make_opaque<text_runner>(model, options);
}

INLAY_DEFINITION const encoder_model& embedder::model() const { return runner_->model(); }
INLAY_DEFINITION result<float_rows> embedder::embed(std::span<const std::string_view> texts) {
  return runner_->run_texts(texts);
}
INLAY_DEFINITION result<std::vector<float>> embedder::embed(std::string_view text) {
  const auto one = embed({&text, 1});
  if (!one) return unexpected<error>(one.error());
  return std::vector<float>((*one)[0].begin(), (*one)[0].end());
}
INLAY_DEFINITION result<float_rows> embedder::embed_tokens(std::span<const encoded_text> texts) {
  return runner_->run(texts);
}

INLAY_DEFINITION float cosine(std::span<const float> a, std::span<const float> b) {
  INLAY_ASSERT(a.size() == b.size());
  double ab = 0.0, aa = 0.0, bb = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return aa == 0.0 || bb == 0.0 ? 0.0f : static_cast<float>(ab / std::sqrt(aa * bb));
}

namespace detail {

inline std::vector<float> probabilities(std::span<const float> logits, bool independent) {
  const float highest = *std::max_element(logits.begin(), logits.end());
  std::vector<float> p;
  p.reserve(logits.size());
  float total = 0.0f;
  for (const float logit : logits) {
    p.push_back(independent ? 1.0f / (1.0f + std::exp(-logit)) : std::exp(logit - highest));
    total += p.back();
  }
  if (!independent)
    for (float& one : p) one /= total;
  return p;
}

inline result<std::vector<classification>> judge(const result<float_rows>& rows, bool independent) {
  if (!rows) return unexpected<error>(rows.error());
  std::vector<classification> out(rows->size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::span<const float> logits = (*rows)[i];
    out[i].label = static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    out[i].logits.assign(logits.begin(), logits.end());
    out[i].probabilities = probabilities(logits, independent);
  }
  return out;
}

}  // namespace detail

INLAY_DEFINITION const encoder_model& classifier::model() const { return runner_->model(); }
INLAY_DEFINITION result<std::vector<classification>> classifier::classify(std::span<const std::string_view> texts) {
  return detail::judge(runner_->run_texts(texts), independent_);
}
INLAY_DEFINITION result<std::vector<classification>> classifier::classify_pairs(std::span<const text_pair> pairs) {
  return detail::judge(runner_->run_texts(pairs), independent_);
}
INLAY_DEFINITION result<std::vector<classification>> classifier::classify_tokens(std::span<const encoded_text> texts) {
  return detail::judge(runner_->run(texts), independent_);
}

namespace detail {

INLAY_DEFINITION result<encoder_model> load_encoder_checkpoint(checkpoint&& file,
                                                               std::unique_ptr<encoder_of_file> model,
                                                               const load_request& request, const encoder_facts& facts,
                                                               const load_options& options) {
  auto parts = std::make_unique<encoder_model::parts>();
  parts->facts = facts;
  auto weights = load_weights(std::move(file), request, options, parts->facts);
  if (!weights) return unexpected<error>(std::move(weights).error());
  model->weights = *weights;
  parts->model = std::move(model);
  const checkpoint& opened = (*weights)->file;
  if (auto t = read_tokenizer(opened, facts.vocab, options.text))
    parts->text = *std::move(t);
  else
    parts->text_error = std::move(t).error();
  parts->labels = read_labels(opened, facts.outputs);
  return encoder_model(std::move(parts));
}

INLAY_DEFINITION result<encoder_model> load_encoder_file(std::string_view path,
                                                         result<encoder_model> (*load)(checkpoint&&,
                                                                                       const load_options&),
                                                         const load_options& options) {
  auto file = open_checkpoint(std::string(path));
  if (!file) return unexpected<error>(std::move(file).error());
  return load(*std::move(file), options);
}

}  // namespace detail
}  // namespace inlay
