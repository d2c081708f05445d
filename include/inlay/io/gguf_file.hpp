// SPDX-License-Identifier: Apache-2.0
// What a GGUF file holds: metadata and tensors as views of the mapped bytes.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/io/ggml_type.hpp"
#include "inlay/io/gguf_value.hpp"
#include "inlay/io/sorted_index.hpp"
#include "inlay/io/tensor_view.hpp"
#include "inlay/io/untrusted.hpp"

namespace inlay {

/// A tensor as the file lists it. Its type may be one that the library does not decode.
struct gguf_tensor {
  std::string_view name;
  std::uint32_t type = 0;  ///< ggml's number: find_ggml_type() knows its name
  unsigned rank = 0;
  std::array<std::uint64_t, max_tensor_rank> dims{1, 1, 1, 1};  ///< fastest first: [columns, rows]; 1 from rank on
  std::span<const std::byte> data;                              ///< empty where the type has no known size
};

/// What a GGUF file holds. It refers to the bytes and the path it was parsed from, which must outlive it, and allocates
/// no more than its lists of entries.
class gguf_file {
 public:
  // No published model comes near these; they bound the lists a small hostile file could make grow.
  static constexpr std::uint64_t max_entries = 1u << 16;
  static constexpr std::uint64_t max_tensors = 1u << 20;
  static constexpr std::uint64_t max_key_length = 65535;  // of the format
  static constexpr std::uint64_t max_name_length = 256;   // ggml allows 63
  static constexpr std::uint64_t max_alignment = 1u << 20;
  static constexpr unsigned max_array_depth = 4;

  /// Reads the header and the lists and checks all of it: sizes against the file, ranges, alignment, overlaps,
  /// duplicates. `path` is for messages. errc::format, or errc::unsupported for other versions and byte orders. Defined
  /// in gguf.hpp.
  static inline result<gguf_file> parse(std::span<const std::byte> bytes, std::string_view path);

  std::string_view path() const { return path_; }
  std::uint32_t version() const { return version_; }
  std::uint64_t alignment() const { return alignment_; }
  /// Where the tensors' bytes start in the file.
  std::uint64_t data_offset() const { return data_offset_; }

  std::span<const gguf_entry> metadata() const { return metadata_; }  ///< in file order
  std::span<const gguf_tensor> tensors() const { return tensors_; }   ///< in file order

  const gguf_value* find(std::string_view key) const {
    const std::size_t at = keys_.find(metadata_, key, &gguf_entry::key);
    return at < metadata_.size() ? &metadata_[at].value : nullptr;
  }
  const gguf_tensor* find_tensor(std::string_view name) const {
    const std::size_t at = names_.find(tensors_, name, &gguf_tensor::name);
    return at < tensors_.size() ? &tensors_[at] : nullptr;
  }

  /// The value of a key that must be there: a number, bool, std::string_view or gguf_array (see gguf_value::as).
  /// errc::missing, or errc::mismatch where it is of another kind; the message says what was found.
  template <gguf_readable T>
  result<T> get(std::string_view key) const {
    const gguf_value* value = find(key);
    if (value == nullptr) return fail(errc::missing, concat(path_, ": has no key ", detail::in_quotes(key), "."));
    return convert<T>(key, *value);
  }
  /// As get, but `fallback` where the key is not there.
  template <gguf_readable T>
  result<T> get_or(std::string_view key, T fallback) const {
    const gguf_value* value = find(key);
    return value == nullptr ? result<T>(fallback) : convert<T>(key, *value);
  }

  /// The tensor in the form all containers share. errc::unsupported where its type cannot be decoded.
  result<tensor_view> view(const gguf_tensor& tensor) const;

 private:
  friend class gguf_parser;

  template <class T>
  result<T> convert(std::string_view key, const gguf_value& value) const {
    if (auto converted = value.as<T>()) return *converted;
    std::string expected;
    if constexpr (std::same_as<T, bool>) {
      expected = "a bool";
    } else if constexpr (std::integral<T>) {
      expected = concat("a whole number from ", +std::numeric_limits<T>::min(), " to ", +std::numeric_limits<T>::max());
    } else {
      expected = std::floating_point<T> ? "a number" : std::same_as<T, gguf_array> ? "an array" : "a string";
    }
    std::string found(name(value.type()));
    if (const auto whole = value.as<std::int64_t>()) found = concat(found, " ", *whole);
    return fail(errc::mismatch,
                concat(path_, ": key ", detail::in_quotes(key), " must be ", expected, ", not ", found, "."));
  }

  std::string_view path_;
  std::uint32_t version_ = 0;
  std::uint64_t alignment_ = 32;
  std::uint64_t data_offset_ = 0;
  std::vector<gguf_entry> metadata_;
  std::vector<gguf_tensor> tensors_;
  detail::sorted_index keys_;
  detail::sorted_index names_;
};

inline result<tensor_view> gguf_file::view(const gguf_tensor& tensor) const {
  const ggml_type* stored = find_ggml_type(tensor.type);
  const std::optional<dtype> type = stored == nullptr ? std::nullopt : to_dtype(*stored);
  if (!type) {
    const std::string known = stored == nullptr ? std::string() : concat(" (", stored->name, ")");
    return fail(errc::unsupported, concat(path_, ": tensor ", detail::in_quotes(tensor.name), " is of ggml type ",
                                          tensor.type, known, ", which is not supported."));
  }
  tensor_view view{.name = tensor.name, .file = path_, .type = *type, .rank = tensor.rank, .data = tensor.data};
  for (unsigned i = 0; i < tensor.rank; ++i) view.shape[i] = tensor.dims[tensor.rank - 1 - i];
  return view;
}

}  // namespace inlay
