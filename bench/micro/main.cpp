// SPDX-License-Identifier: Apache-2.0
// One step of micro models: four layers relu(W x + b) of one width, one thread, f32. Prints a line of JSON for each
// width with the nanoseconds of the fastest of many runs, to be set beside another engine's.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/support/random.hpp"
#include "bench/support/timing.hpp"
#include "inlay/inlay.hpp"
#include "inlay/kernels/pack.hpp"

namespace {

using namespace inlay;

template <std::size_t Width>
using layer = dense<Width, relu>;
template <std::size_t Width>
using network = bound<chain<layer<Width>, layer<Width>, layer<Width>, layer<Width>>, Width>;

template <std::size_t Width>
void measure() {
  bench::random_bits random(1);
  network<Width> net{};
  // As the loader lays weights out: packed, every parameter on a cache line of its own.
  using K = kernels::standard;
  const auto memory_of_weights = buffer::allocate(parameter_count<network<Width>> * sizeof(float));
  if (!memory_of_weights) return;
  arena weights(memory_of_weights->data(), memory_of_weights->size());
  const auto fill = [&]<class Parameter>(const std::string&, Parameter& p, const auto&) {
    std::vector<float> values(Parameter::count);
    for (float& v : values) v = random.next_normal() / std::sqrt(static_cast<float>(Width));
    float* const place = weights.take<float>(Parameter::count);
    if constexpr (requires { p.ref; })
      p.ref = kernels::pack_matrix(
          K(), {reinterpret_cast<const std::byte*>(values.data()), Parameter::rows, Parameter::columns, dtype::f32},
          reinterpret_cast<std::byte*>(place));
    else
      p.data = std::copy(values.begin(), values.end(), place) - Parameter::count;
  };
  for_each_parameter(net, "", fill);

  alignas(64) std::byte scratch[scratch_bytes<network<Width>>(1) + quantized_room(Width)];
  arena memory(scratch, sizeof(scratch));
  thread_pool pool(1);
  const sequence_rows sequence{nullptr, 0, 1, 0, 1};
  auto context = detail::make_context<K>(detail::rotary_list<>{}, {memory, pool}, {&sequence, 1}, 1);
  alignas(64) float x[Width], y[Width] = {};
  for (float& v : x) v = random.next_normal();

  constexpr int steps = 2000;
  double best = 1.0;
  for (int run = 0; run < 100; ++run)
    best = std::min(best, bench::seconds_of([&] {
                      for (int i = 0; i < steps; ++i) {
                        x[static_cast<std::size_t>(i) % Width] = y[0] * 1e-6f;  // each step waits for the one before
                        net.forward(context, const_rows<Width>(x, 1), rows<Width>{y, 1});
                      }
                    }));
  std::printf("{\"shape\": \"mlp 4 x %zu\", \"ns\": %.0f, \"multiply_adds_a_ns\": %.1f}\n", Width, best / steps * 1e9,
              4.0 * Width * Width / (best / steps * 1e9));
}

}  // namespace

int main() {
  measure<64>();
  measure<128>();
  measure<256>();
}
