// SPDX-License-Identifier: Apache-2.0
// What every fallible function of the library returns: a kind to branch on and a sentence that names the thing.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "inlay/core/expected.hpp"

namespace inlay {

enum class errc : unsigned char {
  io,           ///< the file cannot be opened, read, mapped or written
  format,       ///< the file is not what its format demands (truncated, out of range, inconsistent)
  unsupported,  ///< well-formed, but of a kind this library does not read
  missing,      ///< a tensor, key or file that is needed is not there
  mismatch,     ///< the file describes another model than the type
  argument,     ///< the caller's argument is out of range
  memory,       ///< the system gave no memory
};

struct error {
  errc code;
  std::string message;  ///< a full sentence: which file, which tensor or key, what was expected, what was found

  /// For `std::cerr << result.error()`; any stream that takes a string_view.
  template <class Stream>
    requires requires(Stream& s, std::string_view v) { s << v; }
  friend Stream& operator<<(Stream& stream, const error& e) {
    stream << std::string_view(e.message);
    return stream;
  }
};

template <class T>
using result = expected<T, error>;

inline unexpected<error> fail(errc code, std::string message) {
  return unexpected<error>(error{code, std::move(message)});
}

/// Concatenates text and whole numbers: cheap to compile, unlike streams and formatters.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::string out;
  [[maybe_unused]] const auto add = [&out](const auto& part) {
    if constexpr (requires { std::string_view(part); })
      out += std::string_view(part);
    else if constexpr (requires { out.push_back(part); } && sizeof(part) == 1)
      out.push_back(static_cast<char>(part));
    else
      out += std::to_string(part);
  };
  (add(parts), ...);
  return out;
}

}  // namespace inlay
