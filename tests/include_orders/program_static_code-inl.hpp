// SPDX-License-Identifier: Apache-2.0
// The same for a program that uses Highway for the compiler's baseline only, without its foreach_target.h.
HWY_BEFORE_NAMESPACE();
namespace INLAY_ORDER {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

inline void Exps(const float* HWY_RESTRICT in, float* HWY_RESTRICT out, size_t count) {
  const hn::ScalableTag<float> d;
  for (size_t i = 0; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) {
    const auto e = hn::Exp(d, hn::LoadU(d, in + i));
    hn::StoreU(hn::Add(e, e), d, out + i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace INLAY_ORDER
HWY_AFTER_NAMESPACE();

namespace INLAY_ORDER {
int64_t run(const float* in, float* out, size_t count) {
  HWY_STATIC_DISPATCH(Exps)(in, out, count);
  return HWY_STATIC_TARGET;
}
}  // namespace INLAY_ORDER
