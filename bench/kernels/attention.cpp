// SPDX-License-Identifier: Apache-2.0
// Attention with every type of key/value cache: one query at depth 8192 against the memory's bandwidth, and 512 queries
// at the beginning and deep in the context against the float peak.
#include <algorithm>
#include <string>
#include <vector>

#include "bench/kernels/report.hpp"
#include "bench/support/random.hpp"
#include "inlay/core/buffer.hpp"
#include "inlay/layers/heads.hpp"
#include "inlay/quant/cache_row.hpp"

namespace inlay::bench {
namespace {

constexpr std::size_t depth = 8192, layers = 16, batch = 512;

void time_shape(report& r, std::size_t heads, std::size_t kv_heads, std::size_t head_dim, dtype type) {
  const std::string label = "attention " + std::string(name(type)) + " " + std::to_string(heads) + "/" +
                            std::to_string(kv_heads) + "x" + std::to_string(head_dim);
  const auto row = [&](const char* what) { return label + what; };
  if (!r.wants(row(" x 1 @8192")) && !r.wants(row(" x 512 @0")) && !r.wants(row(" x 512 @7680"))) return;
  const std::size_t row_size = row_bytes(type, head_dim), head_stride = depth * row_size;
  const std::size_t side = kv_heads * head_stride;
  const auto cache = buffer::allocate(2 * layers * side);
  if (!cache) return;
  random_bits random(7);
  std::vector<float> values(head_dim);
  for (std::size_t i = 0; i < 2 * layers * kv_heads * depth; ++i) {
    if (i < 4096) {
      for (float& v : values) v = random.next_normal();
      store_cache_row(type, values.data(), head_dim, cache->data() + i * row_size);
    } else {
      std::copy_n(cache->data() + (i - 4096) * row_size, row_size, cache->data() + i * row_size);
    }
  }
  const std::size_t width = heads * head_dim;
  std::vector<float> queries(batch * width), out(batch * width);
  for (float& q : queries) q = random.next_normal();

  const kernels::attention_shape shape{
      .heads = heads, .kv_heads = kv_heads, .head_dim = head_dim, .scale = 0.125f, .cache = type};
  const auto attend = [&](std::size_t layer, std::size_t position, std::size_t count) {
    const kernels::kv_span span{cache->data() + 2 * layer * side, cache->data() + (2 * layer + 1) * side, head_stride,
                                0, position + count};
    const kernels::attention_rows rows{queries.data(), width, out.data(), width, count, position, {&span, 1}};
    const std::size_t block = detail::attention_task_rows(heads / kv_heads, kv_heads, count, r.pool.size());
    const std::size_t blocks = (count + block - 1) / block;
    r.pool.run(kv_heads * blocks, [&](std::size_t task) {
      const std::size_t begin = task % blocks * block;
      K::attention(shape, rows, task / blocks, begin, std::min(begin + block, count));
    });
  };
  r.time(row(" x 1 @8192"), limit::read, static_cast<double>(2 * layers * side), [&] {
    for (std::size_t l = 0; l < layers; ++l) attend(l, depth - 1, 1);
  });
  for (const std::size_t begin : {std::size_t{0}, depth - batch}) {
    const double visible = static_cast<double>(batch) * (static_cast<double>(begin) + 0.5 * (batch + 1));
    r.time(row(begin == 0 ? " x 512 @0" : " x 512 @7680"), limit::float_ops, 4.0 * visible * static_cast<double>(width),
           [&] { attend(0, begin, batch); });
  }
}

}  // namespace

void time_attention(report& r) {
  for (const dtype type : {dtype::f32, dtype::f16, dtype::bf16, dtype::q8_0}) {
    time_shape(r, 32, 8, 64, type);
    time_shape(r, 16, 8, 128, type);
    time_shape(r, 4, 1, 256, type);
  }
}

}  // namespace inlay::bench
