// SPDX-License-Identifier: Apache-2.0
// What a safetensors file holds.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/dtype.hpp"
#include "inlay/core/error.hpp"
#include "inlay/io/sorted_index.hpp"
#include "inlay/io/tensor_view.hpp"
#include "inlay/io/untrusted.hpp"

namespace inlay {

/// A tensor as the file lists it. Its type may be one that the library does not read.
struct safetensors_tensor {
  static constexpr unsigned max_rank = 8;

  std::string name;
  std::string type;  ///< as in the file: "F32", "BF16", "I64", ...
  unsigned rank = 0;
  std::array<std::uint64_t, max_rank> shape{};  ///< slowest first
  std::span<const std::byte> data;
};

/// What one safetensors file holds. It refers to the bytes and the path it was parsed from, which must outlive it.
class safetensors_file {
 public:
  static constexpr std::uint64_t max_header_bytes = 100'000'000;  // of the format
  // No published model comes near these; they bound the lists a small hostile header could make grow.
  static constexpr std::uint64_t max_tensors = 1u << 20;
  static constexpr std::uint64_t max_texts = 1u << 16;

  /// Reads the header and checks all of it: sizes against shapes and the file, no holes, overlaps or duplicates. `path`
  /// is for messages. errc::format. Defined in safetensors.hpp.
  static inline result<safetensors_file> parse(std::span<const std::byte> bytes, std::string_view path);

  std::string_view path() const { return path_; }
  std::span<const safetensors_tensor> tensors() const { return tensors_; }  ///< in the order of the header
  /// The strings of "__metadata__", in the order of the header.
  std::span<const std::pair<std::string, std::string>> metadata() const { return metadata_; }

  const safetensors_tensor* find(std::string_view name) const {
    const std::size_t at = names_.find(tensors_, name, &safetensors_tensor::name);
    return at == detail::sorted_index::none ? nullptr : &tensors_[at];
  }

  /// The tensor in the form all containers share. errc::unsupported where its type is not F32, F16 or BF16, or where it
  /// has more than max_tensor_rank dimensions.
  result<tensor_view> view(const safetensors_tensor& tensor) const;

 private:
  friend class safetensors_parser;

  std::string_view path_;
  std::vector<safetensors_tensor> tensors_;
  std::vector<std::pair<std::string, std::string>> metadata_;
  detail::sorted_index names_;
};

inline result<tensor_view> safetensors_file::view(const safetensors_tensor& tensor) const {
  std::optional<dtype> type;
  for (const dtype candidate : {dtype::f32, dtype::f16, dtype::bf16}) {
    if (tensor.type == name(candidate)) type = candidate;
  }
  const auto unsupported = [&](const auto&... parts) {
    return fail(errc::unsupported, concat(path_, ": tensor ", detail::in_quotes(tensor.name), parts...));
  };
  if (!type) return unsupported(" is of type ", detail::in_quotes(tensor.type), "; F32, F16 and BF16 are read.");
  if (tensor.rank > max_tensor_rank) {
    return unsupported(" has ", tensor.rank, " dimensions; at most ", max_tensor_rank, " are read.");
  }
  tensor_view view;
  view.name = tensor.name;
  view.file = path_;
  view.type = *type;
  view.rank = tensor.rank;
  view.data = tensor.data;
  std::copy_n(tensor.shape.begin(), tensor.rank, view.shape.begin());
  return view;
}

}  // namespace inlay
