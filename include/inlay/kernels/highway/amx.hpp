// SPDX-License-Identifier: Apache-2.0
// The instructions of AMX: eight registers that hold tiles of up to 16 rows of 64 bytes. Written by hand, since a
// function can take a compiler's own for them only if the whole function is compiled for such CPUs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "inlay/config/macros.hpp"

namespace inlay::kernels::amx {

inline constexpr std::size_t tile_rows = 16, tile_row_bytes = 64;

/// What shapes the tiles have; products need them to fit each other.
struct alignas(64) tile_shapes {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};

  void set(std::size_t tile, std::size_t count, std::size_t bytes) {
    rows[tile] = static_cast<std::uint8_t>(count);
    row_bytes[tile] = static_cast<std::uint16_t>(bytes);
  }
  bool operator==(const tile_shapes&) const = default;
};
static_assert(sizeof(tile_shapes) == 64);

/// All tiles are zero then.
INLAY_INLINE void configure(const tile_shapes& shapes) { asm volatile("ldtilecfg %0" ::"m"(shapes)); }
/// Leaves no state that the system would save.
INLAY_INLINE void release() { asm volatile("tilerelease"); }

template <int Tile>
INLAY_INLINE void set_zero() {
  asm volatile("{tilezero\t%%tmm%c0|tilezero\ttmm%c0}" ::"i"(Tile));
}
template <int Tile>
INLAY_INLINE void load(const void* from, std::size_t stride) {
  asm volatile("{tileloadd\t(%0,%1,1), %%tmm%c2|tileloadd\ttmm%c2, [%0+%1*1]}" ::"r"(from), "r"(stride), "i"(Tile)
               : "memory");
}
template <int Tile>
INLAY_INLINE void store(void* to, std::size_t stride) {
  asm volatile("{tilestored\t%%tmm%c2, (%0,%1,1)|tilestored\t[%0+%1*1], tmm%c2}" ::"r"(to), "r"(stride), "i"(Tile)
               : "memory");
}
/// sums[i][j] += the products of the pairs of bf16 a[i][k] and b[k][j].
template <int Sums, int A, int B>
INLAY_INLINE void multiply_add() {
  asm volatile("{tdpbf16ps\t%%tmm%c2, %%tmm%c1, %%tmm%c0|tdpbf16ps\ttmm%c0, tmm%c1, tmm%c2}" ::"i"(Sums), "i"(A),
               "i"(B));
}

}  // namespace inlay::kernels::amx
