// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "inlay/kernels/highway/cpu.hpp"
#include "tests/odr/part.hpp"

namespace {

struct named_part {
  const char* name;
  odr::report (*run)(const float*, const float*, std::size_t);
};
#define INLAY_ODR_ENTRY(part) {#part, &odr::part},
constexpr named_part parts[] = {INLAY_ODR_PARTS(INLAY_ODR_ENTRY)};
#undef INLAY_ODR_ENTRY

constexpr std::size_t length = 1027;

}  // namespace

TEST_CASE("parts of one program keep their own targets and kernels") {
  std::vector<float> a(length), b(length);
  double dot = 0.0;
  double magnitude = 0.0;
  for (std::size_t i = 0; i < length; ++i) {
    a[i] = std::sin(static_cast<float>(i));
    b[i] = std::cos(0.37f * static_cast<float>(i));
    dot += static_cast<double>(a[i]) * b[i];
    magnitude += std::abs(static_cast<double>(a[i]) * b[i]);
  }
  // Both factors are at most 1 and rounded to 127 steps of their greatest: half a step of one times the other, twice.
  double product = 0.0;
  double product_error = 0.0;
  for (std::size_t i = 0; i < 64; ++i) {
    product += static_cast<double>(a[i]) * b[i];
    product_error += (std::abs(a[i]) + std::abs(b[i]) + 1.0 / 254) * (1.0 / 254) * 1.01;
  }
  const double mapped = std::tanh(static_cast<double>(a.back())) * b.back() + 1.0;
  const double epsilon = std::numeric_limits<float>::epsilon();
  const std::int64_t supported = inlay::kernels::detail::detect_targets();

  std::int64_t narrowest = -1;
  std::int64_t widest = 0;
  for (const named_part& part : parts) {
    const std::string name = part.name;
    CAPTURE(name);
    const odr::report report = part.run(a.data(), b.data(), length);
    const std::int64_t runnable = report.compiled & (supported | report.baseline);
    CHECK((report.forced & ~runnable) == 0);
    CHECK(report.selected ==
          (report.forced != 0 ? report.forced : runnable & -runnable));  // the best is the lowest bit
    CHECK(std::abs(report.dot - dot) <= 2.0 * std::log2(double(length)) * epsilon * magnitude);
    CHECK(std::abs(report.mapped - mapped) <= 8.0 * epsilon);
    CHECK(std::abs(report.product - product) <= product_error);
    narrowest &= report.compiled;
    widest |= report.compiled;
  }
  CHECK(narrowest != widest);  // the parts do differ
}
