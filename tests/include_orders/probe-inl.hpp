// SPDX-License-Identifier: Apache-2.0
// A kernel compiled once per target by inlay's loop.
HWY_BEFORE_NAMESPACE();
namespace inlay_probe {
namespace HWY_NAMESPACE {

inline float squares(const float* a, std::size_t n) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::CappedTag<float, 16> d;
  auto sum = hn::Zero(d);
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) {
    const auto v = hn::LoadU(d, a + i);
    sum = hn::MulAdd(v, v, sum);
  }
  const auto v = hn::LoadN(d, a + i, n - i);
  return hn::ReduceSum(d, hn::MulAdd(v, v, sum));
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay_probe
HWY_AFTER_NAMESPACE();
