// SPDX-License-Identifier: Apache-2.0
#include "bench/end_to_end/share.hpp"

#include <algorithm>
#include <vector>

#include "bench/support/timing.hpp"

namespace inlay::bench {

namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2.0;
}

}  // namespace

bandwidth_share measure_share(runner& sequence, std::size_t tokens, double token_bytes, const peak_loops& loops,
                              thread_pool& pool, const buffer& data) {
  constexpr std::size_t together = 4;  // tokens between two measurements
  constexpr std::size_t sweeps = 2;
  std::vector<double> reads = {measure_read(loops, pool, data, sweeps)};
  std::vector<double> shares;
  for (std::size_t done = 0; done < tokens; done += together) {
    const std::size_t count = std::min(together, tokens - done);
    const double seconds = seconds_of([&] {
      for (std::size_t i = 0; i < count; ++i) sequence.read(1);
    });
    const double before = reads.back();
    reads.push_back(measure_read(loops, pool, data, sweeps));
    const double read = (before + reads.back()) / 2.0;
    shares.push_back(static_cast<double>(count) * token_bytes / seconds / read);
  }
  const auto [lowest, highest] = std::minmax_element(shares.begin(), shares.end());
  return {median(shares), *lowest, *highest, median(reads)};
}

}  // namespace inlay::bench
