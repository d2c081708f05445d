// SPDX-License-Identifier: Apache-2.0
#include "inlay/quant/quantize.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tests/quant/block_file.hpp"

namespace inlay {
namespace {

constexpr dtype searched[] = {dtype::q2_k, dtype::q3_k,   dtype::q4_k,  dtype::q5_k,
                              dtype::q6_k, dtype::iq4_nl, dtype::iq4_xs};

/// The same values on every machine: sums of whole numbers.
class noise {
 public:
  explicit noise(std::uint64_t seed) : state_(seed) {}
  std::uint32_t bits() {
    return static_cast<std::uint32_t>((state_ = state_ * 6364136223846793005u + 1442695040888963407u) >> 40);
  }
  /// Nearly normal, with standard deviation 1/64.
  float normal() {
    std::int32_t sum = 0;
    for (int i = 0; i < 12; ++i) sum += static_cast<std::int32_t>(bits());
    return static_cast<float>(sum - 12 * (1 << 23)) * 0x1p-30f;
  }
  float uniform() { return static_cast<float>(static_cast<std::int32_t>(bits()) - (1 << 23)) * 0x1p-28f; }

 private:
  std::uint64_t state_;
};

std::vector<float> values(std::size_t count, bool normal) {
  noise source(normal ? 1 : 2);
  std::vector<float> made(count);
  for (float& value : made) value = normal ? source.normal() : source.uniform();
  return made;
}

std::vector<float> round_trip(dtype type, const std::vector<float>& in, const float* importance = nullptr) {
  std::vector<std::byte> row(row_bytes(type, in.size()) + 1);
  row.back() = std::byte{0xa5};
  quantize_row(type, in.data(), in.size(), row.data(), importance);
  REQUIRE(row.back() == std::byte{0xa5});
  std::vector<float> out(in.size());
  dequantize_row(type, row.data(), in.size(), out.data());
  return out;
}

double squared_error(const std::vector<float>& a, const std::vector<float>& b, const float* importance = nullptr) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double off = static_cast<double>(a[i]) - b[i];
    sum += off * off * (importance != nullptr ? importance[i] : 1.0f);
  }
  return sum;
}

/// Relative RMS errors of ggml's quantize_row_*_ref (iq4: quantize_iq4_* without importance; iq2_xxs: with equal
/// importances) on the same 256000 values.
struct figures {
  dtype type;
  double normal, uniform;
};
constexpr figures reference[] = {
    {dtype::q2_k, 0.294053, 0.233199},   {dtype::q3_k, 0.149218, 0.125044},    {dtype::q4_k, 0.070699, 0.054556},
    {dtype::q5_k, 0.035774, 0.027654},   {dtype::q6_k, 0.017544, 0.013390},    {dtype::iq4_nl, 0.075200, 0.064142},
    {dtype::iq4_xs, 0.075768, 0.064728}, {dtype::iq2_xxs, 0.342043, 0.333345},
};

double relative_error(dtype type, const std::vector<float>& in) {
  return std::sqrt(squared_error(in, round_trip(type, in)) / squared_error(in, std::vector<float>(in.size())));
}

TEST_CASE("simple formats give the bytes of the gguf package") {
  std::array<int, dtype_count> lines{};
  for (const test::block_line& line : test::read_block_file(INLAY_TEST_DATA "/quant/blocks.txt")) {
    if (line.decodes) continue;
    INFO("type ", std::string(name(line.type)), ", line ", lines[static_cast<std::size_t>(line.type)]);
    ++lines[static_cast<std::size_t>(line.type)];
    for (std::size_t misaligned = 0; misaligned < 4; ++misaligned) {
      std::vector<std::byte> row(misaligned + line.blocks.size());
      quantize_row(line.type, line.floats.data(), line.floats.size(), row.data() + misaligned);
      CHECK(std::equal(line.blocks.begin(), line.blocks.end(), row.begin() + static_cast<std::ptrdiff_t>(misaligned)));
    }
  }
  for (const dtype type :
       {dtype::f16, dtype::bf16, dtype::q4_0, dtype::q4_1, dtype::q5_0, dtype::q5_1, dtype::q8_0, dtype::mxfp4}) {
    CHECK(lines[static_cast<std::size_t>(type)] == 14);
  }
}

TEST_CASE("searched formats are no further off than ggml's reference quantizers") {
  const std::vector<float> normal = values(256'000, true);
  const std::vector<float> uniform = values(256'000, false);
  for (const figures& ggml : reference) {
    CAPTURE(std::string(name(ggml.type)));
    CHECK(relative_error(ggml.type, normal) <= ggml.normal);
    CHECK(relative_error(ggml.type, uniform) <= ggml.uniform);
  }
}

TEST_CASE("what a format can hold exactly, or at its edges, comes back well") {
  for (const dtype type : searched) {
    CAPTURE(std::string(name(type)));
    const std::size_t count = geometry(type).weights;
    const std::vector<float> zeros(count);
    CHECK(round_trip(type, zeros) == zeros);

    // One value that is not zero must not drown: it is an extreme of its sub-block.
    for (const float peak : {1.0f, -1.0f}) {
      std::vector<float> lone(count);
      lone[count / 2 + 3] = peak;
      const std::vector<float> back = round_trip(type, lone);
      CHECK(std::fabs(back[count / 2 + 3] - peak) < 0.01f);
      // iq4 has no zero: the nearest to it is 1 where the extreme is 113.
      const bool no_zero = type == dtype::iq4_nl || type == dtype::iq4_xs;
      CHECK(squared_error(lone, back) < (no_zero ? 32.0 / (113 * 113) : 1e-4));
    }
    // Constant rows: a scale, or a minimum, alone can hold them.
    for (const float constant : {0.37f, -0.37f, 1e-4f, 3000.0f}) {
      const std::vector<float> row(count, constant);
      for (const float back : round_trip(type, row)) CHECK(std::fabs(back - constant) < 0.02f * std::fabs(constant));
    }
  }
}

TEST_CASE("rows of one magnitude are in the table of iq2_xxs, with signs of an even number in each eight") {
  for (const float constant : {0.0f, 0.37f, -0.37f, 1e-4f, 3000.0f}) {
    std::vector<float> row(256, constant);
    for (std::size_t i = 0; i < row.size(); i += 8) row[i + 1] = row[i + 6] = -constant;
    const std::vector<float> back = round_trip(dtype::iq2_xxs, row);
    for (std::size_t i = 0; i < row.size(); ++i) CHECK(std::fabs(back[i] - row[i]) <= 0.02f * std::fabs(row[i]));
  }
  // Of an odd number the sign of the weight that matters least is given up.
  std::vector<float> row(256, 1.0f), importance(256, 1.0f);
  row[3] = -1.0f;
  importance[5] = 0.5f;
  const std::vector<float> back = round_trip(dtype::iq2_xxs, row, importance.data());
  CHECK(back[3] < 0);
  CHECK(back[5] < 0);
  CHECK(back[4] > 0);
}

TEST_CASE("decoded blocks, with scales of any size and sign, are encoded again within the usual error") {
  for (const test::block_line& line : test::read_block_file(INLAY_TEST_DATA "/quant/blocks.txt")) {
    if (!line.decodes) continue;
    for (const figures& ggml : reference) {
      if (ggml.type != line.type) continue;
      CAPTURE(std::string(name(line.type)));
      const bool zero = std::all_of(line.floats.begin(), line.floats.end(), [](float value) { return value == 0; });
      CHECK((zero || relative_error(line.type, line.floats) < ggml.normal));
    }
  }
}

TEST_CASE("a grid with as many levels as the format has is found") {
  noise source(4);
  for (const auto& [type, levels] : {std::pair{dtype::q4_k, 16u}, std::pair{dtype::q5_k, 32u}}) {
    std::vector<float> in(256 * 40);
    for (std::size_t first = 0; first < in.size(); first += 32) {
      const float step = 0.01f + 0.01f * std::fabs(source.normal());
      const float least = -step * static_cast<float>(levels) * 0.5f;
      for (std::size_t i = 0; i < 32; ++i) {
        const std::uint32_t level = i < 2 ? static_cast<std::uint32_t>(i) * (levels - 1) : source.bits() % levels;
        in[first + i] = least + step * static_cast<float>(level);
      }
    }
    // What is left is the rounding of scales and minimums to 6 bits; half a step is 1 / 32 and 1 / 64 of the range.
    CAPTURE(std::string(name(type)));
    CHECK(relative_error(type, in) < 0.008);
  }
}

TEST_CASE("importance moves the error to where it does not matter") {
  const std::vector<float> in = values(256 * 40, true);
  std::vector<float> importance(in.size());
  noise source(3);
  for (float& factor : importance) factor = source.bits() % 4 == 0 ? 100.0f : 1.0f;
  for (const dtype type : {dtype::q2_k, dtype::q3_k, dtype::q4_k, dtype::q5_k, dtype::q6_k, dtype::iq4_nl,
                           dtype::iq4_xs, dtype::iq2_xxs}) {
    CAPTURE(std::string(name(type)));
    const double without = squared_error(in, round_trip(type, in), importance.data());
    const double with = squared_error(in, round_trip(type, in, importance.data()), importance.data());
    CHECK(with < 0.95 * without);
    // All alike is as if there were none.
    const std::vector<float> same(in.size(), 2.0f);
    CHECK(squared_error(round_trip(type, in), round_trip(type, in, same.data())) <
          1e-3 * squared_error(in, round_trip(type, in)));
  }
}

TEST_CASE("values that no model should have do no harm") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < dtype_count; ++i) {
    const auto type = static_cast<dtype>(i);
    CAPTURE(std::string(name(type)));
    for (const float odd : {infinity, -infinity, std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min(), -0.0f}) {
      std::vector<float> row(geometry(type).weights, 0.5f);
      row.back() = odd;
      CHECK(round_trip(type, row).size() == row.size());
      CHECK(round_trip(type, std::vector<float>(row.size(), odd)).size() == row.size());
      const std::vector<float> importance(row.size(), odd);
      CHECK(round_trip(type, row, importance.data()).size() == row.size());
    }
  }
}

}  // namespace
}  // namespace inlay
