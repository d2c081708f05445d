// SPDX-License-Identifier: Apache-2.0
// What goes into embedders and classifiers, and what comes out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "inlay/core/opaque_ptr.hpp"
#include "inlay/text/token.hpp"

namespace inlay {

class encoder_model;

struct encoder_options {
  std::size_t threads = 0;     ///< 0: one for each CPU
  std::size_t batch = 1024;    ///< tokens that are computed at once, at least one text's
  std::size_t max_tokens = 0;  ///< longer texts are cut; 0: only at what the model can take
};

/// Two texts that are judged together: a premise and a hypothesis, a question and a passage.
struct text_pair {
  std::string_view first, second;
};

/// A text as the model reads it.
struct encoded_text {
  std::vector<token_id> tokens;
  std::vector<std::int32_t> types;  ///< segment of each token; empty: all 0
};

/// Rows of floats: one for each text.
class float_rows {
 public:
  float_rows() = default;
  float_rows(std::size_t count, std::size_t width) : values_(count * width), width_(width) {}

  std::size_t size() const { return width_ == 0 ? 0 : values_.size() / width_; }
  std::size_t width() const { return width_; }
  std::span<const float> operator[](std::size_t i) const { return {values_.data() + i * width_, width_}; }
  std::span<float> operator[](std::size_t i) { return {values_.data() + i * width_, width_}; }

 private:
  std::vector<float> values_;
  std::size_t width_ = 0;
};

namespace detail {
class text_runner;
/// What embedders and classifiers have in common.
opaque_ptr<text_runner> begin_texts(const encoder_model& model, encoder_options options);
}  // namespace detail

}  // namespace inlay
