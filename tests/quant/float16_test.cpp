// SPDX-License-Identifier: Apache-2.0
#include "inlay/quant/float16.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace inlay {
namespace {

std::uint32_t bits(float value) { return std::bit_cast<std::uint32_t>(value); }

TEST_CASE("every half is the number IEEE 754 says") {
  for (std::uint32_t half = 0; half < 0x10000; ++half) {
    const float value = f16_to_f32(static_cast<std::uint16_t>(half));
    const int exponent = static_cast<int>(half >> 10 & 31);
    const int fraction = static_cast<int>(half & 1023);
    CAPTURE(half);
    REQUIRE(std::signbit(value) == (half >= 0x8000));
    if (exponent == 31) {
      REQUIRE((fraction ? std::isnan(value) : std::isinf(value)));
      REQUIRE((bits(value) >> 13 & 1023) == static_cast<std::uint32_t>(fraction));
    } else {
      const float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                            : std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
      REQUIRE(std::fabs(value) == magnitude);
    }
  }
}

TEST_CASE("every half survives the way to float and back; signalling NaNs become quiet") {
  for (std::uint32_t half = 0; half < 0x10000; ++half) {
    const std::uint16_t back = f32_to_f16(f16_to_f32(static_cast<std::uint16_t>(half)));
    const bool nan = (half & 0x7fff) > 0x7c00;
    REQUIRE(back == (nan ? half | 0x0200 : half));
  }
}

TEST_CASE("floats between two halves go to the nearer one, ties to the even one") {
  for (std::uint32_t half = 0; half < 0x7bff; ++half) {
    const float lower = f16_to_f32(static_cast<std::uint16_t>(half));
    const float upper = f16_to_f32(static_cast<std::uint16_t>(half + 1));
    const float middle = lower + (upper - lower) / 2;  // exact: a half has 11 bits, a float 24
    CAPTURE(half);
    REQUIRE(f32_to_f16(middle) == (half % 2 ? half + 1 : half));
    REQUIRE(f32_to_f16(std::nextafter(middle, 0.0f)) == half);
    REQUIRE(f32_to_f16(std::nextafter(middle, 1e9f)) == half + 1);
    REQUIRE(f32_to_f16(-middle) == (0x8000 | (half % 2 ? half + 1 : half)));
  }
  CHECK(f32_to_f16(65519.996f) == 0x7bff);
  CHECK(f32_to_f16(65520.0f) == 0x7c00);
  CHECK(f32_to_f16(std::numeric_limits<float>::max()) == 0x7c00);
  CHECK(f32_to_f16(-std::numeric_limits<float>::infinity()) == 0xfc00);
  CHECK(f32_to_f16(std::numeric_limits<float>::denorm_min()) == 0);
  CHECK(f32_to_f16(-0.0f) == 0x8000);
}

TEST_CASE("bfloat16 is the upper half of a float, rounded to even") {
  for (std::uint32_t brain = 0; brain < 0x10000; ++brain) {
    const auto half = static_cast<std::uint16_t>(brain);
    const bool nan = (brain & 0x7fff) > 0x7f80;
    REQUIRE(bits(bf16_to_f32(half)) == brain << 16);
    REQUIRE(f32_to_bf16(bf16_to_f32(half)) == (nan ? brain | 0x40 : brain));
    if ((brain & 0x7f80) == 0x7f80) continue;
    REQUIRE(f32_to_bf16(std::bit_cast<float>(brain << 16 | 0x7fff)) == brain);
    REQUIRE(f32_to_bf16(std::bit_cast<float>(brain << 16 | 0x8000)) == (brain % 2 ? brain + 1 : brain));
    REQUIRE(f32_to_bf16(std::bit_cast<float>(brain << 16 | 0x8001)) == brain + 1);
  }
  CHECK(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7f800001u)))));
}

static_assert(f16_to_f32(0x3c00) == 1.0f && f32_to_f16(0.333251953125f) == 0x3555);

}  // namespace
}  // namespace inlay
