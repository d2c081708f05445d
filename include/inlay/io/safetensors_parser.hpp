// SPDX-License-Identifier: Apache-2.0
// Parsing of safetensors, a JSON header that lists the tensors, then their bytes: use safetensors.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/core/json_events.hpp"
#include "inlay/io/safetensors_file.hpp"
#include "inlay/io/sorted_index.hpp"
#include "inlay/io/untrusted.hpp"

namespace inlay {

namespace detail {

/// Bits of an element; nothing for a type that is not known.
constexpr std::optional<unsigned> safetensors_bits(std::string_view type) {
  struct known {
    std::string_view name;
    unsigned bits;
  };
  constexpr known types[] = {
      {"F64", 64}, {"F32", 32},    {"F16", 16}, {"BF16", 16},   {"I64", 64},    {"I32", 32},    {"I16", 16},
      {"I8", 8},   {"U64", 64},    {"U32", 32}, {"U16", 16},    {"U8", 8},      {"BOOL", 8},    {"F8_E4M3", 8},
      {"C64", 64}, {"F8_E5M2", 8}, {"F4", 4},   {"F8_E8M0", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6},
  };
  for (const known& candidate : types) {
    if (candidate.name == type) return candidate.bits;
  }
  return std::nullopt;
}

/// One entry of the header before it is checked.
struct safetensors_entry {
  safetensors_tensor tensor;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ..., "__metadata__": {"key": "text", ...}}
class safetensors_header final : public json_events {
 public:
  std::vector<safetensors_entry> entries;
  std::vector<std::pair<std::string, std::string>> metadata;

  bool start_object(std::size_t) override {
    if (!enter()) return false;
    if (depth() == 1) return true;
    if (depth() != 2) return unexpected_value();
    seen_ = 0;
    return true;
  }
  bool key(string_t& text) override {
    if (depth() == 1) {
      in_metadata_ = text == "__metadata__";
      if (in_metadata_) return true;
      if (entries.size() == safetensors_file::max_tensors) return reject("has too many tensors");
      entries.emplace_back().tensor.name = std::move(text);
      return true;
    }
    if (in_metadata_) {
      if (metadata.size() == safetensors_file::max_texts) return reject("has too many texts in its __metadata__");
      metadata.emplace_back(std::move(text), std::string());
      return true;
    }
    field_ = text == "dtype" ? dtype_field : text == "shape" ? shape_field : text == "data_offsets" ? offsets_field : 0;
    if (field_ == 0) return reject(concat(subject(), " has the unknown field ", in_quotes(text)));
    if ((seen_ & field_) != 0) return reject(concat(subject(), " has the field ", in_quotes(text), " twice"));
    seen_ |= field_;
    return true;
  }
  bool end_object() override {
    leave();
    if (depth() == 1 && !in_metadata_ && seen_ != (dtype_field | shape_field | offsets_field)) {
      return reject(concat(subject(), " lacks its dtype, shape or data_offsets"));
    }
    return true;
  }
  bool start_array(std::size_t) override {
    if (!enter()) return false;
    if (depth() != 3 || in_metadata_ || field_ == dtype_field) return unexpected_value();
    count_ = 0;
    return true;
  }
  bool end_array() override {
    leave();
    if (field_ == offsets_field && count_ != 2) return reject(concat(subject(), " has other than two data_offsets"));
    if (field_ == shape_field) entries.back().tensor.rank = count_;
    return true;
  }
  bool string(string_t& text) override {
    if (depth() != 2) return unexpected_value();
    if (in_metadata_) {
      metadata.back().second = std::move(text);
      return true;
    }
    if (field_ != dtype_field) return unexpected_value();
    entries.back().tensor.type = std::move(text);
    return true;
  }
  bool number_unsigned(number_unsigned_t number) override {
    if (depth() != 3) return unexpected_value();
    safetensors_entry& entry = entries.back();
    if (field_ == shape_field) {
      if (count_ == safetensors_tensor::max_rank) {
        return reject(concat(subject(), " has more than ", safetensors_tensor::max_rank, " dimensions"));
      }
      entry.tensor.shape[count_++] = number;
    } else {
      if (count_ == 2) return reject(concat(subject(), " has more than two data_offsets"));
      (count_++ == 0 ? entry.begin : entry.end) = number;
    }
    return true;
  }

 protected:
  bool unexpected_value() override { return reject(concat(subject(), " has a value of an unexpected kind")); }

 private:
  static constexpr unsigned dtype_field = 1;
  static constexpr unsigned shape_field = 2;
  static constexpr unsigned offsets_field = 4;

  std::string subject() const {
    if (in_metadata_) return "the header's __metadata__";
    return entries.empty() ? "the header" : concat("tensor ", in_quotes(entries.back().tensor.name));
  }

  bool in_metadata_ = false;
  unsigned seen_ = 0;
  unsigned field_ = 0;
  unsigned count_ = 0;
};

}  // namespace detail

class safetensors_parser {
 public:
  safetensors_parser(std::span<const std::byte> bytes, std::string_view path) : bytes_(bytes) { file_.path_ = path; }

  result<safetensors_file> parse() && {
    if (!header() || !place_tensors() || !check_order()) return unexpected<error>(std::move(*error_));
    file_.tensors_.reserve(entries_.size());
    for (detail::safetensors_entry& entry : entries_) file_.tensors_.push_back(std::move(entry.tensor));
    const std::size_t twice = file_.names_.build(file_.tensors_, &safetensors_tensor::name);
    if (twice != detail::sorted_index::none) {
      failed("has the tensor ", detail::in_quotes(file_.tensors_[twice].name), " twice");
      return unexpected<error>(std::move(*error_));
    }
    return std::move(file_);
  }

 private:
  template <class... Parts>
  bool failed(const Parts&... parts) {
    error_ = error{errc::format, concat(file_.path_, ": ", parts..., ".")};
    return false;
  }

  bool header() {
    if (bytes_.size() < 8) return failed("is too short for a safetensors file: ", bytes_.size(), " bytes");
    std::uint64_t length = 0;
    for (int i = 7; i >= 0; --i)
      length = length << 8 | std::to_integer<std::uint64_t>(bytes_[static_cast<std::size_t>(i)]);
    if (length > bytes_.size() - 8) {
      return failed("is not a safetensors file or is cut off: its header of ", length, " bytes does not fit in its ",
                    bytes_.size(), " bytes");
    }
    if (length > safetensors_file::max_header_bytes) {
      return failed("has a header of ", length, " bytes; at most ", safetensors_file::max_header_bytes, " are allowed");
    }
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + 8, static_cast<std::size_t>(length));
    // Readers agree on this; it also keeps out of the parser what is no header.
    if (text.empty() || text.front() != '{')
      return failed("is not a safetensors file: its header does not start with '{'");
    detail::safetensors_header header;
    if (const result<void> read = header.read(text, file_.path_); !read) {
      error_ = read.error();
      return false;
    }
    entries_ = std::move(header.entries);
    file_.metadata_ = std::move(header.metadata);
    data_ = bytes_.subspan(8 + static_cast<std::size_t>(length));
    return true;
  }

  bool place_tensors() {
    for (detail::safetensors_entry& entry : entries_) {
      safetensors_tensor& tensor = entry.tensor;
      const std::string name = detail::in_quotes(tensor.name);
      if (entry.begin > entry.end || entry.end > data_.size()) {
        return failed("tensor ", name, " has the data_offsets ", entry.begin, " to ", entry.end, ", but the file has ",
                      data_.size(), " bytes of tensors");
      }
      const std::uint64_t size = entry.end - entry.begin;
      std::uint64_t elements = 1;
      bool fits = true;
      for (unsigned i = 0; i < tensor.rank; ++i) fits = fits && detail::multiply(elements, tensor.shape[i]);
      if (const auto bits = detail::safetensors_bits(tensor.type)) {
        fits = fits && detail::multiply(elements, *bits);
        if (!fits || elements % 8 != 0 || elements / 8 != size) {
          return failed("tensor ", name, " has ", size, " bytes, which is not what its shape of ", tensor.type,
                        " takes");
        }
      }
      tensor.data = data_.subspan(static_cast<std::size_t>(entry.begin), static_cast<std::size_t>(size));
    }
    return true;
  }

  /// The tensors' bytes must cover the data one after another.
  bool check_order() {
    std::vector<std::uint32_t> order(entries_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(i);
    std::sort(order.begin(), order.end(), [this](std::uint32_t a, std::uint32_t b) {
      return entries_[a].begin != entries_[b].begin ? entries_[a].begin < entries_[b].begin
                                                    : entries_[a].end < entries_[b].end;
    });
    std::uint64_t covered = 0;
    for (const std::uint32_t i : order) {
      if (entries_[i].begin != covered) {
        return failed("tensor ", detail::in_quotes(entries_[i].tensor.name), " starts at byte ", entries_[i].begin,
                      " of the data, not where the one before it ends, at ", covered);
      }
      covered = entries_[i].end;
    }
    if (covered != data_.size()) {
      return failed("has ", data_.size(), " bytes of tensors, but its header accounts for ", covered);
    }
    return true;
  }

  std::span<const std::byte> bytes_;
  std::span<const std::byte> data_;
  std::vector<detail::safetensors_entry> entries_;
  safetensors_file file_;
  std::optional<error> error_;
};

inline result<safetensors_file> safetensors_file::parse(std::span<const std::byte> bytes, std::string_view path) {
  return safetensors_parser(bytes, path).parse();
}

}  // namespace inlay
