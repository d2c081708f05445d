// SPDX-License-Identifier: Apache-2.0
#include "bench/peaks/peaks.hpp"

#define HWY_WANT_AVX3_DL
#include <algorithm>
#include <atomic>
#include <cstring>

#include "bench/support/timing.hpp"
#include "inlay/kernels/highway/targets.hpp"
#if INLAY_AMX_HOST != 0
#include "inlay/kernels/highway/amx.hpp"
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/peaks/loops-inl.hpp"
#include "hwy/foreach_target.h"

#include "bench/peaks/loops-inl.hpp"

namespace inlay::bench {

#if INLAY_AMX_HOST != 0
namespace {

/// Four sums, of two tiles times two.
double multiply_tiles(std::size_t rounds) {
  using namespace kernels;
  amx::tile_shapes shapes;
  for (std::size_t tile = 0; tile < 8; ++tile) shapes.set(tile, amx::tile_rows, amx::tile_row_bytes);
  amx::configure(shapes);
  for (std::size_t r = 0; r < rounds; ++r) {
    amx::multiply_add<0, 4, 6>();
    amx::multiply_add<1, 4, 7>();
    amx::multiply_add<2, 5, 6>();
    amx::multiply_add<3, 5, 7>();
  }
  amx::release();
  return static_cast<double>(rounds * 4) * 16 * 16 * 32;
}

}  // namespace
#endif

const peak_loops* find_peak_loops(std::string_view target) {
  // clang-format off
  static constexpr const peak_loops* all[] = {
      &HWY_NAMESPACE::loops,
#if HWY_TARGETS & HWY_AVX3_SPR & ~HWY_STATIC_TARGET
      &N_AVX3_SPR::loops,
#endif
#if HWY_TARGETS & HWY_AVX3_ZEN4 & ~HWY_STATIC_TARGET
      &N_AVX3_ZEN4::loops,
#endif
#if HWY_TARGETS & HWY_AVX3_DL & ~HWY_STATIC_TARGET
      &N_AVX3_DL::loops,
#endif
#if HWY_TARGETS & HWY_AVX3 & ~HWY_STATIC_TARGET
      &N_AVX3::loops,
#endif
#if HWY_TARGETS & HWY_AVX2 & ~HWY_STATIC_TARGET
      &N_AVX2::loops,
#endif
#if HWY_TARGETS & HWY_SSE4 & ~HWY_STATIC_TARGET
      &N_SSE4::loops,
#endif
#if HWY_TARGETS & HWY_SSSE3 & ~HWY_STATIC_TARGET
      &N_SSSE3::loops,
#endif
#if HWY_TARGETS & HWY_NEON_BF16 & ~HWY_STATIC_TARGET
      &N_NEON_BF16::loops,
#endif
#if HWY_TARGETS & HWY_NEON & ~HWY_STATIC_TARGET
      &N_NEON::loops,
#endif
  };
  // clang-format on
#if INLAY_AMX_HOST != 0
  if (target == "AMX") {
    static const peak_loops with_tiles = [] {
      const peak_loops* const host = find_peak_loops("AVX3_DL");  // or the baseline, where that is better
      peak_loops loops = host != nullptr ? *host : HWY_NAMESPACE::loops;
      loops.target = "AMX";
      loops.tiles = &multiply_tiles;
      return loops;
    }();
    return &with_tiles;
  }
#endif
  for (const peak_loops* one : all)
    if (one->target == target) return one;
  return nullptr;
}

namespace {

/// Seconds of f(thread) on every thread of the pool at once, the best of `tries`.
template <class F>
double best_seconds(thread_pool& pool, std::size_t tries, const F& f) {
  double best = 1e9;
  for (std::size_t i = 0; i < tries; ++i) best = std::min(best, seconds_of([&] { pool.run(pool.size(), f); }));
  return best;
}

}  // namespace

double measure_read(const peak_loops& loops, thread_pool& pool, const buffer& data, std::size_t sweeps) {
  const std::size_t pieces = 4 * pool.size();
  const std::size_t each = data.size() / pieces / (16 << 10) * (16 << 10);
  double best = 1e9;
  for (std::size_t i = 0; i < sweeps; ++i)
    for (const auto read : loops.reads)
      best = std::min(best, seconds_of([&] {
                        pool.run(pieces, [&](std::size_t piece) { read(data.data() + piece * each, each); });
                      }));
  return static_cast<double>(pieces * each) / best;
}

double measure_round_trip(thread_pool& pool) {
  if (pool.size() < 2) return 0.0;
  constexpr int rounds = 20000;
  alignas(64) std::atomic<int> ball = 0;
  const double seconds = seconds_of([&] {
    pool.run(2, [&](std::size_t side) {
      for (int i = 0; i < rounds; ++i) {
        const int mine = 2 * i + static_cast<int>(side);
        while (ball.load(std::memory_order_acquire) != mine) continue;
        ball.store(mine + 1, std::memory_order_release);
      }
    });
  });
  return seconds / rounds;
}

peaks measure_peaks(const peak_loops& loops, thread_pool& pool, const buffer& data) {
  constexpr std::size_t rounds = 1 << 20, tries = 8;
  const auto rate = [&](double (*loop)(std::size_t)) {
    const double done = 2.0 * loop(rounds) * static_cast<double>(pool.size());
    return done / best_seconds(pool, tries, [&](std::size_t) { loop(rounds); });
  };
  peaks p;
  p.byte_ops = rate(loops.bytes);
  p.float_ops = rate(loops.floats);
  if (loops.tiles != nullptr) p.tile_ops = rate(loops.tiles);
  p.round_trip = measure_round_trip(pool);
  p.read_bytes = measure_read(loops, pool, data, tries);
  constexpr std::size_t row = 2048, copies = 1 << 16;
  const double seconds = best_seconds(pool, tries, [&](std::size_t thread) {
    auto* in = reinterpret_cast<float*>(data.data()) + thread * 4 * row;
    for (std::size_t i = 0; i < copies; ++i) loops.copy(in, in + row, row);
  });
  p.copy_bytes = static_cast<double>(pool.size() * copies * row * 2 * sizeof(float)) / seconds;
  return p;
}

result<buffer> make_read_buffer(std::size_t bytes, thread_pool& pool) {
  result<buffer> data = buffer::allocate(bytes);
  if (!data) return data;
  const std::size_t pieces = 64;
  pool.run(pieces, [&](std::size_t piece) {
    const std::size_t begin = bytes * piece / pieces, end = bytes * (piece + 1) / pieces;
    std::memset(data->data() + begin, static_cast<int>(piece + 1), end - begin);
  });
  return data;
}

}  // namespace inlay::bench
