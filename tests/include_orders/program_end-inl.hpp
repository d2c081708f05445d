// SPDX-License-Identifier: Apache-2.0
// The end of an order's file: what the test calls, and that Highway's macros are as they were.
#if HWY_TARGET != HWY_STATIC_TARGET
#error "HWY_TARGET is not the baseline again"
#endif
#ifdef N_SSE2
#error "a namespace of Highway is still renamed"
#endif

namespace INLAY_ORDER {
static_assert(HWY_STR(HWY_NAMESPACE)[0] == 'N', "HWY_NAMESPACE is still inlay's");
static_assert(sizeof(HWY_LANES(float)) != 0);
std::vector<float> squares(const float* a, size_t n) { return inlay_squares(a, n); }
}  // namespace INLAY_ORDER
