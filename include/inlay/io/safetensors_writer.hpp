// SPDX-License-Identifier: Apache-2.0
// Writes a safetensors file. First the list of tensors, then their bytes in that order, in pieces of any size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/dtype.hpp"
#include "inlay/core/error.hpp"
#include "inlay/io/atomic_file.hpp"
#include "inlay/io/tensor_stream.hpp"
#include "inlay/io/untrusted.hpp"

namespace inlay {

/// safetensors_writer writer;
/// writer.add_tensor("lm_head.weight", dtype::bf16, {32000, 2048});
/// auto stream = writer.start("model.safetensors");   // then stream->write(...) for every tensor, and stream->finish()
class safetensors_writer {
 public:
  /// A text of the "__metadata__"; keys must differ.
  void set(std::string_view key, std::string_view text) {
    metadata_ += concat(metadata_.empty() ? "" : ",", quote(key), ":", quote(text));
  }

  /// Lists the next tensor; `shape` is slowest first, [rows, columns]. errc::argument for types other than F32, F16,
  /// BF16.
  result<void> add_tensor(std::string_view name, dtype type, std::span<const std::uint64_t> shape) {
    if (!is_float(type)) {
      return fail(errc::argument, concat("Tensor ", detail::in_quotes(name), " is of type ", inlay::name(type),
                                         ", which safetensors do not have."));
    }
    std::uint64_t size = geometry(type).bytes;
    std::string dims;
    bool fits = true;
    for (const std::uint64_t dim : shape) {
      fits = fits && detail::multiply(size, dim);
      dims += concat(dims.empty() ? "" : ",", dim);
    }
    if (!fits || size > std::numeric_limits<std::uint64_t>::max() / 4 - offset_) {
      return fail(errc::argument, concat("Tensor ", detail::in_quotes(name), " is too large."));
    }
    tensors_ += concat(",", quote(name), R"(:{"dtype":")", inlay::name(type), R"(","shape":[)", dims,
                       R"(],"data_offsets":[)", offset_, ",", offset_ + size, "]}");
    offset_ += size;
    sizes_.push_back(size);
    return {};
  }
  result<void> add_tensor(std::string_view name, dtype type, std::initializer_list<std::uint64_t> shape) {
    return add_tensor(name, type, std::span(shape.begin(), shape.size()));
  }

  /// Creates the file and writes the header, padded so that the tensors start at a multiple of 8.
  result<tensor_stream> start(std::string path) const {
    result<atomic_file> file = atomic_file::create(std::move(path));
    if (!file) return unexpected<error>(std::move(file).error());
    std::string text = metadata_.empty() ? "{" : concat(R"({"__metadata__":{)", metadata_, "}");
    text += metadata_.empty() && !tensors_.empty() ? std::string_view(tensors_).substr(1) : std::string_view(tensors_);
    text += '}';
    text.append((8 - text.size() % 8) % 8, ' ');
    std::byte length[8];
    for (int i = 0; i < 8; ++i) length[i] = static_cast<std::byte>(text.size() >> (8 * i) & 255);
    result<void> written = file->write(length);
    if (written) written = file->write(std::as_bytes(std::span(text)));
    if (!written) return unexpected<error>(written.error());
    return tensor_stream(std::move(*file), sizes_, 1);
  }

 private:
  static std::string quote(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text) {
      const auto code = static_cast<unsigned char>(c);
      if (code < 0x20) {
        out += concat("\\u00", digits[code >> 4], digits[code & 15]);
      } else {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
      }
    }
    return out += '"';
  }

  std::string metadata_;  // as in the header
  std::string tensors_;   // as in the header, each after a comma
  std::vector<std::uint64_t> sizes_;
  std::uint64_t offset_ = 0;
};

}  // namespace inlay
