// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

/// Calls of operator new since the program began, by all threads. The program must be linked with
/// count_allocations.cpp.
std::size_t allocation_count();
