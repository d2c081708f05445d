// SPDX-License-Identifier: Apache-2.0
// Damage to files that is the same in every run.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace inlay::fuzz {

class dice {
 public:
  std::uint64_t operator()() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    return state_ ^= state_ << 17;
  }
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : static_cast<std::size_t>((*this)() % bound); }

 private:
  std::uint64_t state_ = 88172645463325252u;
};

using bytes = std::vector<std::byte>;

inline bytes read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.good());
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const auto* first = reinterpret_cast<const std::byte*>(text.data());
  return {first, first + text.size()};
}

/// Numbers at which checks are easily wrong.
inline constexpr std::uint64_t edges[] = {0,
                                          1,
                                          2,
                                          4,
                                          5,
                                          7,
                                          8,
                                          9,
                                          31,
                                          32,
                                          33,
                                          63,
                                          64,
                                          255,
                                          256,
                                          0x7fffffff,
                                          0x80000000,
                                          0xffffffff,
                                          0x100000000,
                                          0x3fffffffffffffff,
                                          0x4000000000000000,
                                          0x7fffffffffffffff,
                                          0x8000000000000000,
                                          0xfffffffffffffff8,
                                          0xffffffffffffffe0,
                                          0xffffffffffffffff};
inline constexpr std::string_view tokens[] = {"{",
                                              "}",
                                              "[",
                                              "]",
                                              "\"",
                                              ":",
                                              ",",
                                              "\\",
                                              "\\u0000",
                                              "\\ud800",
                                              "-1",
                                              "1e999",
                                              "0.5",
                                              "null",
                                              "18446744073709551615",
                                              "18446744073709551616",
                                              "\"F32\"",
                                              "\"I64\"",
                                              "shape",
                                              "__metadata__"};

/// Changes one place among the first `reach` bytes.
inline void mutate(bytes& file, dice& roll, std::size_t reach) {
  const std::size_t at = roll.below(std::min(reach, file.size()) + 1);
  const auto here = file.begin() + static_cast<std::ptrdiff_t>(at);
  const std::size_t left = file.size() - at;
  switch (roll.below(8)) {
    case 0:
      if (left != 0) *here ^= static_cast<std::byte>(1u << roll.below(8));
      break;
    case 1:
      if (left != 0) *here = static_cast<std::byte>(roll());
      break;
    case 2:
    case 3: {  // a field of 4 or 8 bytes
      const std::uint64_t edge = edges[roll.below(std::size(edges))];
      const std::size_t size = roll.below(2) == 0 ? 4 : 8;
      if (left >= size) std::memcpy(&*here, &edge, size);
      break;
    }
    case 4:
      file.resize(at);
      break;
    case 5:
      file.erase(here, here + static_cast<std::ptrdiff_t>(roll.below(std::min<std::size_t>(left, 16) + 1)));
      break;
    case 6: {  // a piece of itself
      const std::size_t from = roll.below(file.size() + 1);
      const bytes piece(file.begin() + static_cast<std::ptrdiff_t>(from),
                        file.begin() + static_cast<std::ptrdiff_t>(
                                           from + roll.below(std::min<std::size_t>(file.size() - from, 64) + 1)));
      file.insert(here, piece.begin(), piece.end());
      break;
    }
    default: {
      const std::string_view token = tokens[roll.below(std::size(tokens))];
      const auto* first = reinterpret_cast<const std::byte*>(token.data());
      if (roll.below(2) == 0 && left >= token.size()) {
        std::copy(first, first + token.size(), here);
      } else {
        file.insert(here, first, first + token.size());
      }
    }
  }
}

/// How many of `rounds` files, mutated in their first `reach` bytes, are still read as one.
template <class Reader>
int survivors(const bytes& original, int rounds, Reader&& read, std::size_t reach = SIZE_MAX) {
  CHECK(read(original));
  dice roll;
  int accepted = 0;
  for (int round = 0; round < rounds; ++round) {
    bytes file = original;
    for (std::size_t times = 1 + roll.below(4); times != 0; --times) mutate(file, roll, reach);
    // Exactly its bytes on the heap, so that a sanitizer sees the first one too many.
    const bytes exact(file.begin(), file.end());
    accepted += read(exact) ? 1 : 0;
  }
  return accepted;
}

}  // namespace inlay::fuzz
