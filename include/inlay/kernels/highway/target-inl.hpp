// SPDX-License-Identifier: Apache-2.0
// One pass of foreach_target.hpp: Highway's ops for HWY_TARGET, the kernels on top, and the toggle flipped after them.
#include "hwy/ops/set_macros-inl.h"

#include "hwy/highway.h"
#ifndef INLAY_OPS_ONLY
#include INLAY_TARGET_INCLUDE
#endif
#ifdef HWY_TARGET_TOGGLE
#undef HWY_TARGET_TOGGLE
#else
#define HWY_TARGET_TOGGLE
#endif
