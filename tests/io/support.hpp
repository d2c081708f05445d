// SPDX-License-Identifier: Apache-2.0
// What the tests of io share: files built by hand, a folder that goes away, results unwrapped.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace inlay::test {

/// The value, or a failed test with the message.
template <class T>
T value_of(result<T> from) {
  if (!from) FAIL(from.error().message);
  return std::move(*from);
}
inline void succeed(const result<void>& from) {
  if (!from) FAIL(from.error().message);
}

/// The result must be this error, and its message must contain all of the texts.
template <class T>
void check_error(const result<T>& from, errc code, std::initializer_list<std::string_view> texts) {
  REQUIRE_FALSE(from.has_value());
  CAPTURE(from.error().message);
  CHECK(from.error().code == code);
  for (const std::string_view text : texts) {
    CAPTURE(std::string(text));
    CHECK(from.error().message.find(text) != std::string::npos);
  }
}

/// Bytes put together field by field.
class bytes_builder {
 public:
  template <class T>
  bytes_builder& add(T value) {
    return raw({reinterpret_cast<const char*>(&value), sizeof value});
  }
  bytes_builder& u32(std::uint32_t value) { return add(value); }
  bytes_builder& u64(std::uint64_t value) { return add(value); }
  /// A string as GGUF has it: length and characters.
  bytes_builder& string(std::string_view text) { return u64(text.size()).raw(text); }
  bytes_builder& raw(std::string_view text) {
    const auto* first = reinterpret_cast<const std::byte*>(text.data());
    bytes_.insert(bytes_.end(), first, first + text.size());
    return *this;
  }
  bytes_builder& pad_to(std::size_t alignment) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment);
    return *this;
  }
  bytes_builder& zeros(std::size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

inline std::vector<std::byte> to_bytes(std::string_view text) { return bytes_builder().raw(text).bytes(); }

inline std::vector<std::byte> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.good());
  return to_bytes(std::string(std::istreambuf_iterator<char>(file), {}));
}

inline void write_file(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  REQUIRE(file.good());
}
inline void write_file(const std::string& path, std::string_view text) { write_file(path, to_bytes(text)); }

using inlay_test::temporary_folder;

inline std::span<const std::byte> bytes_of(const std::vector<float>& values) {
  return std::as_bytes(std::span(values));
}

}  // namespace inlay::test
