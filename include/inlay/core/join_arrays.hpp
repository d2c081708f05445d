// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>

namespace inlay {

/// One array of what stands in several, in their order.
template <class T, std::size_t... Sizes>
constexpr std::array<T, (std::size_t{0} + ... + Sizes)> join_arrays(const std::array<T, Sizes>&... parts) {
  std::array<T, (std::size_t{0} + ... + Sizes)> all{};
  [[maybe_unused]] std::size_t end = 0;
  [[maybe_unused]] const auto add = [&](const auto& part) {
    for (const T& element : part) all[end++] = element;
  };
  (add(parts), ...);
  return all;
}

}  // namespace inlay
