// SPDX-License-Identifier: Apache-2.0
// Stands in for the compiled Highway library, which programs with Highway's own dispatch link: inlay does not need it,
// and where Highway is headers alone it is not there.
#include "hwy/targets.h"
#include "inlay/kernels/highway/cpu.hpp"

namespace hwy {

HWY_DLLEXPORT int64_t SupportedTargets() {
  // All orders are compiled for the same targets of the program's own.
  return (inlay::kernels::detail::detect_targets() & HWY_TARGETS) | HWY_STATIC_TARGET;
}

HWY_DLLEXPORT ChosenTarget& GetChosenTarget() {
  static ChosenTarget chosen;
  return chosen;
}

}  // namespace hwy
