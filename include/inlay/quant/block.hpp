// SPDX-License-Identifier: Apache-2.0
// What all block formats share: the layout template, its fields, and reads that ask for no alignment.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "inlay/core/dtype.hpp"
#include "inlay/quant/float16.hpp"

namespace inlay {

static_assert(std::endian::native == std::endian::little, "checkpoints are little-endian and are read in place");

/// The layout in a file of one block of `Type`: specialised by the header of its family. All fields are bytes, so a
/// block has alignment 1 and no padding. decode() and encode() are overloaded on it.
template <dtype Type>
struct block;

/// A half-precision field of a block.
struct packed_f16 {
  std::uint8_t bytes[2];

  constexpr std::uint16_t bits() const { return static_cast<std::uint16_t>(bytes[0] | (bytes[1] << 8)); }
  constexpr float value() const { return f16_to_f32(bits()); }
  /// Rounds to nearest; returns what was stored, so that an encoder can go on with what a decoder will see.
  constexpr float set(float value) {
    const std::uint16_t half = f32_to_f16(value);
    bytes[0] = static_cast<std::uint8_t>(half);
    bytes[1] = static_cast<std::uint8_t>(half >> 8);
    return f16_to_f32(half);
  }
};

/// Block number `index` of a row.
template <dtype Type>
block<Type> load_block(const std::byte* row, std::size_t index) {
  block<Type> loaded;
  std::memcpy(&loaded, row + index * sizeof loaded, sizeof loaded);
  return loaded;
}

template <dtype Type>
void store_block(const block<Type>& from, std::byte* row, std::size_t index) {
  std::memcpy(row + index * sizeof from, &from, sizeof from);
}

namespace detail {

template <dtype Type>
inline constexpr bool layout_matches_geometry =
    sizeof(block<Type>) == geometry(Type).bytes && alignof(block<Type>) == 1 &&
    std::is_trivially_copyable_v<block<Type>> && std::is_standard_layout_v<block<Type>>;

constexpr int low_nibble(std::uint8_t byte) { return byte & 15; }
constexpr int high_nibble(std::uint8_t byte) { return byte >> 4; }
constexpr std::uint8_t nibbles(int low, int high) { return static_cast<std::uint8_t>(low | (high << 4)); }

}  // namespace detail
}  // namespace inlay
