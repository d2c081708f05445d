// SPDX-License-Identifier: Apache-2.0
// The recurrent heads of a layer at published sizes: prompts of 256 positions against the float peak, counting only the
// products that the definition has (three a number of the state and position by the delta rule, two else); one position
// of layers whose states are 128 MiB, each read and written, against the memory's bandwidth.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "bench/kernels/report.hpp"
#include "bench/support/random.hpp"
#include "inlay/core/buffer.hpp"
#include "inlay/kernels/types.hpp"

namespace inlay::bench {
namespace {

struct layer_shape {
  std::string_view name;
  std::size_t heads, key_heads, rows, columns;
  bool delta_rule;
};

void time_layer(report& r, const layer_shape& s) {
  constexpr std::size_t batch = 256, all_bytes = 128 << 20;
  const std::string label = "scan " + std::string(s.name);
  if (!r.wants(label + " x 256") && !r.wants(label + " x 1")) return;
  random_bits random(5);
  const auto fill = [&](std::size_t count, float scale) {
    std::vector<float> v(count);
    for (float& x : v) x = scale * random.next_normal();
    return v;
  };
  const std::size_t keys = s.key_heads * s.rows, values = s.heads * s.columns, channels = 2 * keys + values;
  const auto in = fill(batch * channels, 0.1f);
  std::vector<float> out(batch * values);
  const std::vector<float> factors(batch * s.heads, 0.5f);
  const std::size_t head_state = s.rows * s.columns, layer_state = s.heads * head_state;
  const std::size_t layers = all_bytes / (layer_state * sizeof(float));
  const auto states = buffer::allocate(layers * layer_state * sizeof(float));
  if (!states) return;
  auto* state = reinterpret_cast<float*>(states->data());
  std::fill_n(state, layers * layer_state, 0.0f);
  const auto run = [&](std::size_t layer, std::size_t count) {
    r.pool.run(s.heads, [&](std::size_t h) {
      const float* query = in.data() + h / (s.heads / s.key_heads) * s.rows;
      K::scan(state + layer * layer_state + h * head_state, {.rows = s.rows,
                                                             .columns = s.columns,
                                                             .count = count,
                                                             .keys = query + keys,
                                                             .queries = query,
                                                             .key_stride = channels,
                                                             .values = in.data() + 2 * keys + h * s.columns,
                                                             .value_stride = channels,
                                                             .out = out.data() + h * s.columns,
                                                             .out_stride = values,
                                                             .decays = factors.data() + h,
                                                             .rates = factors.data() + h,
                                                             .factor_stride = s.heads,
                                                             .delta_rule = s.delta_rule});
    });
  };
  const double products = (s.delta_rule ? 3.0 : 2.0) * static_cast<double>(layer_state);
  r.time(label + " x 256", limit::float_ops, 2.0 * batch * products, [&] { run(0, batch); });
  r.time(label + " x 1", limit::read, 2.0 * static_cast<double>(layers * layer_state * sizeof(float)), [&] {
    for (std::size_t l = 0; l < layers; ++l) run(l, 1);
  });
}

}  // namespace

void time_recurrence(report& r) {
  time_layer(r, {"delta 16 x 128x128", 16, 16, 128, 128, true});  // Qwen3.5 0.8B and 2B
  time_layer(r, {"mamba 96 x 128x80", 96, 8, 128, 80, false});    // Nemotron-3-Nano-4B
  time_layer(r, {"mamba 64 x 128x64", 64, 8, 128, 64, false});    // Nemotron-3-Nano-30B-A3B
}

}  // namespace inlay::bench
