// SPDX-License-Identifier: Apache-2.0
// The loops of one CPU target: included once per target.
#include <cstddef>
#include <cstdint>

#include "hwy/cache_control.h"
#include "hwy/highway.h"

#include "inlay/config/macros.hpp"

HWY_BEFORE_NAMESPACE();
namespace inlay::bench {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Independent sums, enough to hide the latency of two units and few enough for 16 registers.
inline constexpr std::size_t chains = 12;

inline double multiply_floats(std::size_t rounds) {
  const hn::CappedTag<float, 16> d;
  const auto factor = hn::Set(d, 0.5f);
  const auto term = hn::Set(d, 0.25f);
  hn::Vec<decltype(d)> sums[chains];
  INLAY_UNROLL
  for (std::size_t i = 0; i < chains; ++i) sums[i] = hn::Set(d, static_cast<float>(i));
  for (std::size_t r = 0; r < rounds; ++r) {
    INLAY_UNROLL
    for (std::size_t i = 0; i < chains; ++i) sums[i] = hn::MulAdd(sums[i], factor, term);
  }
  for (std::size_t i = 1; i < chains; ++i) sums[0] = hn::Add(sums[0], sums[i]);
  volatile float sink = hn::ReduceSum(d, sums[0]);
  static_cast<void>(sink);
  return static_cast<double>(rounds * chains * hn::Lanes(d));
}

/// acc[i] += sum of u[4i + j] * s[4i + j]: in the form that is fastest on the target.
template <class D, class U, class S, class A>
HWY_INLINE A sum_of_products(D d, U u, S s, A acc) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_SSSE3
  const hn::RepartitionToNarrow<D> half;
  return hn::Add(acc, hn::WidenMulPairwiseAdd(d, hn::SatWidenMulPairwiseAdd(half, u, s), hn::Set(half, 1)));
#elif HWY_TARGET_IS_NEON
  const hn::Repartition<std::int8_t, D> bytes;
  return hn::SumOfMulQuadAccumulate(d, hn::BitCast(bytes, u), s, acc);
#else
  return hn::SumOfMulQuadAccumulate(d, u, s, acc);
#endif
}

inline double multiply_bytes(std::size_t rounds) {
  const hn::CappedTag<std::int32_t, 16> d;
  const hn::Repartition<std::uint8_t, decltype(d)> u;
  const hn::Repartition<std::int8_t, decltype(d)> s;
  auto left = hn::Set(u, 3);
  const auto right = hn::Set(s, -2);
  hn::Vec<decltype(d)> sums[chains];
  INLAY_UNROLL
  for (std::size_t i = 0; i < chains; ++i) sums[i] = hn::Set(d, static_cast<std::int32_t>(i));
  for (std::size_t r = 0; r < rounds; ++r) {
    // Changed each time, or the products would be made once.
    left = hn::Xor(left, hn::Set(u, 1));
    INLAY_UNROLL
    for (std::size_t i = 0; i < chains; ++i) sums[i] = sum_of_products(d, left, right, sums[i]);
  }
  for (std::size_t i = 1; i < chains; ++i) sums[0] = hn::Add(sums[0], sums[i]);
  volatile std::int32_t sink = hn::ReduceSum(d, sums[0]);
  static_cast<void>(sink);
  return static_cast<double>(rounds * chains * hn::Lanes(s));
}

/// Streams that take turns; each asks for its lines so many bytes before it loads them.
template <std::size_t Streams, std::size_t Ahead>
void read_streams(const std::byte* data, std::size_t count) {
  constexpr std::size_t streams = Streams, line = 64, ahead = Ahead, lines = 4;
  const hn::CappedTag<std::uint64_t, 8> d;
  constexpr std::size_t vectors = line / (hn::MaxLanes(d) * sizeof(std::uint64_t));
  const std::size_t each = count / streams;
  hn::Vec<decltype(d)> sums[streams];
  INLAY_UNROLL
  for (std::size_t s = 0; s < streams; ++s) sums[s] = hn::Zero(d);
  for (std::size_t at = 0; at < each; at += lines * line) {
    INLAY_UNROLL
    for (std::size_t s = 0; s < streams; ++s) {
      const std::byte* from = data + s * each + at;
      INLAY_UNROLL
      for (std::size_t l = 0; l < lines; ++l) {
        hwy::Prefetch(from + l * line + ahead);
        INLAY_UNROLL
        for (std::size_t v = 0; v < vectors; ++v)
          sums[s] = hn::Xor(
              sums[s], hn::LoadU(d, reinterpret_cast<const std::uint64_t*>(from + l * line) + v * hn::MaxLanes(d)));
      }
    }
  }
  for (std::size_t s = 1; s < streams; ++s) sums[0] = hn::Xor(sums[0], sums[s]);
  volatile std::uint64_t sink = hn::ReduceSum(d, sums[0]);
  static_cast<void>(sink);
}

inline void copy_floats(const float* in, float* out, std::size_t count) {
  const hn::CappedTag<float, 16> d;
  for (std::size_t i = 0; i < count; i += 4 * hn::MaxLanes(d)) {
    INLAY_UNROLL
    for (std::size_t v = 0; v < 4; ++v)
      hn::StoreU(hn::LoadU(d, in + i + v * hn::MaxLanes(d)), d, out + i + v * hn::MaxLanes(d));
  }
}

inline constexpr peak_loops loops{
    std::string_view(HWY_STR(HWY_NAMESPACE)).substr(std::string_view(HWY_STR(HWY_NAMESPACE)).find("N_") + 2),
    &multiply_bytes,
    &multiply_floats,
    {&read_streams<4, 4096>, &read_streams<1, 1536>},
    &copy_floats};

}  // namespace HWY_NAMESPACE
}  // namespace inlay::bench
HWY_AFTER_NAMESPACE();
