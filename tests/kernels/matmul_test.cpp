// SPDX-License-Identifier: Apache-2.0
// Matrix products of all storage types, policies and CPU targets.
//
// Products with packed weights are compared with two things. With a model of their own arithmetic in double, from the
// quantized activations and their sums: only float rounding may differ, so that a wrong code, scale or sum cannot hide.
// And with the plain policy, which does not quantize activations: the difference is bounded by half a step of the
// quantizer.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/kernels/highway/quantized_line.hpp"
#include "inlay/kernels/pack.hpp"
#include "support.hpp"

namespace inlay::test {
namespace {

using kernels::quantized_line;

constexpr dtype all_types[] = {dtype::f32,  dtype::f16,    dtype::bf16,   dtype::q4_0,  dtype::q4_1,   dtype::q5_0,
                               dtype::q5_1, dtype::q8_0,   dtype::q2_k,   dtype::q3_k,  dtype::q4_k,   dtype::q5_k,
                               dtype::q6_k, dtype::iq4_nl, dtype::iq4_xs, dtype::mxfp4, dtype::iq2_xxs};

void put_half(std::byte* at, float value) {
  const std::uint16_t half = f32_to_f16(value);
  std::memcpy(at, &half, 2);
}

/// A row of blocks with random codes and scales, and with half floats that are sensible numbers.
void random_row(dtype type, std::size_t columns, std::mt19937& generator, std::byte* row) {
  const std::size_t bytes = geometry(type).bytes;
  const auto number = [&](float low, float high) {
    return low + (high - low) * static_cast<float>(generator() >> 8) * 0x1p-24f;
  };
  for (std::size_t i = 0; i < columns / geometry(type).weights; ++i) {
    std::byte* block = row + i * bytes;
    for (std::size_t j = 0; j < bytes; ++j) block[j] = static_cast<std::byte>(generator());
    const float scale = number(0.005f, 0.015f) * (generator() % 2 == 0 ? 1.0f : -1.0f);
    const float positive = std::fabs(scale);
    switch (type) {
      case dtype::f32: {
        const float value = number(-1, 1);
        std::memcpy(block, &value, sizeof value);
        break;
      }
      case dtype::f16:
        put_half(block, number(-1, 1));
        break;
      case dtype::bf16: {
        const std::uint16_t value = f32_to_bf16(number(-1, 1));
        std::memcpy(block, &value, sizeof value);
        break;
      }
      case dtype::q4_1:
      case dtype::q5_1:
      case dtype::q4_k:
      case dtype::q5_k:
        put_half(block, positive);
        put_half(block + 2, scale);
        break;
      case dtype::q2_k:
        put_half(block + 80, positive);
        put_half(block + 82, scale);
        break;
      case dtype::q3_k:
        put_half(block + 108, scale);
        break;
      case dtype::q6_k:
        put_half(block + 208, scale);
        break;
      case dtype::mxfp4:
        block[0] = static_cast<std::byte>(118 + generator() % 6);
        break;
      default:
        put_half(block, scale);
    }
  }
}

/// Columns that a whole number and a minimum belong to, in formats which have such: kernels multiply them with whole
/// sums.
constexpr std::size_t minimum_columns(dtype type) {
  return type == dtype::q2_k ? 16 : type == dtype::q4_k || type == dtype::q5_k ? 32 : 0;
}

/// What is added to a row's weights in such a format: what they are with all codes 0.
std::vector<float> minima_of(dtype type, const std::byte* row, std::size_t columns) {
  const std::size_t bytes = geometry(type).bytes;
  std::vector<std::byte> zeros(row, row + row_bytes(type, columns));
  for (std::size_t i = 0; i < zeros.size(); ++i)
    if (i % bytes >= 16 && !(type == dtype::q2_k && i % bytes >= 80)) zeros[i] = std::byte{0};
  std::vector<float> minima(columns);
  dequantize_row(type, zeros.data(), columns, minima.data());
  return minima;
}

/// The sum of the activations from a column on, in units of their group, that such a kernel uses.
double whole_sum(const quantized_line* lines, std::size_t column, std::size_t columns) {
  const std::size_t l = column / 32;
  const std::int16_t whole = columns == 16 ? lines[l].half_sums[column / 16 % 2] : lines[l - l % 2].pair_sums[l % 2];
  return std::ldexp(static_cast<double>(whole), kernels::sum_exponent);
}

/// A random matrix: as in a file, as floats, and in the form the policy reads.
struct weights {
  dtype type;
  std::size_t rows, columns;
  std::vector<std::byte> file;
  std::vector<float> values;
  float greatest = 0;  ///< magnitude

  weights(dtype t, std::size_t r, std::size_t c, std::uint32_t seed)
      : type(t), rows(r), columns(c), file(r * row_bytes(t, c)), values(r * c) {
    std::mt19937 generator(seed);
    for (std::size_t i = 0; i < rows; ++i) {
      std::byte* row = file.data() + i * row_bytes(type, columns);
      random_row(type, columns, generator, row);
      dequantize_row(type, row, columns, values.data() + i * columns);
    }
    for (const float v : values) greatest = std::max(greatest, std::fabs(v));
  }

  kernels::matrix_ref in_file(const std::byte* at) const { return {at, rows, columns, type, kernels::layout::rows}; }

  template <class K>
  std::size_t packed_bytes() const {
    return (rows + kernels::panel_rows - 1) / kernels::panel_rows * K::panel_bytes(type, rows, columns);
  }
  template <class K>
  kernels::matrix_ref pack(std::byte* to) const {
    return kernels::pack_matrix(K(), in_file(file.data()), to);
  }
};

/// Rows of activations, some of them far greater than the others.
std::vector<float> random_activations(std::size_t rows, std::size_t columns, std::size_t stride, std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<float> x(rows * stride, std::numeric_limits<float>::quiet_NaN());
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t c = 0; c < columns; ++c) {
      const float value = static_cast<float>(generator() >> 8) * 0x1p-23f - 1;
      x[i * stride + c] = value * (generator() % 64 == 0 ? 30.0f : 1.0f) * (c % 96 < 32 ? 0.01f : 1.0f);
    }
  return x;
}

float scale_of(const quantized_line& line) { return line.unit * line.scale; }

struct shape {
  std::size_t rows, columns;
};
constexpr shape shapes[] = {{1, 32},   {15, 64},  {16, 96},   {17, 256},  {33, 512}, {50, 288},
                            {64, 256}, {97, 768}, {130, 544}, {16, 2080}, {3, 1024}};
constexpr std::size_t counts[] = {1, 2, 3, 4, 5, 7, 8, 9, 16, 19};

/// out = (or +=) w x, in two calls where there are rows enough. Fails if a number outside of the result is written.
template <class K>
std::vector<float> multiply(const kernels::matrix_ref& w, const kernels::activations& x, bool add, std::size_t gap,
                            std::size_t split = 0) {
  const std::size_t stride = w.rows + 3;
  const std::size_t size = (x.count - 1) * stride + w.rows;
  guarded<float> out(size, gap);
  for (std::size_t i = 0; i < size; ++i) out[i] = 0.25f;
  if (split != 0) K::matmul(w, x, out.data(), stride, 0, split, add);
  K::matmul(w, x, out.data(), stride, split, w.rows, add);
  bool untouched = true;
  std::vector<float> result(x.count * w.rows);
  for (std::size_t i = 0; i < size; ++i) {
    if (i % stride < w.rows)
      result[i / stride * w.rows + i % stride] = out[i];
    else
      untouched = untouched && out[i] == 0.25f;
  }
  CHECK(untouched);
  return result;
}

TEST_CASE("quantized activations are within half a step, and their sums are exact") {
  kernels::for_each_target([]<class K>(K) {
    if (K::quantized_row_bytes(32) == 0) return;  // a target with small kernels
    const std::string target(K::name);
    CAPTURE(target);
    for (const std::size_t columns : {32, 64, 256, 288, 736, 1024}) {
      CAPTURE(columns);
      constexpr std::size_t rows = 4;
      const std::size_t stride = columns + 5;
      std::vector<float> x = random_activations(rows, columns, stride, 7);
      for (std::size_t c = 0; c < columns; ++c) {
        x[stride + c] = 0;                              // a row of zeros,
        x[2 * stride + c] *= c < 256 ? 1e-37f : 1e30f;  // of the smallest and greatest numbers,
        if (c % 3 != 0) x[3 * stride + c] = 0;          // and one with few others
      }
      const std::size_t bytes = K::quantized_row_bytes(columns);
      CHECK(bytes % 64 == 0);
      CHECK(bytes >= 2 * columns);
      guarded<float> values((rows - 1) * stride + columns, 0,
                            std::vector<float>(x.begin(), x.end() - static_cast<std::ptrdiff_t>(stride - columns)));
      guarded<std::byte> quantized(rows * bytes);
      K::quantize_rows({values.data(), rows, columns, stride, nullptr}, quantized.data());
      bool close = true, sums = true, fine = true;
      for (std::size_t i = 0; i < rows; ++i) {
        const auto* lines = reinterpret_cast<const quantized_line*>(quantized.data() + i * bytes);
        for (std::size_t l = 0; l < columns / 32; ++l) {
          const quantized_line& line = lines[l];
          const float scale = scale_of(line);
          const float* from = &x[i * stride + 32 * l];
          float greatest = 0, group = 0;
          for (std::size_t c = l / 8 * 256; c < std::min(columns, l / 8 * 256 + 256); ++c)
            group = std::max(group, std::fabs(x[i * stride + c]));
          int halves[2] = {};
          for (std::size_t c = 0; c < 32; ++c) {
            greatest = std::max(greatest, std::fabs(from[c]));
            halves[c / 16] += line.q[c];
            close = close && std::fabs(double{from[c]} - double{scale} * line.q[c]) <= 0.5001 * double{scale};
            close = close && line.q[c] >= -127;
          }
          // No coarser than a scale for 256; and 106 steps or more for the greatest, unless it is tiny in its group.
          const float floor = 0x1p-100f;
          fine = fine && (scale <= 1.0001f * group / 127 || scale <= floor);
          fine = fine && (greatest >= 106 * scale || line.scale == 1);
          fine = fine && (line.unit <= 1.0001f * group / 127 * 0x1p-24f || line.unit <= floor);
          std::int32_t bits;
          std::memcpy(&bits, &line.scale, sizeof bits);
          const std::int32_t mantissa = kernels::scale_mantissas[line.mantissa() % kernels::mantissa_count];
          fine = fine && line.scale >= 1 && line.scale <= 0x1p24f && (bits - mantissa) % (1 << 23) == 0;
          sums = sums && line.offset == -128 * (halves[0] + halves[1]) && line.half_offsets[0] == -128 * halves[0] &&
                 line.half_offsets[1] == -128 * halves[1];
          sums = sums && line.sum == line.scale * static_cast<float>(halves[0] + halves[1]);
          const float whole = std::ldexp(line.scale, -kernels::sum_exponent);
          const auto rounds = [&](std::int16_t to, int sum) {
            return std::fabs(static_cast<float>(to) - whole * static_cast<float>(sum)) <= 0.501f;
          };
          sums = sums && rounds(line.half_sums[0], halves[0]) && rounds(line.half_sums[1], halves[1]);
          const std::int16_t line_sum = l % 2 == 0 ? line.pair_sums[0] : lines[l - 1].pair_sums[1];
          sums = sums && rounds(line_sum, halves[0] + halves[1]);
        }
      }
      CHECK(close);
      CHECK(fine);
      CHECK(sums);
    }
  });
}

TEST_CASE("packed weights take no more bytes than in their file, but for indices into a grid") {
  kernels::for_each_target([]<class K>(K) {
    const std::string target(K::name);
    CAPTURE(target);
    for (const dtype type : all_types) {
      const std::string type_name(name(type));
      CAPTURE(type_name);
      CHECK((K::panel_bytes(type, 1 << 20, 1024) != 0) == K::wants_quantized(type));
      if (is_float(type)) {  // small matrices, where the target has more than small kernels
        CHECK((K::panel_bytes(type, 16, 1024) != 0) == (K::quantized_row_bytes(32) != 0));
        CHECK(K::panel_bytes(type, 15, 1024) == 0);
      }
      if (K::panel_bytes(type, 20, 1024) != 0)
        for (const std::size_t columns : {256, 512, 1024, 4096}) {
          const std::size_t row = type == dtype::iq2_xxs ? columns / 256 * 102 : row_bytes(type, columns);
          const std::size_t bytes = kernels::panel_rows * row;
          CHECK(K::panel_bytes(type, 20, columns) == (bytes + 63) / 64 * 64);
        }
    }
  });
}

TEST_CASE("products with packed weights") {
  kernels::for_each_target([]<class K>(K) {
    const std::string target(K::name);
    CAPTURE(target);
    std::uint32_t seed = 0;
    for (const dtype type : all_types)
      for (const auto& [rows, columns] : shapes) {
        if (columns % geometry(type).weights != 0 || !K::wants_quantized(type)) continue;
        const weights w(type, rows, columns, ++seed);
        guarded<std::byte> packed(w.packed_bytes<K>());
        const kernels::matrix_ref matrix = w.pack<K>(packed.data());
        for (const std::size_t count : counts) {
          const std::string what = concat(name(type), " ", rows, " x ", columns, ", ", count, " rows");
          CAPTURE(what);
          const std::size_t stride = columns + seed % 4;
          const std::vector<float> values = random_activations(count, columns, stride, ++seed);
          std::vector<quantized_line> quantized(count * K::quantized_row_bytes(columns) / sizeof(quantized_line));
          kernels::activations x{values.data(), count, columns, stride, nullptr};
          K::quantize_rows(x, reinterpret_cast<std::byte*>(quantized.data()));
          x.values = nullptr;  // not read
          x.quantized = reinterpret_cast<const std::byte*>(quantized.data());
          const bool add = seed % 2 != 0;
          const double before = add ? 0.25 : 0.0;
          const std::vector<float> got = multiply<K>(matrix, x, add, seed % 17);

          std::vector<float> expected(count * rows, static_cast<float>(before));
          kernels::plain::matmul(w.in_file(w.file.data()), {values.data(), count, columns, stride, nullptr},
                                 expected.data(), rows, 0, rows, true);
          double model_excess = 0, plain_excess = 0;  // of the tolerance
          const std::size_t lines = columns / 32, part = minimum_columns(type);
          for (std::size_t i = 0; i < count; ++i) {
            const auto* line =
                reinterpret_cast<const quantized_line*>(x.quantized + i * K::quantized_row_bytes(columns));
            for (std::size_t r = 0; r < rows; ++r) {
              std::vector<float> minima;
              if (part != 0) minima = minima_of(type, w.file.data() + r * row_bytes(type, columns), columns);
              double sum = before, magnitude = 0, steps = 0, plain_magnitude = std::fabs(before);
              for (std::size_t c = 0; c < columns; ++c) {
                const double scale = scale_of(line[c / 32]);
                const double weight = w.values[r * columns + c];
                const double minimum = part != 0 ? minima[c] : 0.0;
                sum += (weight - minimum) * (scale * line[c / 32].q[c % 32]);
                if (part != 0 && c % part == 0) {
                  const double unit = line[c / 32].unit;
                  sum += minimum * unit * whole_sum(line, c, part);
                  steps += std::fabs(minimum) * std::ldexp(unit, kernels::sum_exponent - 1);
                }
                magnitude += std::fabs(scale * line[c / 32].q[c % 32]);
                steps += std::fabs(weight) * scale / 2;
                plain_magnitude += std::fabs(weight * values[i * stride + c]);
              }
              // A line adds two rounded scales (and bases) to a sum. A weight is a product minus a base: neither is
              // more than twice the greatest weight. A rounding of w itself is in the model, not in the kernel.
              const double rounded = 3 * w.greatest * magnitude + std::fabs(sum);
              const double tolerance = static_cast<double>(2 * lines + 8) * rounding * rounded;
              const double y = got[i * rows + r];
              model_excess = std::max(model_excess, std::fabs(y - sum) / tolerance);
              const double plain_tolerance =
                  1.001 * steps + tolerance + static_cast<double>(columns + 1) * rounding * plain_magnitude;
              plain_excess = std::max(plain_excess, std::fabs(y - expected[i * rows + r]) / plain_tolerance);
            }
          }
          CHECK(model_excess <= 1);
          CHECK(plain_excess <= 1);
          if (rows > 16) CHECK(multiply<K>(matrix, x, add, 0, (rows - 1) / 32 * 16 + 16) == got);  // bit by bit
        }
      }
  });
}

/// Weights as bf16 are cut after being made greater by what that takes off on average, activations are rounded.
constexpr double bf16_weight_error = 0.0052, bf16_activation_error = 0x1p-8;

TEST_CASE("products with many rows of activations in bf16") {
  kernels::for_each_target([]<class K>(K) {
    if (K::form_for(1024) != kernels::activation_form::bf16) return;
    CHECK(K::form_for(1) == kernels::activation_form::bytes);
    const std::string target(K::name);
    CAPTURE(target);
    std::uint32_t seed = 100;
    for (const dtype type : all_types)
      for (const auto& [rows, columns] : {shape{1, 32}, shape{17, 256}, shape{33, 512}, shape{50, 288}, shape{97, 768},
                                          shape{130, 544}, shape{16, 2080}, shape{40, 9216}}) {
        if (columns % geometry(type).weights != 0 || !K::wants_quantized(type)) continue;
        const weights w(type, rows, columns, ++seed);
        guarded<std::byte> packed(w.packed_bytes<K>());
        const kernels::matrix_ref matrix = w.pack<K>(packed.data());
        for (const std::size_t count : {1, 2, 15, 16, 17, 33, 96, 259}) {
          if (columns > 1000 && count % 16 == 0) continue;
          const std::string what = concat(name(type), " ", rows, " x ", columns, ", ", count, " rows");
          CAPTURE(what);
          const std::size_t stride = columns + seed % 4;
          const std::vector<float> values = random_activations(count, columns, stride, ++seed);
          guarded<std::byte> rounded(count * K::quantized_row_bytes(columns));
          kernels::activations x{values.data(), count, columns, stride, nullptr, kernels::activation_form::bf16};
          K::quantize_rows(x, rounded.data());
          x.values = nullptr;  // not read
          x.quantized = rounded.data();
          const bool add = seed % 2 != 0;
          const std::vector<float> got = multiply<K>(matrix, x, add, seed % 17);
          double excess = 0, errors = 0, squares = 0;
          for (std::size_t i = 0; i < count; ++i)
            for (std::size_t r = 0; r < rows; ++r) {
              double sum = add ? 0.25 : 0.0, magnitude = 0, lengths = 0;
              for (std::size_t c = 0; c < columns; ++c) {
                const double factor = values[i * stride + c], product = double{w.values[r * columns + c]} * factor;
                sum += product;
                magnitude += std::fabs(product);
                squares += product * product;
                lengths += std::fabs(factor);
              }
              // Codes stand in numbers of up to 256 + 128 steps, from which multiples are taken off.
              const double tolerance = (bf16_weight_error + bf16_activation_error) * 1.01 * magnitude +
                                       static_cast<double>(columns + 8) * rounding * (magnitude + std::fabs(sum)) +
                                       1024 * rounding * w.greatest * lengths;
              const double error = std::fabs(got[i * rows + r] - sum);
              excess = std::max(excess, error / tolerance);
              errors += error * error;
            }
          CHECK(excess <= 1);
          // Errors of products are independent: their root mean squares are .0018 for weights and .0011 for
          // activations.
          if (count * rows >= 200) CHECK(errors <= 0.0035 * 0.0035 * squares);
          if (rows > 16) CHECK(multiply<K>(matrix, x, add, 0, (rows - 1) / 32 * 16 + 16) == got);  // bit by bit
        }
      }
  });
}

TEST_CASE("every weight becomes the bf16 next to it") {
  kernels::for_each_target([]<class K>(K) {
    if (K::form_for(1024) != kernels::activation_form::bf16) return;
    for (const dtype type : all_types) {
      constexpr std::size_t rows = 40, columns = 512;
      if (!K::wants_quantized(type)) continue;
      const std::string type_name(name(type));
      CAPTURE(type_name);
      const weights w(type, rows, columns, 5);
      std::vector<std::byte> packed(w.packed_bytes<K>());
      const kernels::matrix_ref matrix = w.pack<K>(packed.data());
      std::vector<float> unit(columns * columns);
      for (std::size_t c = 0; c < columns; ++c) unit[c * columns + c] = 1.0f;
      std::vector<std::byte> rounded(columns * K::quantized_row_bytes(columns));
      kernels::activations x{unit.data(), columns, columns, columns, nullptr, kernels::activation_form::bf16};
      K::quantize_rows(x, rounded.data());
      x.quantized = rounded.data();
      const std::vector<float> got = multiply<K>(matrix, x, false, 0);
      bool close = true, halves = true;
      for (std::size_t c = 0; c < columns; ++c)
        for (std::size_t r = 0; r < rows; ++r) {
          const float value = got[c * rows + r], expected = w.values[r * columns + c];
          close = close &&
                  std::fabs(value - expected) <= bf16_weight_error * std::fabs(expected) + 1024 * rounding * w.greatest;
          std::uint32_t bits;
          std::memcpy(&bits, &value, sizeof bits);
          halves = halves && (bits & 0xffffu) == 0;
        }
      CHECK(close);
      CHECK(halves);
    }
  });
}

TEST_CASE("the activations of a long batch do not mix") {
  kernels::for_each_target([]<class K>(K) {
    const std::string target(K::name);
    CAPTURE(target);
    for (const dtype type : {dtype::q8_0, dtype::q4_k, dtype::q6_k, dtype::q2_k, dtype::f32, dtype::bf16}) {
      constexpr std::size_t rows = 40, columns = 256, count = 523;
      const std::string type_name(name(type));
      CAPTURE(type_name);
      const weights w(type, rows, columns, 3);
      const bool packs = K::panel_bytes(type, rows, columns) != 0;
      std::vector<std::byte> packed(packs ? w.packed_bytes<K>() : w.file.size());
      const kernels::matrix_ref matrix = packs ? w.pack<K>(packed.data()) : w.in_file(w.file.data());
      const std::vector<float> values = random_activations(count, columns, columns, 4);
      std::vector<quantized_line> quantized(count * K::quantized_row_bytes(columns) / sizeof(quantized_line));
      kernels::activations x{values.data(), count, columns, columns, nullptr};
      K::quantize_rows(x, reinterpret_cast<std::byte*>(quantized.data()));
      x.quantized = reinterpret_cast<const std::byte*>(quantized.data());
      const std::vector<float> all = multiply<K>(matrix, x, false, 0);
      // Rows that are multiplied two at a time go through the same arithmetic.
      bool equal = true;
      for (std::size_t i = 0; i + 1 < count; i += 2) {
        kernels::activations two = x;
        two.values += i * columns;
        two.quantized += i * K::quantized_row_bytes(columns);
        two.count = 2;
        const std::vector<float> pair = multiply<K>(matrix, two, false, 0);
        for (std::size_t j = 0; j < pair.size(); ++j)
          equal = equal && within(pair[j], all[i * rows + j], 1e-5 * w.greatest * columns);
      }
      CHECK(equal);
    }
  });
}

TEST_CASE("products with weights as they are in the file, and with floats in panels") {
  for_each_policy([]<class K>(K) {
    std::uint32_t seed = 0;
    for (const dtype type : all_types)
      for (const auto& [rows, columns] : {shape{1, 1}, shape{2, 7}, shape{3, 16}, shape{5, 33}, shape{16, 64},
                                          shape{7, 256}, shape{35, 100}, shape{20, 1300}, shape{9, 2304}}) {
        if (columns % geometry(type).weights != 0) continue;
        const weights w(type, rows, columns, ++seed);
        guarded<std::byte> file(w.file.size(), seed % 3 * geometry(type).bytes, w.file);
        std::vector<kernels::matrix_ref> matrices = {w.in_file(file.data())};
        guarded<std::byte> packed(w.packed_bytes<K>());
        if (is_float(type) && packed.size() != 0) matrices.push_back(w.pack<K>(packed.data()));
        for (const std::size_t count : {1, 2, 3, 4, 5, 9, 14}) {
          const std::string what = concat(name(type), " ", rows, " x ", columns, ", ", count, " rows");
          CAPTURE(what);
          const std::size_t stride = columns + seed % 5;
          const std::size_t used = (count - 1) * stride + columns;
          std::vector<float> values = random_activations(count, columns, stride, ++seed);
          values.resize(used);
          guarded<float> rows_of_x(used, seed % 7, values);
          const kernels::activations x{rows_of_x.data(), count, columns, stride, nullptr};
          const bool add = seed % 2 != 0;
          for (const kernels::matrix_ref& matrix : matrices) {
            const std::vector<float> got = multiply<K>(matrix, x, add, seed % 17);
            double excess = 0;
            for (std::size_t i = 0; i < count; ++i)
              for (std::size_t r = 0; r < rows; ++r) {
                double sum = add ? 0.25 : 0.0, magnitude = std::fabs(sum);
                for (std::size_t c = 0; c < columns; ++c) {
                  const double product = double{w.values[r * columns + c]} * double{values[i * stride + c]};
                  sum += product;
                  magnitude += std::fabs(product);
                }
                const double tolerance = static_cast<double>(columns + 2) * rounding * magnitude;
                excess = std::max(excess, std::fabs(got[i * rows + r] - sum) / tolerance);
              }
            CHECK(excess <= 1);
            if (rows > 16) CHECK(multiply<K>(matrix, x, add, 0, 16) == got);
          }
        }
      }
  });
}

#if INLAY_COMPILED_TARGETS & HWY_AVX3_DL
// Which way few rows go depends on who made the CPU, so that a machine shows one of them.
TEST_CASE("few rows give the sums of single rows, by panels and by tiles of them") {
  namespace target = inlay_N_AVX3_DL;
  using K = target::kernels;
  bool runs = false;
  kernels::for_each_target([&]<class Each>(Each) { runs = runs || Each::name == K::name; });
  if (!runs) return;
  constexpr std::size_t panel_rows = kernels::panel_rows, most = target::most_few_rows;
  constexpr std::size_t width = target::block_tile_width;
  for (const dtype type : all_types) {
    const target::block_kernels& format = target::detail::format_of(type);
    CHECK((format.add_few_rows != nullptr) == K::wants_quantized(type));
    if (format.add_few_rows == nullptr) continue;
    const std::string type_name(name(type));
    CAPTURE(type_name);
    const std::size_t columns = geometry(type).weights == 256 ? 768 : 800;
    const weights w(type, width, columns, 5);
    guarded<std::byte> packed(w.packed_bytes<K>());
    const std::byte* const panels = w.pack<K>(packed.data()).data;
    const std::size_t panel_bytes = K::panel_bytes(type, width, columns);
    const std::vector<float> x = random_activations(most, columns, columns, 6);
    const std::size_t row_bytes = K::quantized_row_bytes(columns);
    guarded<std::byte> quantized(most * row_bytes);
    K::quantize_rows({x.data(), most, columns, columns, nullptr}, quantized.data());
    const auto* const lines = reinterpret_cast<const quantized_line*>(quantized.data());
    const std::size_t row_lines = row_bytes / sizeof(quantized_line);
    // f(group, its first line, its lines) for a panel.
    const auto for_groups = [&](std::size_t panel, const auto& f) {
      const std::byte* group = panels + panel * panel_bytes;
      for (std::size_t line = 0, now; line < columns / 32; line += now, group += now * format.line_bytes) {
        now = std::min(kernels::group_lines, columns / 32 - line);
        f(group, line, now);
      }
    };
    alignas(64) float expected[most][width] = {};
    for (std::size_t i = 0; i < most; ++i)
      for (std::size_t p = 0; p < width / panel_rows; ++p)
        for_groups(p, [&](const std::byte* group, std::size_t line, std::size_t now) {
          format.add_row(group, now, lines + i * row_lines + line, expected[i] + p * panel_rows, {group, nullptr});
        });
    const auto check = [&](auto add, std::size_t panels_at_once, std::size_t rows, bool own_reads) {
      CAPTURE(panels_at_once);
      CAPTURE(rows);
      alignas(64) float sums[most][width] = {};
      target::few_rows_work work{};
      work.row_lines = row_lines;
      work.rows = rows;
      work.own_reads = own_reads;
      for (std::size_t first = 0; first < width / panel_rows; first += panels_at_once)
        for_groups(first, [&](const std::byte* group, std::size_t line, std::size_t now) {
          for (std::size_t p = 0; p < panels_at_once; ++p) work.own[p] = work.groups[p] = group + p * panel_bytes;
          work.lines = now;
          work.x = lines + line;
          work.ahead = {group, 64};
          work.sums = sums[0] + first * panel_rows;
          add(work);
        });
      double excess = 0;
      for (std::size_t i = 0; i < rows; ++i) {
        double magnitude = 0;
        for (std::size_t c = 0; c < columns; ++c) magnitude += std::fabs(x[i * columns + c]);
        // Some roundings a line, of terms that may be several times the weights where scale and base cancel.
        const double tolerance = static_cast<double>(columns / 32) * 16 * rounding * w.greatest * magnitude;
        for (std::size_t r = 0; r < width; ++r)
          excess = std::max(excess, std::fabs(double{sums[i][r]} - double{expected[i][r]}) / tolerance);
      }
      CHECK(excess <= 1);
    };
    for (std::size_t rows = 1; rows <= target::block_tile_rows; ++rows)
      for (const bool own_reads : {false, true}) check(format.add_few_rows, width / panel_rows, rows, own_reads);
    if (format.add_more_rows != nullptr)
      for (std::size_t rows = 1; rows <= most; ++rows) check(format.add_more_rows, 1, rows, true);
  }
}
#endif

TEST_CASE("an empty batch and an empty range of rows write nothing") {
  for_each_policy([]<class K>(K) {
    const weights w(dtype::f32, 16, 8, 1);
    const std::vector<float> values = random_activations(1, 8, 8, 1);
    std::vector<float> out(16, 0.5f);
    K::matmul(w.in_file(w.file.data()), {values.data(), 0, 8, 8, nullptr}, out.data(), 16, 0, 16, false);
    K::matmul(w.in_file(w.file.data()), {values.data(), 1, 8, 8, nullptr}, out.data(), 16, 16, 16, false);
    CHECK(out == std::vector<float>(16, 0.5f));
  });
}

}  // namespace
}  // namespace inlay::test
