// SPDX-License-Identifier: Apache-2.0
// What share of the memory's bandwidth decoding makes use of. The bandwidth of a machine, a virtual one above all,
// changes from one second to the next: so it is measured on the same threads between any few tokens, and what counts
// is the median of the ratios.
#pragma once

#include <cstddef>

#include "bench/end_to_end/runner.hpp"
#include "bench/peaks/peaks.hpp"
#include "inlay/core/buffer.hpp"
#include "inlay/core/thread_pool.hpp"

namespace inlay::bench {

struct bandwidth_share {
  double median = 0.0;  ///< bytes of weights read per second of decoding, over bytes per second of the reads around it
  double lowest = 0.0;
  double highest = 0.0;
  double read_bytes = 0.0;  ///< per second, the median of all reads
};

/// Decodes `tokens` tokens, at least 1, from where the sequence is; each reads `token_bytes` of weights. `data` is what
/// is read between them: far larger than the caches, and written before.
bandwidth_share measure_share(runner& sequence, std::size_t tokens, double token_bytes, const peak_loops& loops,
                              thread_pool& pool, const buffer& data);

}  // namespace inlay::bench
