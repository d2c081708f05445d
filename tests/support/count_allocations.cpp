// SPDX-License-Identifier: Apache-2.0
// Replaces the global operator new of a test program with one that counts. In a file of its own, so that no call is
// inlined past the count.
#include "tests/support/count_allocations.hpp"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {
std::atomic<std::size_t> allocations{0};
}

std::size_t allocation_count() { return allocations.load(); }

void* operator new(std::size_t bytes) {
  ++allocations;
  return std::malloc(bytes != 0 ? bytes : 1);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
