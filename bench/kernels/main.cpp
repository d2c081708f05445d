// SPDX-License-Identifier: Apache-2.0
// Every kernel as a share of what limits it, which is measured in the same process.
//   bench_kernels [--threads N] [--filter TEXT] [--seconds S] [--json FILE]
// TEXT is part of a row's name, e.g. "q4_0" or "attention"; S is how long a row may take (0.1).
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "bench/kernels/report.hpp"

int main(int count, char** arguments) {
  using namespace inlay;
  std::size_t threads = default_threads();
  std::string_view filter;
  double seconds = 0.1;
  std::FILE* json = nullptr;
  for (int i = 1; i < count; i += 2) {
    const std::string_view option = arguments[i];
    const char* value = i + 1 < count ? arguments[i + 1] : nullptr;
    if (value == nullptr) return std::fprintf(stderr, "%s: a value is missing.\n", arguments[i]), 2;
    if (option == "--threads")
      threads = std::strtoul(value, nullptr, 10);
    else if (option == "--filter")
      filter = value;
    else if (option == "--seconds")
      seconds = std::strtod(value, nullptr);
    else if (option == "--json")
      json = std::fopen(value, "w");
    else
      return std::fprintf(stderr, "%s: unknown option.\n", arguments[i]), 2;
  }

  const bench::peak_loops* loops = bench::find_peak_loops(kernels::linked_kernels().name);
  if (loops == nullptr) return std::fprintf(stderr, "No loops for this CPU target.\n"), 1;
  thread_pool pool(threads);
  bench::peaks limits;
  {
    const auto data = bench::make_read_buffer(std::size_t{1} << 30, pool);
    if (!data) return std::fprintf(stderr, "%s\n", data.error().message.c_str()), 1;
    limits = bench::measure_peaks(*loops, pool, *data);
  }
  std::printf(
      "%.*s, %zu threads: %.0f GOPS int8, %.0f GFLOPS bf16 by matrix units, %.0f GFLOPS f32, %.1f GB/s memory, %.0f "
      "GB/s cache\n\n",
      static_cast<int>(loops->target.size()), loops->target.data(), pool.size(), limits.byte_ops / 1e9,
      limits.tile_ops / 1e9, limits.float_ops / 1e9, limits.read_bytes / 1e9, limits.copy_bytes / 1e9);
  std::printf("| kernel | threads | time | rate | of the limit |\n|---|---|---|---|---|\n");
  bench::report r(pool, limits, filter, seconds, json);
  bench::time_products(r);
  bench::time_attention(r);
  bench::time_rows(r);
  bench::time_recurrence(r);
  if (json != nullptr) std::fclose(json);
}
