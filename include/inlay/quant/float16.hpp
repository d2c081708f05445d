// SPDX-License-Identifier: Apache-2.0
// Bit conversions between float and the two 16-bit formats: IEEE half (binary16) and bfloat16. They need no hardware
// support and give the same bits everywhere: subnormals are exact even where the CPU flushes them to zero.
#pragma once

#include <bit>
#include <cstdint>

namespace inlay {

/// The float an IEEE half stands for (exact; the payload of a NaN is kept).
constexpr float f16_to_f32(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000u) << 16;
  const std::uint32_t magnitude = half & 0x7fffu;
  std::uint32_t bits = (magnitude << 13) + (112u << 23);  // 112 = 127 - 15, the distance of the exponent biases
  if (magnitude >= 0x7c00u) bits += 112u << 23;           // infinity and NaN: exponent 31 becomes 255
  // A subnormal is magnitude * 2^-24, and 2^-24 is one unit in the last place of 0.5.
  if (magnitude < 0x0400u) bits = std::bit_cast<std::uint32_t>(std::bit_cast<float>(0x3f000000u + magnitude) - 0.5f);
  return std::bit_cast<float>(sign | bits);
}

/// The nearest IEEE half, ties to even. Beyond 65504 + half a step it is infinity; a NaN stays one and becomes quiet.
constexpr std::uint16_t f32_to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  std::uint32_t half = 0;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u | ((magnitude >> 13) & 0x03ffu);
  } else if (magnitude >= 0x477ff000u) {  // 65520, the first that rounds to 2^16
    half = 0x7c00u;
  } else if (magnitude < 0x38800000u) {  // below 2^-14: adding 0.5 rounds to a multiple of 2^-24
    half = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  } else {
    half = (magnitude - (112u << 23) + 0x0fffu + ((magnitude >> 13) & 1u)) >> 13;
  }
  return static_cast<std::uint16_t>(sign | half);
}

/// The float a bfloat16 stands for (exact).
constexpr float bf16_to_f32(std::uint16_t brain) { return std::bit_cast<float>(std::uint32_t{brain} << 16); }

/// The nearest bfloat16, ties to even; a NaN stays one and becomes quiet.
constexpr std::uint16_t f32_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x0040u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace inlay
