// SPDX-License-Identifier: Apache-2.0
#include "tests/include_orders/inlay_side.hpp"

#include "hwy/highway.h"

#include "hwy/contrib/math/math-inl.h"
#include "tests/include_orders/program_static_code-inl.hpp"

#include "tests/include_orders/program_end-inl.hpp"
