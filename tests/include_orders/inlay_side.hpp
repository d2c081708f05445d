// SPDX-License-Identifier: Apache-2.0
// inlay's part of a translation unit that also has Highway code of its own. With INLAY_WHOLE, all of inlay's kernels;
// otherwise its loop over targets alone, with a kernel of our own, which compiles in a fraction of the time.
#pragma once

#include <cstddef>
#include <vector>

#ifdef INLAY_WHOLE
#include "inlay/kernels/highway/dispatch.hpp"
#else
#define INLAY_TARGET_INCLUDE "tests/include_orders/probe-inl.hpp"
#include "inlay/kernels/highway/cpu.hpp"
#include "inlay/kernels/highway/foreach_target.hpp"
#endif

namespace {

/// a . a, computed by inlay's side with each of its targets that this machine supports, the baseline first.
inline std::vector<float> inlay_squares(const float* a, std::size_t n) {
  std::vector<float> results;
#ifdef INLAY_WHOLE
  inlay::kernels::for_each_target([&](auto kernels) { results.insert(results.begin(), kernels.dot(a, a, n)); });
#else
  const std::int64_t supported = inlay::kernels::detail::detect_targets() | INLAY_BASELINE_TARGET;
#define INLAY_PROBE(target, target_namespace) \
  if ((supported & HWY_##target) != 0) results.push_back(inlay_probe::target_namespace::squares(a, n));
#if INLAY_COMPILED_TARGETS & HWY_SSE2
  INLAY_PROBE(SSE2, INLAY_NAMESPACE_SSE2)
#endif
#if INLAY_COMPILED_TARGETS & HWY_AVX2
  INLAY_PROBE(AVX2, inlay_N_AVX2)
#endif
#if INLAY_COMPILED_TARGETS & HWY_AVX3_DL
  INLAY_PROBE(AVX3_DL, inlay_N_AVX3_DL)
#endif
#if INLAY_COMPILED_TARGETS & HWY_AVX3_ZEN4
  INLAY_PROBE(AVX3_ZEN4, inlay_N_AVX3_ZEN4)
#endif
#if INLAY_COMPILED_TARGETS & HWY_NEON_WITHOUT_AES
  INLAY_PROBE(NEON_WITHOUT_AES, inlay_N_NEON_WITHOUT_AES)
#endif
#if INLAY_COMPILED_TARGETS & HWY_NEON_BF16
  INLAY_PROBE(NEON_BF16, inlay_N_NEON_BF16)
#endif
#undef INLAY_PROBE
#endif
  return results;
}

}  // namespace
