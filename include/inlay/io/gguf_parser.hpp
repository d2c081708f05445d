// SPDX-License-Identifier: Apache-2.0
// Parsing of GGUF: use gguf.hpp. Nothing in the file is believed before it has been compared with the file's
// size.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/io/gguf_file.hpp"
#include "inlay/io/gguf_value.hpp"
#include "inlay/io/sorted_index.hpp"
#include "inlay/io/untrusted.hpp"

namespace inlay {

class gguf_parser {
 public:
  gguf_parser(std::span<const std::byte> bytes, std::string_view path) : bytes_(bytes) { file_.path_ = path; }

  result<gguf_file> parse() && {
    if (!header() || !all_metadata() || !all_tensors() || !place_tensors() || !check_overlaps()) {
      return unexpected<error>(std::move(*error_));
    }
    return std::move(file_);
  }

 private:
  // The least that an entry (key of one byte, type, value of one byte) and a tensor (name of one byte, rank, type,
  // offset) take in the file.
  static constexpr std::uint64_t least_entry_bytes = 8 + 1 + 4 + 1;
  static constexpr std::uint64_t least_tensor_bytes = 8 + 1 + 4 + 4 + 8;

  template <class... Parts>
  bool failed(errc code, const Parts&... parts) {
    error_ = error{code, concat(file_.path_, ": ", parts..., ".")};
    return false;
  }
  bool truncated(std::string_view in, std::string_view name = {}) {
    return failed(errc::format, "ends in the middle of ", in, name.empty() ? "" : detail::in_quotes(name), ", at byte ",
                  at_, " of ", bytes_.size());
  }

  std::uint64_t left() const { return bytes_.size() - at_; }

  template <class T>
  bool read(T& value) {
    if (left() < sizeof value) return false;
    value = detail::load<T>(bytes_.data() + at_);
    at_ += sizeof value;
    return true;
  }
  bool take(std::uint64_t count, std::span<const std::byte>& part) {
    if (left() < count) return false;
    part = bytes_.subspan(at_, static_cast<std::size_t>(count));
    at_ += static_cast<std::size_t>(count);
    return true;
  }
  bool read_string(std::string_view& text) {
    std::uint64_t length = 0;
    std::span<const std::byte> part;
    if (!read(length) || !take(length, part)) return false;
    text = {reinterpret_cast<const char*>(part.data()), part.size()};
    return true;
  }

  bool header() {
    if (bytes_.size() < 24) return failed(errc::format, "is too short for a GGUF file: ", bytes_.size(), " bytes");
    std::uint32_t magic = 0;
    read(magic);
    if (magic != 0x46554747u) return failed(errc::format, "is not a GGUF file: it does not start with 'GGUF'");
    read(file_.version_);
    if (file_.version_ != 2 && file_.version_ != 3) {
      if ((file_.version_ & 0xffffu) == 0) return failed(errc::unsupported, "is a big-endian GGUF file");
      return failed(errc::unsupported, "is GGUF version ", file_.version_, "; versions 2 and 3 are read");
    }
    read(tensor_count_);
    read(entry_count_);
    if (tensor_count_ > left() / least_tensor_bytes || entry_count_ > left() / least_entry_bytes) {
      return failed(errc::format, "claims ", tensor_count_, " tensors and ", entry_count_,
                    " metadata entries, more than fit in its ", bytes_.size(), " bytes");
    }
    if (tensor_count_ > gguf_file::max_tensors || entry_count_ > gguf_file::max_entries) {
      return failed(errc::unsupported, "has ", tensor_count_, " tensors and ", entry_count_,
                    " metadata entries; the most that is read is ", gguf_file::max_tensors, " and ",
                    gguf_file::max_entries);
    }
    return true;
  }

  bool all_metadata() {
    for (std::uint64_t i = 0; i < entry_count_; ++i) {
      gguf_entry entry;
      if (!read_string(entry.key)) return truncated("the key of a metadata entry");
      if (entry.key.empty() || entry.key.size() > gguf_file::max_key_length) {
        return failed(errc::format, "metadata entry ", i, " has a key of ", entry.key.size(), " bytes");
      }
      std::uint32_t type = 0;
      if (!read(type)) return truncated("the metadata of ", entry.key);
      if (!value(entry, type)) return false;
      file_.metadata_.push_back(entry);
    }
    const std::size_t twice = file_.keys_.build(file_.metadata_, &gguf_entry::key);
    if (twice != detail::sorted_index::none) {
      return failed(errc::format, "has the key ", detail::in_quotes(file_.metadata_[twice].key), " twice");
    }
    return read_alignment();
  }

  bool value(gguf_entry& entry, std::uint32_t stored_type) {
    if (stored_type >= gguf_type_count) return unknown_type(entry.key, stored_type);
    const auto type = static_cast<gguf_type>(stored_type);
    std::span<const std::byte> part;
    if (type == gguf_type::array) {
      gguf_array array;
      if (!array_value(entry.key, array, 1)) return false;
      entry.value = gguf_value(array);
      return true;
    }
    if (type == gguf_type::string) {
      std::string_view text;
      if (!read_string(text)) return truncated("the value of ", entry.key);
      part = std::as_bytes(std::span(text));
    } else {
      if (!take(fixed_size(type), part)) return truncated("the value of ", entry.key);
      if (type == gguf_type::boolean && !booleans(entry.key, part)) return false;
    }
    entry.value = gguf_value(type, part);
    return true;
  }

  bool array_value(std::string_view key, gguf_array& array, unsigned depth) {
    std::uint32_t stored_type = 0;
    std::uint64_t count = 0;
    if (!read(stored_type) || !read(count)) return truncated("the array ", key);
    if (stored_type >= gguf_type_count) return unknown_type(key, stored_type);
    const auto type = static_cast<gguf_type>(stored_type);
    const std::size_t start = at_;
    if (const std::size_t size = fixed_size(type)) {
      std::span<const std::byte> part;
      if (count > left() / size) return oversized_array(key, count);
      take(count * size, part);
      if (type == gguf_type::boolean && !booleans(key, part)) return false;
    } else if (type == gguf_type::string) {
      if (count > left() / 8) return oversized_array(key, count);
      std::string_view text;
      for (std::uint64_t i = 0; i < count; ++i) {
        if (!read_string(text)) return truncated("the array ", key);
      }
    } else {
      if (depth == gguf_file::max_array_depth) {
        return failed(errc::unsupported, "key ", detail::in_quotes(key), " nests arrays deeper than ", depth);
      }
      if (count > left() / 12) return oversized_array(key, count);
      gguf_array inner;
      for (std::uint64_t i = 0; i < count; ++i) {
        if (!array_value(key, inner, depth + 1)) return false;
      }
    }
    array = gguf_array(type, count, bytes_.subspan(start, at_ - start));
    return true;
  }

  bool booleans(std::string_view key, std::span<const std::byte> values) {
    for (const std::byte b : values) {
      if (b > std::byte{1})
        return failed(errc::format, "key ", detail::in_quotes(key), " has a bool that is neither 0 nor 1");
    }
    return true;
  }
  bool unknown_type(std::string_view key, std::uint32_t type) {
    return failed(errc::format, "key ", detail::in_quotes(key), " has a value of the unknown type ", type);
  }
  bool oversized_array(std::string_view key, std::uint64_t count) {
    return failed(errc::format, "the array ", detail::in_quotes(key), " claims ", count, " elements, more than the ",
                  left(), " bytes left can hold");
  }

  bool read_alignment() {
    auto alignment = file_.get_or<std::uint64_t>("general.alignment", 32);
    if (!alignment) {
      error_ = std::move(alignment).error();
      return false;
    }
    if (*alignment == 0 || *alignment % 8 != 0 || *alignment > gguf_file::max_alignment) {
      return failed(errc::format, "general.alignment must be a multiple of 8 up to ", gguf_file::max_alignment,
                    ", not ", *alignment);
    }
    file_.alignment_ = *alignment;
    return true;
  }

  bool all_tensors() {
    for (std::uint64_t i = 0; i < tensor_count_; ++i) {
      gguf_tensor tensor;
      if (!read_string(tensor.name)) return truncated("the name of a tensor");
      if (tensor.name.empty() || tensor.name.size() > gguf_file::max_name_length) {
        return failed(errc::format, "tensor ", i, " has a name of ", tensor.name.size(), " bytes");
      }
      std::uint32_t rank = 0;
      if (!read(rank)) return truncated("the description of tensor ", tensor.name);
      if (rank > max_tensor_rank) {
        return failed(errc::format, "tensor ", detail::in_quotes(tensor.name), " has ", rank, " dimensions; at most ",
                      max_tensor_rank, " are allowed");
      }
      tensor.rank = rank;
      std::uint64_t offset = 0;
      bool whole = true;
      for (unsigned d = 0; d < rank; ++d) whole = whole && read(tensor.dims[d]);
      if (!whole || !read(tensor.type) || !read(offset)) return truncated("the description of tensor ", tensor.name);
      file_.tensors_.push_back(tensor);
      offsets_.push_back(offset);
    }
    const std::size_t twice = file_.names_.build(file_.tensors_, &gguf_tensor::name);
    if (twice != detail::sorted_index::none) {
      return failed(errc::format, "has the tensor ", detail::in_quotes(file_.tensors_[twice].name), " twice");
    }
    return true;
  }

  /// Bytes of a tensor; nothing (and no error) where its type is unknown.
  bool data_bytes(const gguf_tensor& tensor, std::optional<std::uint64_t>& bytes) {
    std::uint64_t elements = 1;
    for (const std::uint64_t dim : tensor.dims) {
      if (!detail::multiply(elements, dim)) return too_large(tensor);
    }
    const ggml_type* type = find_ggml_type(tensor.type);
    if (type == nullptr) return true;
    if (tensor.dims[0] % type->weights != 0) {
      return failed(errc::format, "tensor ", detail::in_quotes(tensor.name), " has rows of ", tensor.dims[0],
                    ", not a whole number of ", type->name, " blocks of ", type->weights);
    }
    std::uint64_t size = elements / type->weights;
    if (!detail::multiply(size, type->bytes)) return too_large(tensor);
    bytes = size;
    return true;
  }
  bool too_large(const gguf_tensor& tensor) {
    return failed(errc::format, "tensor ", detail::in_quotes(tensor.name), " has dimensions whose product overflows");
  }

  bool place_tensors() {
    const std::uint64_t odd = at_ % file_.alignment_;
    file_.data_offset_ = at_ + (odd == 0 ? 0 : file_.alignment_ - odd);
    if (tensor_count_ == 0) return true;
    if (file_.data_offset_ > bytes_.size()) {
      return failed(errc::format, "ends at byte ", bytes_.size(), ", before its tensors' data at ", file_.data_offset_);
    }
    const auto data = bytes_.subspan(static_cast<std::size_t>(file_.data_offset_));
    for (std::size_t i = 0; i < file_.tensors_.size(); ++i) {
      gguf_tensor& tensor = file_.tensors_[i];
      std::optional<std::uint64_t> size;
      if (!data_bytes(tensor, size)) return false;
      if (offsets_[i] % file_.alignment_ != 0) {
        return failed(errc::format, "tensor ", detail::in_quotes(tensor.name), " is at offset ", offsets_[i],
                      ", not a multiple of the alignment ", file_.alignment_);
      }
      if (offsets_[i] > data.size() || size.value_or(0) > data.size() - offsets_[i]) {
        return failed(errc::format, "tensor ", detail::in_quotes(tensor.name), " takes ", size.value_or(0),
                      " bytes from offset ", offsets_[i], ", but the file has only ", data.size(), " bytes of tensors");
      }
      tensor.data = data.subspan(static_cast<std::size_t>(offsets_[i]), static_cast<std::size_t>(size.value_or(0)));
    }
    return true;
  }

  bool check_overlaps() {
    std::vector<std::uint32_t> order(offsets_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(i);
    std::sort(order.begin(), order.end(), [this](std::uint32_t a, std::uint32_t b) {
      return offsets_[a] != offsets_[b] ? offsets_[a] < offsets_[b]
                                        : file_.tensors_[a].data.size() < file_.tensors_[b].data.size();
    });
    for (std::size_t i = 1; i < order.size(); ++i) {
      const gguf_tensor& before = file_.tensors_[order[i - 1]];
      if (offsets_[order[i]] - offsets_[order[i - 1]] < before.data.size()) {
        return failed(errc::format, "tensors ", detail::in_quotes(before.name), " and ",
                      detail::in_quotes(file_.tensors_[order[i]].name), " overlap");
      }
    }
    return true;
  }

  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t entry_count_ = 0;
  std::vector<std::uint64_t> offsets_;
  gguf_file file_;
  std::optional<error> error_;
};

inline result<gguf_file> gguf_file::parse(std::span<const std::byte> bytes, std::string_view path) {
  return gguf_parser(bytes, path).parse();
}

}  // namespace inlay
