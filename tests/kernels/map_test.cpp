// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <vector>

#include "tests/kernels/support.hpp"

namespace inlay::test {
namespace {

using formula::a;
using formula::b;
using formula::c;
using formula::d;
using kernels::plain;

/// Compares a formula with plain on all sizes and places, in place too. `tolerance(i)` is for the i-th of the numbers.
template <class K, class F, class Tolerance, class... Inputs>
void check_map(F f, Tolerance tolerance, const Inputs&... inputs) {
  for (const std::size_t n : sizes<K>())
    for (const std::size_t offset : {0, 1, 5}) {
      CAPTURE(n);
      CAPTURE(offset);
      [&](auto&&... x) {
        guarded<float> out(n, offset);
        std::vector<float> expected(n);
        plain::map(f, n, expected.data(), x.data()...);
        K::map(f, n, out.data(), x.data()...);
        bool equal = true;
        for (std::size_t i = 0; i < n; ++i) equal = equal && within(out[i], expected[i], tolerance(i));
        CHECK(equal);
        const auto in_place = [&](auto& first, auto&... others) {
          K::map(f, n, first.data(), first.data(), others.data()...);
          CHECK(first.values() == out.values());
        };
        in_place(x...);
      }(guarded<float>(n, offset,
                       std::vector<float>(inputs.begin(), inputs.begin() + static_cast<std::ptrdiff_t>(n)))...);
    }
}

constexpr std::size_t most = 1027;

TEST_CASE("arithmetic is exact to the rounding of each operation") {
  const auto x = random_floats(most, 1, -2.0f, 2.0f);
  const auto y = random_floats(most, 2, 0.5f, 2.0f);
  const auto z = random_floats(most, 3, -2.0f, 2.0f);
  const auto w = random_floats(most, 4, -2.0f, 2.0f);
  const auto exact = [](std::size_t) { return 0.0; };
  for_each_policy([&]<class K>(K) {
    check_map<K>(a + b, exact, x, y);
    check_map<K>(a - b, exact, x, y);
    check_map<K>(a * b, exact, x, y);
    // xsimd's quotients and roots on Arm are estimates that are refined, right to 2 units in the last place.
    const double estimate = K::name == "xsimd" ? 4 * rounding : 0.0;
    check_map<K>(a / b, [&](std::size_t i) { return estimate * std::fabs(x[i] / y[i]); }, x, y);
    check_map<K>(sqrt(a), [&](std::size_t i) { return estimate * std::sqrt(y[i]); }, y);
    check_map<K>(max(a, b), exact, x, y);
    check_map<K>(min(a, b), exact, x, y);
    check_map<K>(-a, exact, x);
    check_map<K>(abs(a), exact, x);
    check_map<K>(max(a, 0.25f), exact, x);
    check_map<K>(relu_squared(a), exact, x);
    check_map<K>(d, exact, x, y, z, w);
    // A compiler may fuse a product into a sum: one rounding of a product less.
    check_map<K>(
        a * b + c * d, [&](std::size_t i) { return 4 * rounding * (std::fabs(x[i] * y[i]) + std::fabs(z[i] * w[i])); },
        x, y, z, w);
  });
}

TEST_CASE("a constant may be a number of run time") {
  const auto x = random_floats(most, 5);
  float factor = 0.0f;
  for (const float v : x) factor = std::fmax(factor, v);
  for_each_policy([&]<class K>(K) { check_map<K>(factor * a, [](std::size_t) { return 0.0; }, x); });
}

TEST_CASE("activations") {
  auto x = random_floats(most, 6, -12.0f, 12.0f);
  const float special[] = {0.0f, -0.0f, 1e-20f, -1e-20f, 80.0f, -80.0f, 120.0f, -120.0f};
  for (std::size_t i = 0; i < std::size(special); ++i) x[3 * i] = special[i];
  const auto y = random_floats(most, 7, -2.0f, 2.0f);
  // Functions are right to 3 units in the last place (6 roundings), on either side; the operations around them add at
  // most as many again, to an intermediate result of size 1 where the formula subtracts.
  const double error = 24 * rounding;
  const auto relative_to_one = [&](std::size_t) { return error; };
  const auto relative_to_x = [&](std::size_t i) { return error * std::fabs(x[i]) + 0x1p-126; };
  for_each_policy([&]<class K>(K) {
    check_map<K>(sigmoid(a), relative_to_one, x);
    check_map<K>(tanh(a), [&](std::size_t i) { return error * std::fabs(std::tanh(x[i])); }, x);
    check_map<K>(
        softplus(a), [&](std::size_t i) { return error * (std::log1p(std::exp(x[i])) + 0x1p-126); },
        [&] {
          auto bounded = x;
          for (float& v : bounded) v = std::fmin(v, 80.0f);
          return bounded;
        }());
    check_map<K>(silu(a), relative_to_x, x);
    check_map<K>(gelu_tanh(a), relative_to_x, x);
    check_map<K>(gelu_erf(a), relative_to_x, x);
    check_map<K>(silu(a) * b, [&](std::size_t i) { return 2 * relative_to_x(i); }, x, y);
  });
}

/// The largest error of a function in units in the last place of the true result, over every 1009th float of a range;
/// results that are denormal may be zero. The C library's double is right to some 2^-28 of such a unit.
template <class K, class F, class Reference>
double largest_error(F f, Reference reference, float low, float high) {
  constexpr std::uint32_t step = 1009;
  std::vector<float> x;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += step) {
    const float v = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (v >= low && v <= high) x.push_back(v);
  }
  std::vector<float> y(x.size());
  K::map(f, x.size(), y.data(), x.data());
  double worst = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double expected = reference(static_cast<double>(x[i]));
    if (std::fabs(expected) < 0x1p-126) {
      if (std::fabs(y[i]) > 0x1p-126f) return INFINITY;
      continue;
    }
    if (std::fabs(expected) >= 0x1.ffffffp127) {
      if (!std::isinf(y[i])) return INFINITY;
      continue;
    }
    int exponent = 0;
    static_cast<void>(std::frexp(expected, &exponent));
    const double error = std::fabs(y[i] - expected) / std::ldexp(1.0, exponent - 24);
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

TEST_CASE("functions are right to the stated units in the last place") {
  using real = double;
  for_each_policy([]<class K>(K) {
    // As documented in highway/math-inl.hpp, and for xsimd by its measurement.
    const bool highway = K::name != "xsimd";
    CHECK(largest_error<K>(exp(a), [](real x) { return std::exp(x); }, -INFINITY, 88.0f) <= (highway ? 1.0 : 1.6));
    CHECK(largest_error<K>(log(a), [](real x) { return std::log(x); }, 0x1p-126f, 0x1.fffffep127f) <= 1.0);
    CHECK(largest_error<K>(log1p(a), [](real x) { return std::log1p(x); }, 0.0f, 0x1.fffffep127f) <= 2.0);
    CHECK(largest_error<K>(tanh(a), [](real x) { return std::tanh(x); }, -INFINITY, INFINITY) <= 3.0);
    CHECK(largest_error<K>(erf(a), [](real x) { return std::erf(x); }, -INFINITY, INFINITY) <= (highway ? 1.5 : 3.0));
  });
}

TEST_CASE("functions at the ends of their ranges") {
  for_each_policy([]<class K>(K) {
    const auto at = [](auto f, float x) {
      float y = x;
      K::map(f, 1, &y, &y);
      return y;
    };
    CHECK(at(exp(a), -INFINITY) == 0.0f);
    CHECK(at(exp(a), -1e30f) == 0.0f);
    CHECK(at(exp(a), 0.0f) == 1.0f);
    CHECK(at(exp(a), 1e30f) == INFINITY);
    CHECK(at(exp(a), INFINITY) == INFINITY);
    CHECK(at(log(a), 1.0f) == 0.0f);
    CHECK(at(log(a), 0.0f) == -INFINITY);
    CHECK(at(log(a), INFINITY) == INFINITY);
    CHECK(at(log1p(a), 0.0f) == 0.0f);
    CHECK(at(tanh(a), 1e30f) == 1.0f);
    CHECK(at(tanh(a), -INFINITY) == -1.0f);
    CHECK(at(tanh(a), 0.0f) == 0.0f);
    CHECK(at(erf(a), 1e30f) == 1.0f);
    CHECK(at(erf(a), -1e30f) == -1.0f);
    CHECK(at(silu(a), -1e4f) == 0.0f);
    CHECK(at(sigmoid(a), -1e4f) == 0.0f);
    CHECK(at(sigmoid(a), 1e4f) == 1.0f);
    CHECK(at(gelu_tanh(a), 1e4f) == 1e4f);
    CHECK(at(gelu_tanh(a), -1e4f) == 0.0f);
    for (const auto result : {at(exp(a), NAN), at(log(a), NAN), at(tanh(a), NAN), at(erf(a), NAN), at(log(a), -1.0f)})
      CHECK(std::isnan(result));
  });
}

}  // namespace
}  // namespace inlay::test
