// SPDX-License-Identifier: Apache-2.0
// Files of orders/, each compiled with several sets of inlay's targets: namespace <order>_<set>.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// Orders whose program dispatches at run time, and those that use Highway for the baseline only.
#define INLAY_DISPATCHING_ORDERS(F) \
  F(inlay_first)                    \
  F(inlay_last) F(inlay_after_foreach) F(inlay_before_contrib) F(inlay_before_code)
#define INLAY_STATIC_ORDERS(F) F(static_first) F(static_last) F(static_around)

// Sets: inlay's default, the baseline alone (one pass), one target more (an even number of passes), and all kernels.
#define INLAY_SETS(F, order) F(order##_standard) F(order##_baseline) F(order##_one_more)

#define INLAY_DECLARE(name)                                    \
  namespace name {                                             \
  int64_t run(const float* in, float* out, std::size_t count); \
  std::vector<float> squares(const float* a, std::size_t n);   \
  }
#define INLAY_DECLARE_SETS(order) INLAY_SETS(INLAY_DECLARE, order)
INLAY_DISPATCHING_ORDERS(INLAY_DECLARE_SETS)
INLAY_STATIC_ORDERS(INLAY_DECLARE_SETS)
INLAY_DECLARE(inlay_first_whole)
INLAY_DECLARE(inlay_last_whole)
#undef INLAY_DECLARE_SETS
#undef INLAY_DECLARE
