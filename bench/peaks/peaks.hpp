// SPDX-License-Identifier: Apache-2.0
// What this machine can do, as far as its best instructions and several read streams show it: the limits that kernels
// and engines are held against. Measured with the CPU target of the kernels' dispatch (or INLAY_TARGET).
#pragma once

#include <cstddef>
#include <string_view>

#include "inlay/core/buffer.hpp"
#include "inlay/core/thread_pool.hpp"

namespace inlay::bench {

/// The loops of one CPU target; each is run on one thread.
struct peak_loops {
  std::string_view target;
  /// Runs products of bytes that are summed in 32 bits; returns how many multiply-adds.
  double (*bytes)(std::size_t rounds);
  /// The same with float32 fused multiply-add.
  double (*floats)(std::size_t rounds);
  /// Two ways to read `count` bytes, a multiple of 16 KiB: in several streams, and in order.
  void (*reads[2])(const std::byte* data, std::size_t count);
  /// out[i] = in[i] for a multiple of 64 floats.
  void (*copy)(const float* in, float* out, std::size_t count);
  /// As `bytes`, with bf16 by matrix units; null: the target has none.
  double (*tiles)(std::size_t rounds) = nullptr;
};

/// The loops of a compiled target, or null.
const peak_loops* find_peak_loops(std::string_view target);

struct peaks {
  double byte_ops = 0.0;    ///< per second; a multiply-add is two
  double float_ops = 0.0;   ///< per second
  double tile_ops = 0.0;    ///< per second, of bf16 by matrix units; 0: there are none
  double read_bytes = 0.0;  ///< per second, from memory
  double copy_bytes = 0.0;  ///< per second, read and written, within the first-level cache
  double round_trip = 0.0;  ///< seconds for a cache line to go from one thread to another and back; 0: one thread
};

/// Takes about a second. `data` is what is read: far larger than the caches, and written before.
peaks measure_peaks(const peak_loops& loops, thread_pool& pool, const buffer& data);

/// The bandwidth alone: bytes per second, the best of `sweeps` over `data`.
double measure_read(const peak_loops& loops, thread_pool& pool, const buffer& data, std::size_t sweeps);

/// Seconds a cache line takes from one thread to another and back. It tells whether two virtual CPUs share a cache at
/// the moment, on which the bandwidth that they have together depends. 0 for a pool of one thread.
double measure_round_trip(thread_pool& pool);

/// A buffer for measure_peaks, written on the pool's threads.
result<buffer> make_read_buffer(std::size_t bytes, thread_pool& pool);

}  // namespace inlay::bench
