// SPDX-License-Identifier: Apache-2.0
// Prints what this machine can do, one line of JSON for each number of threads given (default: all CPUs).
#include <cstdio>
#include <cstdlib>

#include "bench/peaks/peaks.hpp"
#include "inlay/kernels/default.hpp"

int main(int count, char** arguments) {
  using namespace inlay;
  const bench::peak_loops* loops = bench::find_peak_loops(kernels::linked_kernels().name);
  if (loops == nullptr) return std::fprintf(stderr, "No loops for this CPU target.\n"), 1;
  for (int i = 1; i < count || i == 1; ++i) {
    const std::size_t threads = i < count ? std::strtoul(arguments[i], nullptr, 10) : default_threads();
    thread_pool pool(threads);
    const auto data = bench::make_read_buffer(std::size_t{1} << 30, pool);
    if (!data) return std::fprintf(stderr, "%s\n", data.error().message.c_str()), 1;
    const bench::peaks p = bench::measure_peaks(*loops, pool, *data);
    std::printf(
        "{\"target\": \"%.*s\", \"threads\": %zu, \"read_gb_per_s\": %.2f, \"int8_gops\": %.1f, \"bf16_gflops\": %.1f, "
        "\"f32_gflops\": %.1f, \"copy_gb_per_s\": %.1f, \"round_trip_ns\": %.0f}\n",
        static_cast<int>(loops->target.size()), loops->target.data(), pool.size(), p.read_bytes / 1e9, p.byte_ops / 1e9,
        p.tile_ops / 1e9, p.float_ops / 1e9, p.copy_bytes / 1e9, p.round_trip * 1e9);
  }
}
