// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/kernels/support.hpp"

namespace inlay::test {
namespace {

using kernels::plain;

/// Bound on the rounding errors of summing n numbers in vectors of `lanes`, relative to the sum of magnitudes: an
/// addend takes part in n / lanes additions, the sum over the lanes and the joining of up to 4 partial sums. Two more
/// for a product and slack of second order.
double sum_error(std::size_t n, std::size_t lanes) {
  return rounding *
         (std::ceil(static_cast<double>(n) / static_cast<double>(lanes)) + std::log2(static_cast<double>(lanes)) + 4.0);
}
template <class K>
double sum_errors(std::size_t n) {  // of K and of plain
  return sum_error(n, K::vector_floats) + sum_error(n, 1);
}

double magnitude(const std::vector<float>& a, const std::vector<float>& b) {
  double total = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) total += std::fabs(static_cast<double>(a[i]) * b[i]);
  return total;
}

/// Calls f(n, offset) for all sizes and a few offsets of the data from the end of its page, so that all positions
/// relative to a vector's alignment occur.
template <class K, class F>
void for_each_place(F f) {
  for (const std::size_t n : sizes<K>())
    for (const std::size_t offset : {0, 1, 2, 3, 7}) {
      CAPTURE(n);
      CAPTURE(offset);
      f(n, offset);
    }
}

TEST_CASE("dot") {
  for_each_policy([]<class K>(K) {
    for_each_place<K>([](std::size_t n, std::size_t offset) {
      guarded<float> a(n, offset, random_floats(n, 1));
      guarded<float> b(n, 0, random_floats(n, 2));
      const double tolerance = sum_errors<K>(n) * magnitude(a.values(), b.values());
      CHECK(within(K::dot(a.data(), b.data(), n), plain::dot(a.data(), b.data(), n), tolerance));
    });
  });
}

TEST_CASE("dot does not depend on the place of its inputs") {
  for_each_policy([]<class K>(K) {
    const auto x = random_floats(100, 3);
    guarded<float> first(100, 0, x);
    for (const std::size_t gap : {1, 2, 3, 5, 8, 15}) {
      guarded<float> moved(100, gap, x);
      CHECK(K::dot(first.data(), first.data(), 100) == K::dot(moved.data(), first.data(), 100));
    }
  });
}

TEST_CASE("rms_norm") {
  for_each_policy([]<class K>(K) {
    for_each_place<K>([](std::size_t n, std::size_t offset) {
      for (const float size : {1.0f, 1e-12f, 1e12f}) {
        const auto values = random_floats(n, 4, -size, size);
        guarded<float> w(n, 0, random_floats(n, 5));
        for (const bool scaled : {true, false}) {
          CAPTURE(size);
          CAPTURE(scaled);
          const float* weights = scaled ? w.data() : nullptr;
          guarded<float> x(n, offset, values);
          guarded<float> out(n);
          std::vector<float> expected(n);
          plain::rms_norm(x.data(), weights, expected.data(), n, 1e-5f);
          K::rms_norm(x.data(), weights, out.data(), n, 1e-5f);
          // Half the relative error of the sum of squares goes into the root; a division, an addition, the root, its
          // reciprocal and two products round once each, on both sides.
          const double relative = 0.5 * sum_errors<K>(n) + 12 * rounding;
          bool equal = true;
          for (std::size_t i = 0; i < n; ++i)
            equal = equal && within(out[i], expected[i], relative * std::fabs(expected[i]));
          CHECK(equal);
          K::rms_norm(x.data(), weights, x.data(), n, 1e-5f);
          CHECK(x.values() == out.values());
        }
      }
    });
  });
}

TEST_CASE("layer_norm") {
  for_each_policy([]<class K>(K) {
    for_each_place<K>([](std::size_t n, std::size_t offset) {
      if (n == 0) return;
      const auto values = random_floats(n, 6, -1.0f, 3.0f);
      guarded<float> w(n, 0, random_floats(n, 7));
      guarded<float> b(n, 1, random_floats(n, 8));
      // The mean is wrong by at most `mean`; a deviation d by that and the rounding of the subtraction; the squares sum
      // to n variances, whose relative error is twice that of the deviations plus that of summing.
      double total = 0.0;
      for (const float v : values) total += std::fabs(v);
      const double mean = (sum_errors<K>(n) + 2 * rounding) * total / static_cast<double>(n);
      for (const bool scaled : {true, false})
        for (const bool shifted : {true, false}) {
          const float* weights = scaled ? w.data() : nullptr;
          const float* shifts = shifted ? b.data() : nullptr;
          guarded<float> x(n, offset, values);
          guarded<float> out(n);
          std::vector<float> expected(n);
          plain::layer_norm(x.data(), weights, shifts, expected.data(), n, 1e-5f);
          K::layer_norm(x.data(), weights, shifts, out.data(), n, 1e-5f);
          std::vector<float> normal(n);
          plain::layer_norm(x.data(), nullptr, nullptr, normal.data(), n, 1e-5f);
          const double largest = std::fabs(*std::max_element(
              normal.begin(), normal.end(), [](float p, float q) { return std::fabs(p) < std::fabs(q); }));
          // What one deviation is worth after scaling: 1 / standard deviation, at most 1 / sqrt(epsilon).
          double variance = 0.0;
          double average = 0.0;
          for (const float v : values) average += v / static_cast<double>(n);
          for (const float v : values) variance += (v - average) * (v - average) / static_cast<double>(n);
          const double scale = 1.0 / std::sqrt(variance + 1e-5);
          bool equal = true;
          for (std::size_t i = 0; i < n; ++i) {
            const double factor = scaled ? std::fabs(w[i]) : 1.0;
            const double deviation = (mean + 8 * rounding) * scale;
            const double relative = deviation * std::max(largest, 1.0) + sum_errors<K>(n) + 16 * rounding;
            const double tolerance = factor * (deviation + relative * std::fabs(normal[i])) +
                                     2 * rounding * std::fabs(expected[i]) + 2 * rounding * factor;
            equal = equal && within(out[i], expected[i], tolerance);
          }
          CHECK(equal);
          K::layer_norm(x.data(), weights, shifts, x.data(), n, 1e-5f);
          CHECK(x.values() == out.values());
        }
    });
  });
}

TEST_CASE("softmax") {
  for_each_policy([]<class K>(K) {
    for_each_place<K>([](std::size_t n, std::size_t offset) {
      for (const float spread : {0.0f, 1.0f, 30.0f, 1000.0f}) {
        CAPTURE(spread);
        auto values = random_floats(n, 9, -spread, spread);
        if (n > 2 && spread > 100.0f) values[n / 2] = -1e30f;
        guarded<float> x(n, offset, values);
        std::vector<float> expected(values);
        plain::softmax(expected.data(), n);
        K::softmax(x.data(), n);
        double total = 0.0;
        bool equal = true;
        for (std::size_t i = 0; i < n; ++i) {
          // e^(x - max): the subtraction rounds by |x - max|, exp by 2 units on either side; then the sum and a
          // quotient.
          const double shift = std::fabs(static_cast<double>(values[i])) + spread;
          const double relative = 2 * shift * rounding + sum_errors<K>(n) + 2 * spread * rounding + 12 * rounding;
          // Weights below the smallest normal number may be flushed to zero.
          equal = equal && within(x[i], expected[i], relative * expected[i] + 0x1p-126);
          equal = equal && (spread != 0.0f || x[i] == x[0]);
          total += x[i];
        }
        CHECK(equal);
        if (n != 0) CHECK(within(total, 1.0, sum_errors<K>(n) + 4 * rounding));
      }
    });
  });
}

TEST_CASE("rope_half and rope_interleaved") {
  for_each_policy([]<class K>(K) {
    for_each_place<K>([](std::size_t pairs, std::size_t offset) {
      const auto angles = random_floats(pairs, 10, 0.0f, 6.0f);
      guarded<float> cosines(pairs);
      guarded<float> sines(pairs, 1);
      for (std::size_t i = 0; i < pairs; ++i) {
        cosines[i] = std::cos(angles[i]);
        sines[i] = std::sin(angles[i]);
      }
      const auto close = [](const std::vector<float>& got, const std::vector<float>& expected) {
        // Two products of numbers up to 1 and their sum, rounded on both sides (fused or not).
        for (std::size_t i = 0; i < got.size(); ++i)
          if (!within(got[i], expected[i], 6 * rounding)) return false;
        return true;
      };
      for (const std::size_t gap : {0, 3}) {  // between the halves: a part of each head that is not rotated
        const std::size_t distance = pairs + gap;
        const auto values = random_floats(pairs + distance, 11);
        guarded<float> x(pairs + distance, offset, values);
        std::vector<float> expected(values);
        plain::rope_half(expected.data(), cosines.data(), sines.data(), pairs, distance);
        K::rope_half(x.data(), cosines.data(), sines.data(), pairs, distance);
        CHECK(close(x.values(), expected));
        for (std::size_t i = pairs; i < distance; ++i) CHECK(x[i] == values[i]);
      }
      const auto values = random_floats(2 * pairs, 12);
      guarded<float> x(2 * pairs, offset, values);
      std::vector<float> expected(values);
      plain::rope_interleaved(expected.data(), cosines.data(), sines.data(), pairs);
      K::rope_interleaved(x.data(), cosines.data(), sines.data(), pairs);
      CHECK(close(x.values(), expected));
    });
  });
}

TEST_CASE("store") {
  for_each_policy([]<class K>(K) {
    for_each_place<K>([](std::size_t n, std::size_t offset) {
      auto values = random_floats(n, 13, -3.0f, 3.0f);
      const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, 65520.0f, 1e-7f, -5e-8f, 3e-40f, 1e30f, 1.00390625f};
      for (std::size_t i = 0; i < n && i < std::size(special); ++i) values[n - 1 - i] = special[i];
      guarded<float> x(n, 0, values);
      for (const dtype type : {dtype::f32, dtype::f16, dtype::bf16}) {
        CAPTURE(std::string(name(type)));
        const std::size_t bytes = row_bytes(type, n);
        guarded<std::byte> out(bytes, 4 * offset);
        std::vector<std::byte> expected(bytes);
        plain::store(type, x.data(), n, expected.data());
        K::store(type, x.data(), n, out.data());
        CHECK(out.values() == expected);
      }
    });
  });
}

TEST_CASE("store keeps NaN") {
  for_each_policy([]<class K>(K) {
    const std::vector<float> x(K::vector_floats + 1, std::nanf("1"));
    for (const dtype type : {dtype::f16, dtype::bf16}) {
      std::vector<std::byte> stored(row_bytes(type, x.size()));
      std::vector<float> back(x.size());
      K::store(type, x.data(), x.size(), stored.data());
      dequantize_row(type, stored.data(), x.size(), back.data());
      for (const float v : back) CHECK(std::isnan(v));
    }
  });
}

}  // namespace
}  // namespace inlay::test
