// SPDX-License-Identifier: Apache-2.0
// One program made of parts that were compiled for different sets of CPU targets, some in shared libraries. Each part
// tells which of its own targets it picked and what its kernels computed.
#pragma once

#include <cstddef>
#include <cstdint>

namespace odr {

struct report {
  std::int64_t compiled;  ///< bits of the targets this part was compiled for
  std::int64_t baseline;  ///< the one the compiler's flags imply
  std::int64_t selected;  ///< the one its kernels run on
  std::int64_t forced;    ///< the one INLAY_TARGET names, 0 if none that this part can run
  float dot;              ///< a . b
  float mapped;           ///< last element of tanh(a) * b + 1
  float product;          ///< last of 20 rows of Q8_0 weights, all of them b[0, 64), times a[0, 64)
};

#define INLAY_ODR_PARTS(F) F(baseline) F(standard) F(a_narrow) F(b_wide) F(b_baseline)

#define INLAY_ODR_DECLARE(part) \
  [[gnu::visibility("default")]] report part(const float* a, const float* b, std::size_t n);
INLAY_ODR_PARTS(INLAY_ODR_DECLARE)
#undef INLAY_ODR_DECLARE

}  // namespace odr
