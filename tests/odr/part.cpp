// SPDX-License-Identifier: Apache-2.0
// Compiled once per part, with INLAY_ODR_PART its name and INLAY_TARGETS its own.
#include "tests/odr/part.hpp"

#include <cstdlib>
#include <vector>

#include "inlay/kernels/formula.hpp"
#include "inlay/kernels/highway/dispatch.hpp"

namespace odr {

report INLAY_ODR_PART(const float* a, const float* b, std::size_t n) {
  using inlay::kernels::dispatched;
  report result{INLAY_COMPILED_TARGETS, INLAY_BASELINE_TARGET, 0, 0, dispatched::dot(a, b, n), 0.0f};
  const char* const wanted = std::getenv("INLAY_TARGET");
  inlay::kernels::for_each_target([&](auto kernels) {
    if (wanted != nullptr && kernels.name == wanted) result.forced = kernels.target;
  });
  inlay::kernels::with_selected_target([&](auto kernels) { result.selected = kernels.target; });
  std::vector<float> out(n);
  using namespace inlay::formula;
  dispatched::map(tanh(inlay::formula::a) * inlay::formula::b + 1.0f, n, out.data(), a, b);
  result.mapped = out.back();
  return result;
}

}  // namespace odr
