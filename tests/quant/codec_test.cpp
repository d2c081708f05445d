// SPDX-License-Identifier: Apache-2.0
#include "inlay/quant/codec.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "tests/quant/block_file.hpp"

namespace inlay {
namespace {

constexpr float canary = 12345.0f;

/// Decodes from every byte offset of a buffer of exactly the row's size.
std::vector<float> decoded(dtype type, const std::vector<std::byte>& row, std::size_t columns, std::size_t misaligned) {
  std::vector<std::byte> shifted(misaligned + row.size());
  std::copy(row.begin(), row.end(), shifted.begin() + static_cast<std::ptrdiff_t>(misaligned));
  std::vector<float> out(columns + 1, canary);
  dequantize_row(type, shifted.data() + misaligned, columns, out.data());
  REQUIRE(out.back() == canary);
  out.pop_back();
  return out;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  const auto same = [](float x, float y) { return std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y); };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

TEST_CASE("blocks decode to the bits of the gguf package") {
  std::array<std::size_t, dtype_count> blocks_of{};
  for (const test::block_line& line : test::read_block_file(INLAY_TEST_DATA "/quant/blocks.txt")) {
    if (!line.decodes) continue;
    INFO("type ", std::string(name(line.type)), ", block ", blocks_of[static_cast<std::size_t>(line.type)]);
    ++blocks_of[static_cast<std::size_t>(line.type)];
    REQUIRE(line.blocks.size() == geometry(line.type).bytes);
    REQUIRE(line.floats.size() == geometry(line.type).weights);
    for (std::size_t misaligned = 0; misaligned < 4; ++misaligned) {
      CHECK(same_bits(decoded(line.type, line.blocks, line.floats.size(), misaligned), line.floats));
    }
  }
  for (std::size_t i = 0; i < dtype_count; ++i) {
    const auto type = static_cast<dtype>(i);
    CAPTURE(std::string(name(type)));
    CHECK((is_float(type) || blocks_of[i] >= 5));
  }
}

TEST_CASE("rows of several blocks decode block by block") {
  std::array<std::vector<std::byte>, dtype_count> rows;
  std::array<std::vector<float>, dtype_count> expected;
  for (const test::block_line& line : test::read_block_file(INLAY_TEST_DATA "/quant/blocks.txt")) {
    if (!line.decodes) continue;
    const auto i = static_cast<std::size_t>(line.type);
    rows[i].insert(rows[i].end(), line.blocks.begin(), line.blocks.end());
    expected[i].insert(expected[i].end(), line.floats.begin(), line.floats.end());
  }
  for (std::size_t i = 0; i < dtype_count; ++i) {
    const auto type = static_cast<dtype>(i);
    CHECK(same_bits(decoded(type, rows[i], expected[i].size(), 1), expected[i]));
    REQUIRE(rows[i].size() == row_bytes(type, expected[i].size()));
  }
}

TEST_CASE("float rows decode from any alignment") {
  const std::vector<float> values = {0.0f, -0.0f, 1.0f, -2.5f, 65504.0f, 5.9604645e-8f, 0.09997558594f};
  std::vector<std::byte> f32(values.size() * 4), f16(values.size() * 2), bf16(values.size() * 2);
  std::memcpy(f32.data(), values.data(), f32.size());
  std::vector<float> brains;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t half = f32_to_f16(values[i]), brain = f32_to_bf16(values[i]);
    std::memcpy(f16.data() + 2 * i, &half, 2);
    std::memcpy(bf16.data() + 2 * i, &brain, 2);
    brains.push_back(bf16_to_f32(brain));
  }
  for (std::size_t misaligned = 0; misaligned < 4; ++misaligned) {
    CHECK(same_bits(decoded(dtype::f32, f32, values.size(), misaligned), values));
    CHECK(same_bits(decoded(dtype::f16, f16, values.size(), misaligned), values));
    CHECK(same_bits(decoded(dtype::bf16, bf16, values.size(), misaligned), brains));
  }
  CHECK(decoded(dtype::f32, {}, 0, 0).empty());
}

TEST_CASE("any bytes decode without undefined behaviour") {
  std::uint64_t state = 1;
  for (std::size_t i = 0; i < dtype_count; ++i) {
    const auto type = static_cast<dtype>(i);
    for (int round = 0; round < 200; ++round) {
      std::vector<std::byte> row(geometry(type).bytes);
      for (std::byte& b : row)
        b = static_cast<std::byte>((state = state * 6364136223846793005u + 1442695040888963407u) >> 56);
      decoded(type, row, geometry(type).weights, 0);
    }
  }
}

}  // namespace
}  // namespace inlay
