// SPDX-License-Identifier: Apache-2.0
// What convert/importance.hpp declares.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/config/macros.hpp"
#include "inlay/convert/importance.hpp"
#include "inlay/core/error.hpp"
#include "inlay/io/gguf.hpp"
#include "inlay/io/mapped_file.hpp"
#include "inlay/io/untrusted.hpp"

namespace inlay {

namespace detail {

inline bool are_importances(const std::vector<float>& factors) {
  for (const float f : factors)
    if (!std::isfinite(f) || f < 0.0f) return false;
  return !factors.empty();
}

/// Tensors NAME.in_sum2 [matrices, columns], the sums of squares, and NAME.counts [matrices].
inline result<importance_matrix> read_importance_gguf(const gguf_file& file) {
  constexpr std::string_view sums_end = ".in_sum2";
  importance_matrix matrix;
  for (const gguf_tensor& t : file.tensors()) {
    if (!t.name.ends_with(sums_end)) continue;
    const std::string name(t.name.substr(0, t.name.size() - sums_end.size()));
    const gguf_tensor* counts = file.find_tensor(concat(name, ".counts"));
    const std::size_t columns = static_cast<std::size_t>(t.dims[0]);
    const std::size_t numbers = t.data.size() / sizeof(float);
    const bool fits = t.type == 0 && counts != nullptr && counts->type == 0 && columns != 0 &&
                      counts->data.size() / sizeof(float) * columns == numbers;
    if (!fits)
      return fail(errc::format, concat(file.path(), ": tensor ", in_quotes(t.name), " has no fitting counts in F32."));
    std::vector<float> factors(numbers);
    for (std::size_t i = 0; i < numbers; ++i) {
      const float sum = load<float>(t.data.data() + i * sizeof(float));
      const float count = load<float>(counts->data.data() + i / columns * sizeof(float));
      factors[i] = count > 0.0f ? sum / count : 1.0f;  // an expert that no text came to
    }
    if (!are_importances(factors))
      return fail(errc::format, concat(file.path(), ": ", in_quotes(t.name), " has negative or infinite sums."));
    matrix.set(name, std::move(factors));
  }
  if (matrix.size() == 0) return fail(errc::format, concat(file.path(), ": holds no importances."));
  return matrix;
}

/// i32 entries; each i32 length, name, i32 calls, i32 values, f32 [values], the means times the calls.
inline result<importance_matrix> read_importance_dat(std::span<const std::byte> bytes, const std::string& path) {
  std::size_t at = 0;
  const auto number = [&]() -> std::int64_t {
    if (bytes.size() - at < 4) return -1;
    at += 4;
    return load<std::int32_t>(bytes.data() + at - 4);
  };
  const auto damaged = [&] { return fail(errc::format, concat(path, ": is no importance matrix, or ends early.")); };
  importance_matrix matrix;
  const std::int64_t entries = number();
  if (entries < 1) return damaged();
  for (std::int64_t i = 0; i < entries; ++i) {
    const std::int64_t length = number();
    if (length < 1 || static_cast<std::uint64_t>(length) > bytes.size() - at) return damaged();
    std::string name(reinterpret_cast<const char*>(bytes.data() + at), static_cast<std::size_t>(length));
    at += static_cast<std::size_t>(length);
    const std::int64_t calls = number(), values = number();
    if (values < 1 || static_cast<std::uint64_t>(values) > (bytes.size() - at) / sizeof(float)) return damaged();
    std::vector<float> factors(static_cast<std::size_t>(values));
    std::memcpy(factors.data(), bytes.data() + at, factors.size() * sizeof(float));
    at += factors.size() * sizeof(float);
    if (calls > 0)
      for (float& f : factors) f /= static_cast<float>(calls);
    if (!are_importances(factors)) return damaged();
    matrix.set(std::move(name), std::move(factors));
  }
  return matrix;
}

}  // namespace detail

INLAY_DEFINITION result<importance_matrix> read_importance(std::string path) {
  const auto file = mapped_file::open(std::move(path));
  if (!file) return unexpected<error>(file.error());
  constexpr std::string_view magic = "GGUF";
  if (file->bytes().size() >= 4 && std::memcmp(file->bytes().data(), magic.data(), 4) == 0) {
    const auto gguf = gguf_file::parse(file->bytes(), file->path());
    if (!gguf) return unexpected<error>(gguf.error());
    return detail::read_importance_gguf(*gguf);
  }
  return detail::read_importance_dat(file->bytes(), file->path());
}

}  // namespace inlay
