// SPDX-License-Identifier: Apache-2.0
// The program's own Highway code, as its manual has it: a function and a function template compiled once per target,
// exported and called through Highway's dispatch. Included once per target; no guard.
HWY_BEFORE_NAMESPACE();
namespace INLAY_ORDER {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

inline int64_t Exps(const float* HWY_RESTRICT in, float* HWY_RESTRICT out, size_t count) {
  const hn::ScalableTag<float> d;
  for (size_t i = 0; i + hn::Lanes(d) <= count; i += hn::Lanes(d))
    hn::StoreU(hn::Exp(d, hn::LoadU(d, in + i)), d, out + i);
  return HWY_TARGET;
}

template <typename T>
void Double(T* values, size_t count) {
  const hn::ScalableTag<T> d;
  for (size_t i = 0; i + hn::Lanes(d) <= count; i += hn::Lanes(d))
    hn::StoreU(hn::Add(hn::LoadU(d, values + i), hn::LoadU(d, values + i)), d, values + i);
}

}  // namespace HWY_NAMESPACE
}  // namespace INLAY_ORDER
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace INLAY_ORDER {

HWY_EXPORT(Exps);

template <typename T>
void CallDouble(T* values, size_t count) {
  HWY_EXPORT_AND_DYNAMIC_DISPATCH_T(Double<T>)(values, count);
}

/// out[i] = 2 e^in[i]; the target that was used.
int64_t run(const float* in, float* out, size_t count) {
  const int64_t target = HWY_DYNAMIC_DISPATCH(Exps)(in, out, count);
  CallDouble<float>(out, count);
  return target;
}

}  // namespace INLAY_ORDER
#endif
