// SPDX-License-Identifier: Apache-2.0
// Writes GGUF version 3. First all metadata and the list of tensors, then the tensors' bytes in that order, in pieces
// of any size; nothing but the header is held in memory.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/dtype.hpp"
#include "inlay/core/error.hpp"
#include "inlay/io/atomic_file.hpp"
#include "inlay/io/ggml_type.hpp"
#include "inlay/io/gguf_file.hpp"
#include "inlay/io/gguf_value.hpp"
#include "inlay/io/tensor_stream.hpp"
#include "inlay/io/untrusted.hpp"

namespace inlay {

namespace detail {

template <class T>
consteval gguf_type gguf_type_of() {
  if constexpr (std::same_as<T, bool>)
    return gguf_type::boolean;
  else if constexpr (std::same_as<T, std::uint8_t>)
    return gguf_type::u8;
  else if constexpr (std::same_as<T, std::int8_t>)
    return gguf_type::i8;
  else if constexpr (std::same_as<T, std::uint16_t>)
    return gguf_type::u16;
  else if constexpr (std::same_as<T, std::int16_t>)
    return gguf_type::i16;
  else if constexpr (std::same_as<T, std::uint32_t>)
    return gguf_type::u32;
  else if constexpr (std::same_as<T, std::int32_t>)
    return gguf_type::i32;
  else if constexpr (std::same_as<T, std::uint64_t>)
    return gguf_type::u64;
  else if constexpr (std::same_as<T, std::int64_t>)
    return gguf_type::i64;
  else if constexpr (std::same_as<T, float>)
    return gguf_type::f32;
  else if constexpr (std::same_as<T, double>)
    return gguf_type::f64;
  else
    return gguf_type::string;
}

template <class T>
concept gguf_scalar = std::same_as<T, bool> || gguf_type_of<T>() != gguf_type::string;

}  // namespace detail

/// gguf_writer writer;
/// writer.set("general.architecture", "llama");
/// writer.add_tensor("output.weight", dtype::q8_0, {32000, 2048});
/// auto stream = writer.start("model.gguf");   // then stream->write(...) for every tensor, and stream->finish()
class gguf_writer {
 public:
  /// Offsets of tensors are multiples of `alignment`, itself a multiple of 8.
  explicit gguf_writer(std::uint32_t alignment = 32) : alignment_(alignment) {
    if (alignment != 32) set("general.alignment", alignment);
  }

  /// Sets a key; the type in the file is that of the argument. Keys must differ.
  template <detail::gguf_scalar T>
  void set(std::string_view key, T value) {
    start_entry(key, detail::gguf_type_of<T>());
    put(value);
  }
  void set(std::string_view key, std::string_view text) {
    start_entry(key, gguf_type::string);
    put_string(text);
  }
  void set(std::string_view key, const char* text) { set(key, std::string_view(text)); }
  template <detail::gguf_scalar T>
  void set_array(std::string_view key, std::span<const T> values) {
    start_array(key, detail::gguf_type_of<T>(), values.size());
    for (const T value : values) put(value);
  }
  void set_array(std::string_view key, std::span<const std::string_view> texts) {
    start_array(key, gguf_type::string, texts.size());
    for (const std::string_view text : texts) put_string(text);
  }
  /// Copies an entry of another file as it is.
  void set(std::string_view key, const gguf_value& value) {
    start_entry(key, value.type());
    if (const auto array = value.as<gguf_array>()) {
      put(static_cast<std::uint32_t>(array->element_type()));
      put(array->size());
      put_bytes(array->bytes());
    } else if (const auto text = value.as<std::string_view>()) {
      put_string(*text);
    } else {
      put_bytes(value.scalar_bytes());
    }
  }

  /// Lists the next tensor; `shape` is slowest first, [rows, columns]. errc::argument where it cannot be stored.
  result<void> add_tensor(std::string_view name, dtype type, std::span<const std::uint64_t> shape) {
    const result<std::uint64_t> size = tensor_bytes(name, type, shape);
    if (!size) return unexpected<error>(size.error());
    put_string(name, tensors_);
    put(static_cast<std::uint32_t>(shape.size()), tensors_);
    for (std::size_t i = shape.size(); i-- > 0;) put(shape[i], tensors_);
    put(to_ggml_type(type).number, tensors_);
    put(offset_, tensors_);
    sizes_.push_back(*size);
    offset_ += *size;
    offset_ += (alignment_ - offset_ % alignment_) % alignment_;
    return {};
  }
  result<void> add_tensor(std::string_view name, dtype type, std::initializer_list<std::uint64_t> shape) {
    return add_tensor(name, type, std::span(shape.begin(), shape.size()));
  }

  /// Creates the file and writes all but the tensors' bytes.
  result<tensor_stream> start(std::string path) const {
    result<atomic_file> file = atomic_file::create(std::move(path));
    if (!file) return unexpected<error>(std::move(file).error());
    std::string header;
    put(std::uint32_t{0x46554747}, header);
    put(std::uint32_t{3}, header);
    put(static_cast<std::uint64_t>(sizes_.size()), header);
    put(entries_, header);
    header += metadata_;
    header += tensors_;
    header.append((alignment_ - header.size() % alignment_) % alignment_, '\0');
    if (result<void> written = file->write(std::as_bytes(std::span(header))); !written) {
      return unexpected<error>(written.error());
    }
    return tensor_stream(std::move(*file), sizes_, alignment_);
  }

 private:
  static result<std::uint64_t> tensor_bytes(std::string_view name, dtype type, std::span<const std::uint64_t> shape) {
    const auto refused = [name](const auto&... why) {
      return fail(errc::argument, concat("Tensor ", detail::in_quotes(name), " ", why..., "."));
    };
    if (name.empty() || name.size() > gguf_file::max_name_length)
      return refused("has a name that is too long or empty");
    if (shape.size() > max_tensor_rank) return refused("has ", shape.size(), " dimensions");
    const block_geometry& block = geometry(type);
    const std::uint64_t columns = shape.empty() ? 1 : shape.back();
    if (columns % block.weights != 0) {
      return refused("has rows of ", columns, ", not a whole number of ", block.name, " blocks of ", block.weights);
    }
    std::uint64_t size = columns / block.weights;
    bool fits = detail::multiply(size, block.bytes);
    for (std::size_t i = 0; i + 1 < shape.size(); ++i) fits = fits && detail::multiply(size, shape[i]);
    if (!fits || size > std::uint64_t{1} << 62) return refused("is too large");
    return size;
  }

  template <class T>
  static void put(T value, std::string& to) {
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    to.append(bytes, sizeof bytes);
  }
  template <class T>
  void put(T value) {
    put(value, metadata_);
  }
  static void put_string(std::string_view text, std::string& to) {
    put(static_cast<std::uint64_t>(text.size()), to);
    to += text;
  }
  void put_string(std::string_view text) { put_string(text, metadata_); }
  void put_bytes(std::span<const std::byte> bytes) {
    metadata_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void start_entry(std::string_view key, gguf_type type) {
    put_string(key);
    put(static_cast<std::uint32_t>(type));
    ++entries_;
  }
  void start_array(std::string_view key, gguf_type element, std::uint64_t count) {
    start_entry(key, gguf_type::array);
    put(static_cast<std::uint32_t>(element));
    put(count);
  }

  std::uint32_t alignment_;
  std::uint64_t entries_ = 0;
  std::uint64_t offset_ = 0;
  std::string metadata_;  // as in the file
  std::string tensors_;   // as in the file
  std::vector<std::uint64_t> sizes_;
};

}  // namespace inlay
