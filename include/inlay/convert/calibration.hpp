// SPDX-License-Identifier: Apache-2.0
// Importances of a model's weights, from running it over text that is like what it will be used for.
//
//   auto sums = inlay::collect_activations(model, text);
//   inlay::importance_matrix importance = sums->importance();
//   inlay::quantize_gguf(*file, to, {.type = file_type::q4_k_m, .importance = &importance});
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/convert/importance.hpp"
#include "inlay/core/error.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/text/token.hpp"

namespace inlay {

/// Sums of squares of what the weight matrices in a model's blocks were multiplied with.
class activation_sums {
 public:
  struct entry {
    std::vector<double> sums;           ///< [matrices, columns]
    std::vector<std::uint64_t> counts;  ///< [matrices]: inputs that were added
  };

  /// By the tensors' names in a GGUF.
  const std::map<std::string, entry, std::less<>>& entries() const { return entries_; }
  entry& operator[](const std::string& tensor) { return entries_[tensor]; }
  /// The means; those of an expert that no text came to are 1.
  importance_matrix importance() const;
  /// A GGUF that read_importance() and llama.cpp read. errc::io.
  result<void> write(std::string path) const;

  std::size_t chunks = 0;      ///< pieces of text
  std::size_t chunk_size = 0;  ///< their tokens

 private:
  std::map<std::string, entry, std::less<>> entries_;
};

struct calibration_options {
  std::size_t chunk = 512;          ///< tokens that are read together; what is left over at the end is not read
  std::size_t threads = 0;          ///< 0: one for each CPU
  progress_callback progress = {};  ///< tokens read, tokens in all
};

/// Runs the model over these tokens, chunk by chunk, each from an empty context. errc::argument where there is less
/// than a chunk of text or a token is none of the model's; errc::unsupported for a model whose weights have no names in
/// a GGUF or stand in another order there.
result<activation_sums> collect_activations(const language_model& model, std::span<const token_id> tokens,
                                            const calibration_options& options = {});
/// The same for text. Where the tokenizer puts a token before a text (BOS), each chunk begins with it.
result<activation_sums> collect_activations(const language_model& model, std::string_view text,
                                            const calibration_options& options = {});

}  // namespace inlay
