// SPDX-License-Identifier: Apache-2.0
// Values of GGUF metadata, read where they lie in the file.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace inlay {

/// The numbers are those of the file format.
enum class gguf_type : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };
inline constexpr std::uint32_t gguf_type_count = 13;

constexpr std::string_view name(gguf_type type) {
  constexpr std::string_view names[gguf_type_count] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                                       "bool", "string", "array", "u64", "i64", "f64"};
  return names[static_cast<std::uint32_t>(type)];
}

/// Bytes of a value; 0 for strings and arrays, whose size is in the file.
constexpr std::size_t fixed_size(gguf_type type) {
  constexpr std::uint8_t sizes[gguf_type_count] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return sizes[static_cast<std::uint32_t>(type)];
}

namespace detail {

template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// Calls visitor(number) with the number as the file has it; false for other types.
template <class Visitor>
bool visit_number(gguf_type type, const std::byte* bytes, Visitor&& visitor) {
  switch (type) {
    case gguf_type::u8:
      return visitor(load<std::uint8_t>(bytes)), true;
    case gguf_type::i8:
      return visitor(load<std::int8_t>(bytes)), true;
    case gguf_type::u16:
      return visitor(load<std::uint16_t>(bytes)), true;
    case gguf_type::i16:
      return visitor(load<std::int16_t>(bytes)), true;
    case gguf_type::u32:
      return visitor(load<std::uint32_t>(bytes)), true;
    case gguf_type::i32:
      return visitor(load<std::int32_t>(bytes)), true;
    case gguf_type::u64:
      return visitor(load<std::uint64_t>(bytes)), true;
    case gguf_type::i64:
      return visitor(load<std::int64_t>(bytes)), true;
    case gguf_type::f32:
      return visitor(load<float>(bytes)), true;
    case gguf_type::f64:
      return visitor(load<double>(bytes)), true;
    case gguf_type::boolean:
    case gguf_type::string:
    case gguf_type::array:
      break;
  }
  return false;
}

template <class T>
concept gguf_integer = std::integral<T> && !std::same_as<T, bool>;

/// T from a value of fixed size: any integer width that can hold the number, any number as a float.
template <class T>
std::optional<T> to_scalar(gguf_type type, const std::byte* bytes) {
  std::optional<T> converted;
  if constexpr (std::same_as<T, bool>) {
    if (type == gguf_type::boolean) converted = load<std::uint8_t>(bytes) != 0;
  } else {
    visit_number(type, bytes, [&converted]<class Stored>(Stored stored) {
      if constexpr (std::floating_point<T>) {
        converted = static_cast<T>(stored);
      } else if constexpr (gguf_integer<Stored>) {
        if (std::in_range<T>(stored)) converted = static_cast<T>(stored);
      }
    });
  }
  return converted;
}

}  // namespace detail

/// An array of metadata, a view of the file. Numbers and booleans can be read at random; strings in order:
///   for (std::string_view token : array.strings()) ...
class gguf_array {
 public:
  gguf_array() = default;
  /// The parser has checked that `bytes` are exactly `size` well-formed elements.
  gguf_array(gguf_type element, std::uint64_t size, std::span<const std::byte> bytes)
      : element_(element), size_(size), bytes_(bytes) {}

  gguf_type element_type() const { return element_; }
  std::uint64_t size() const { return size_; }
  std::span<const std::byte> bytes() const { return bytes_; }

  /// Element `index` (below size()) as a bool, an integer that can hold it, or a floating-point number.
  template <class T>
    requires std::is_arithmetic_v<T>
  std::optional<T> at(std::uint64_t index) const {
    const std::size_t step = fixed_size(element_);
    if (step == 0 || index >= size_) return std::nullopt;
    return detail::to_scalar<T>(element_, bytes_.data() + index * step);
  }

  class string_iterator {
   public:
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    string_iterator() = default;
    explicit string_iterator(const std::byte* at) : at_(at) {}
    std::string_view operator*() const {
      return {reinterpret_cast<const char*>(at_ + 8), static_cast<std::size_t>(detail::load<std::uint64_t>(at_))};
    }
    string_iterator& operator++() {
      at_ += 8 + detail::load<std::uint64_t>(at_);
      return *this;
    }
    string_iterator operator++(int) {
      const string_iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const string_iterator&) const = default;

   private:
    const std::byte* at_ = nullptr;
  };
  struct string_range {
    string_iterator first, last;
    string_iterator begin() const { return first; }
    string_iterator end() const { return last; }
  };

  /// Empty where the elements are not strings.
  string_range strings() const {
    if (element_ != gguf_type::string) return {};
    return {string_iterator(bytes_.data()), string_iterator(bytes_.data() + bytes_.size())};
  }

 private:
  gguf_type element_ = gguf_type::u8;
  std::uint64_t size_ = 0;
  std::span<const std::byte> bytes_;
};

/// What gguf_value::as can give.
template <class T>
concept gguf_readable = std::is_arithmetic_v<T> || std::same_as<T, std::string_view> || std::same_as<T, gguf_array>;

/// One value of the metadata.
class gguf_value {
 public:
  gguf_value() = default;
  gguf_value(gguf_type type, std::span<const std::byte> bytes) : type_(type), array_(type, 1, bytes) {}
  explicit gguf_value(const gguf_array& array) : type_(gguf_type::array), array_(array) {}

  gguf_type type() const { return type_; }
  /// A number or bool as it lies in the file.
  std::span<const std::byte> scalar_bytes() const { return array_.bytes(); }

  /// The value as T; nothing where it is of another kind or does not fit. Integers of any width convert to any integer
  /// that can hold them, numbers of any kind to floating point; nothing else converts.
  template <gguf_readable T>
  std::optional<T> as() const {
    if constexpr (std::same_as<T, gguf_array>) {
      return type_ == gguf_type::array ? std::optional(array_) : std::nullopt;
    } else if constexpr (std::same_as<T, std::string_view>) {
      if (type_ != gguf_type::string) return std::nullopt;
      return std::string_view(reinterpret_cast<const char*>(array_.bytes().data()), array_.bytes().size());
    } else {
      if (fixed_size(type_) == 0) return std::nullopt;
      return detail::to_scalar<T>(type_, array_.bytes().data());
    }
  }

 private:
  gguf_type type_ = gguf_type::u8;
  gguf_array array_;  // of a string: its characters; of a scalar: its bytes
};

struct gguf_entry {
  std::string_view key;
  gguf_value value;
};

}  // namespace inlay
