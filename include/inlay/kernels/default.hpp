// SPDX-License-Identifier: Apache-2.0
// The kernel policy that models are compiled with: Highway, dispatched at run time, unless the build asks for another
// with INLAY_KERNELS_PLAIN or INLAY_KERNELS_XSIMD. With INLAY_LINKED the Highway kernels are not compiled here but
// taken from inlay::runtime. Program-wide: every translation unit must agree.
#pragma once

#if defined(INLAY_KERNELS_PLAIN)
#include "inlay/kernels/plain.hpp"
namespace inlay::kernels {
using standard = plain;
}
#elif defined(INLAY_KERNELS_XSIMD)
#include "inlay/kernels/xsimd/fixed.hpp"
namespace inlay::kernels {
using standard = fixed;
}
#elif defined(INLAY_LINKED)
#include "inlay/kernels/linked.hpp"
namespace inlay::kernels {
using standard = linked;
}
#else
#include "inlay/kernels/highway/dispatch.hpp"
namespace inlay::kernels {
using standard = dispatched;
}
#endif
