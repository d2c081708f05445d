// SPDX-License-Identifier: Apache-2.0
// What the kernels' benchmarks share: options, the limits of this process, and the table they fill.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

#include "bench/peaks/peaks.hpp"
#include "bench/support/timing.hpp"
#include "inlay/core/thread_pool.hpp"
#include "inlay/kernels/default.hpp"

namespace inlay::bench {

using K = kernels::standard;

enum class limit { byte_ops, float_ops, tile_ops, read, copy };

class report {
 public:
  report(thread_pool& threads, const peaks& limits, std::string_view filter, double seconds, std::FILE* json)
      : pool(threads), limits_(limits), filter_(filter), seconds_(seconds), json_(json) {}

  thread_pool& pool;

  /// Whether rows of this name are asked for.
  bool wants(std::string_view name) const { return name.find(filter_) != std::string_view::npos; }

  /// Times f(), which does `work` operations or bytes of what `what` limits, and adds a row. Returns the seconds a call
  /// takes: the best of as many as fit into the time a row may take.
  template <class F>
  double time(std::string_view name, limit what, double work, const F& f) {
    if (!wants(name)) return 0.0;
    f();
    double best = 1e9, all = 0.0;
    for (int i = 0; i < 3 || all < seconds_; ++i) {
      const double seconds = seconds_of(f);
      best = seconds < best ? seconds : best;
      all += seconds;
    }
    add(name, what, work / best, best);
    return best;
  }

 private:
  void add(std::string_view name, limit what, double rate, double seconds) {
    struct unit {
      const char* name;
      double peak;
    };
    const unit units[] = {{"GOPS int8", limits_.byte_ops},
                          {"GFLOPS f32", limits_.float_ops},
                          {"GFLOPS bf16", limits_.tile_ops},
                          {"GB/s memory", limits_.read_bytes},
                          {"GB/s cache", limits_.copy_bytes}};
    const unit& u = units[static_cast<std::size_t>(what)];
    std::printf("| %-34.*s | %zu | %10.2f us | %8.1f %-11s | %5.1f %% |\n", static_cast<int>(name.size()), name.data(),
                pool.size(), seconds * 1e6, rate / 1e9, u.name, 100.0 * rate / u.peak);
    std::fflush(stdout);
    if (json_ == nullptr) return;
    std::fprintf(json_,
                 "{\"kernel\": \"%.*s\", \"threads\": %zu, \"seconds\": %.9f, \"rate\": %.4g, \"unit\": \"%s\", "
                 "\"share\": %.4f}\n",
                 static_cast<int>(name.size()), name.data(), pool.size(), seconds, rate / 1e9, u.name, rate / u.peak);
  }

  peaks limits_;
  std::string_view filter_;
  double seconds_;
  std::FILE* json_;
};

void time_products(report& r);
void time_attention(report& r);
void time_rows(report& r);
void time_recurrence(report& r);

}  // namespace inlay::bench
