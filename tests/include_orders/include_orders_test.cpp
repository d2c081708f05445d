// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "hwy/targets.h"
#include "inlay/kernels/highway/cpu.hpp"
#include "tests/include_orders/orders.hpp"

namespace {

struct order {
  const char* name;
  int64_t (*run)(const float*, float*, std::size_t);
  std::vector<float> (*squares)(const float*, std::size_t);
  bool dispatches;
};

#define INLAY_DISPATCHING(name) {#name, &name::run, &name::squares, true},
#define INLAY_STATIC(name) {#name, &name::run, &name::squares, false},
#define INLAY_DISPATCHING_SETS(name) INLAY_SETS(INLAY_DISPATCHING, name)
#define INLAY_STATIC_SETS(name) INLAY_SETS(INLAY_STATIC, name)
constexpr order orders[] = {INLAY_DISPATCHING_ORDERS(INLAY_DISPATCHING_SETS)  //
                            INLAY_STATIC_ORDERS(INLAY_STATIC_SETS)            //
                            INLAY_DISPATCHING(inlay_first_whole) INLAY_DISPATCHING(inlay_last_whole)};

}  // namespace

TEST_CASE("a program's Highway code and inlay's live in one translation unit, in every order of includes") {
  constexpr std::size_t count = 64;
  std::vector<float> in(count);
  double squares = 0.0;
  for (std::size_t i = 0; i < count; ++i) {
    in[i] = 0.05f * static_cast<float>(i) - 1.5f;
    squares += static_cast<double>(in[i]) * in[i];
  }
  for (const order& o : orders) {
    const std::string name = o.name;
    CAPTURE(name);
    std::vector<float> out(count);
    const int64_t target = o.run(in.data(), out.data(), count);
    if (o.dispatches)
      CHECK(target == (hwy::SupportedTargets() & -hwy::SupportedTargets()));  // the best, which is the lowest bit
    else
      CHECK(target == HWY_STATIC_TARGET);
    for (std::size_t i = 0; i < count; ++i)
      CHECK(out[i] == doctest::Approx(2.0 * std::exp(double(in[i]))).epsilon(1e-6));

    const std::vector<float> results = o.squares(in.data(), count - 3);
    CHECK_FALSE(results.empty());
    double expected = squares;
    for (std::size_t i = count - 3; i < count; ++i) expected -= static_cast<double>(in[i]) * in[i];
    for (const float result : results) CHECK(result == doctest::Approx(expected).epsilon(1e-6));
  }
}
