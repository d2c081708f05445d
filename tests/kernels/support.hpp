// SPDX-License-Identifier: Apache-2.0
// What the kernel tests share. Every kernel is compared with kernels::plain, for all policies and CPU targets this
// machine can run, on sizes around the vector width, at all offsets from alignment, and right before a page that must
// not be touched.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>
#define INLAY_TEST_GUARD_PAGES 1
#else
#define INLAY_TEST_GUARD_PAGES 0
#endif

#include "inlay/kernels/highway/dispatch.hpp"
#include "inlay/kernels/plain.hpp"
#include "inlay/kernels/xsimd/fixed.hpp"

namespace inlay::test {

/// Half the distance between 1 and the next float: the relative error of one rounding.
inline constexpr double rounding = 0x1p-24;

/// Calls f(K()) for every policy but plain and every CPU target, with the name on record.
template <class F>
void for_each_policy(F f) {
  const auto named = [&]<class K>(K kernels) {
    const std::string policy(K::name);
    CAPTURE(policy);
    f(kernels);
  };
  kernels::for_each_target(named);
  named(kernels::fixed());
}

/// Sizes 0 to 3 vectors and one more, and one that fills many.
template <class K>
std::vector<std::size_t> sizes() {
  std::vector<std::size_t> list;
  for (std::size_t n = 0; n <= 3 * K::vector_floats + 1; ++n) list.push_back(n);
  list.push_back(1027);
  return list;
}

/// Numbers that end right before a page without access, or `gap` elements before it.
template <class T>
class guarded {
 public:
  explicit guarded(std::size_t count, std::size_t gap = 0) : count_(count) {
    const std::size_t bytes = (count + gap) * sizeof(T);
#if INLAY_TEST_GUARD_PAGES
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    mapped_ = (bytes + page - 1) / page * page + page;
    void* memory = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    memory_ = static_cast<std::byte*>(memory);
    REQUIRE(mprotect(memory_ + mapped_ - page, page, PROT_NONE) == 0);
    data_ = reinterpret_cast<T*>(memory_ + mapped_ - page - bytes);
#else
    memory_ = new std::byte[bytes];
    data_ = reinterpret_cast<T*>(memory_);
#endif
  }
  guarded(std::size_t count, std::size_t gap, const std::vector<T>& values) : guarded(count, gap) {
    if (count != 0) std::memcpy(data_, values.data(), count * sizeof(T));
  }
  guarded(const guarded&) = delete;
  guarded& operator=(const guarded&) = delete;
  ~guarded() {
#if INLAY_TEST_GUARD_PAGES
    munmap(memory_, mapped_);
#else
    delete[] memory_;
#endif
  }
  T* data() { return data_; }
  T& operator[](std::size_t i) { return data_[i]; }
  std::size_t size() const { return count_; }
  std::vector<T> values() const { return std::vector<T>(data_, data_ + count_); }

 private:
  std::byte* memory_ = nullptr;
  std::size_t mapped_ = 0;
  std::size_t count_ = 0;
  T* data_ = nullptr;
};

/// The same numbers on every machine.
inline std::vector<float> random_floats(std::size_t count, std::uint32_t seed, float low = -1.0f, float high = 1.0f) {
  std::mt19937 generator(seed);
  std::vector<float> values(count);
  for (float& v : values) v = low + (high - low) * static_cast<float>(generator() >> 8) * 0x1p-24f;
  return values;
}

/// Equal within a tolerance, or both the same infinity, or both NaN. Without a doctest assertion per number.
inline bool within(double got, double expected, double tolerance) {
  if (std::isnan(expected)) return std::isnan(got);
  if (std::isinf(expected)) return got == expected;
  return std::fabs(got - expected) <= tolerance;
}

}  // namespace inlay::test
