// SPDX-License-Identifier: Apache-2.0
// Functions of numbers that are known when a model type is compiled: exact in float.
#pragma once

namespace inlay::models::detail {

/// Newton's iteration in double.
consteval float square_root(float x) {
  double root = x > 1.0f ? x : 1.0;
  for (int i = 0; i < 100; ++i) root = 0.5 * (root + x / root);
  return static_cast<float>(root);
}

/// ln(2^e m) = e ln 2 + 2 artanh((m - 1) / (m + 1)), for x >= 1.
consteval double logarithm(double x) {
  double powers = 0.0;
  while (x >= 2.0) {
    x /= 2.0;
    powers += 0.69314718055994530942;
  }
  const double t = (x - 1.0) / (x + 1.0);
  double sum = 0.0, power = t;
  for (int i = 1; i < 60; i += 2, power *= t * t) sum += power / i;
  return powers + 2.0 * sum;
}

}  // namespace inlay::models::detail
