// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/include_orders/orders/inlay_after_foreach.cpp"
#include "hwy/foreach_target.h"

#include "tests/include_orders/inlay_side.hpp"

#include "hwy/highway.h"

#include "hwy/contrib/math/math-inl.h"
#include "tests/include_orders/program_code-inl.hpp"
#if HWY_ONCE
#include "tests/include_orders/program_end-inl.hpp"
#endif
