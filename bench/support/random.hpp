// SPDX-License-Identifier: Apache-2.0
// Random numbers that are the same on every machine, and fast.
#pragma once

#include <cstddef>
#include <cstdint>

namespace inlay::bench {

/// splitmix64.
class random_bits {
 public:
  explicit random_bits(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// Four uniform numbers added: nearly normal with mean 0 and standard deviation 1.
  float next_normal() {
    const std::uint64_t bits = next();
    float sum = 0.0f;
    for (int i = 0; i < 4; ++i) sum += static_cast<float>(bits >> (16 * i) & 0xffff);
    return (sum - 131070.0f) * (1.0f / 37837.0f);
  }

 private:
  std::uint64_t state_;
};

}  // namespace inlay::bench
