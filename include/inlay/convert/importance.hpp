// SPDX-License-Identifier: Apache-2.0
// How much each column of a weight matrix counts: the mean square of the activations that it meets in typical text.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"

namespace inlay {

class checkpoint;

/// By the tensors' names in a GGUF: [columns] factors, or [experts, columns] for a stack.
class importance_matrix {
 public:
  /// Null where nothing is known of the tensor.
  const std::vector<float>* find(std::string_view tensor) const {
    const auto found = entries_.find(tensor);
    return found == entries_.end() ? nullptr : &found->second;
  }
  void set(std::string tensor, std::vector<float> factors) { entries_[std::move(tensor)] = std::move(factors); }
  std::size_t size() const { return entries_.size(); }
  const std::map<std::string, std::vector<float>, std::less<>>& entries() const { return entries_; }

 private:
  std::map<std::string, std::vector<float>, std::less<>> entries_;
};

/// Reads what llama.cpp's imatrix program writes: a GGUF or the older .dat file. errc::io, errc::format.
result<importance_matrix> read_importance(std::string path);

}  // namespace inlay
