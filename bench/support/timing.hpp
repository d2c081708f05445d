// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace inlay::bench {

/// Wall-clock seconds that f() takes.
template <class F>
double seconds_of(const F& f) {
  const auto begin = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace inlay::bench
