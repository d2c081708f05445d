// SPDX-License-Identifier: Apache-2.0
// The one translation unit that pays for the kernels.
#include <inlay/inlay.hpp>

INLAY_INSTANTIATE(inlay::models::smollm2_135m);
