// SPDX-License-Identifier: Apache-2.0
// The kernels of rows, on data in the first-level cache, against a copy there: what counts is what they must read and
// write once. Each thread works on its own rows.
#include <string_view>
#include <vector>

#include "bench/kernels/report.hpp"
#include "bench/support/random.hpp"
#include "inlay/kernels/formula.hpp"

namespace inlay::bench {

void time_rows(report& r) {
  constexpr std::size_t n = 2048, calls = 256, arrays = 4;
  std::vector<float> all(r.pool.size() * arrays * n);
  random_bits random(3);
  for (float& v : all) v = random.next_normal();
  // Floats read and written, per number of a row.
  const auto row = [&](std::string_view name, double floats, const auto& f) {
    r.time(name, limit::copy, static_cast<double>(r.pool.size() * calls * n) * floats * sizeof(float), [&] {
      r.pool.run(r.pool.size(), [&](std::size_t thread) {
        float* x = all.data() + thread * arrays * n;
        for (std::size_t i = 0; i < calls; ++i) f(x, x + n, x + 2 * n, x + 3 * n);
      });
    });
  };
  using namespace formula;
  row("dot", 2, [](float* x, float* y, float*, float* out) { out[0] = K::dot(x, y, n); });
  row("rms_norm", 3, [](float* x, float* w, float*, float* out) { K::rms_norm(x, w, out, n, 1e-5f); });
  row("layer_norm", 4, [](float* x, float* w, float* c, float* out) { K::layer_norm(x, w, c, out, n, 1e-5f); });
  row("softmax", 2, [](float* x, float*, float*, float*) { K::softmax(x, n); });
  row("rope_half", 3, [](float* x, float* c, float* s, float*) {
    for (std::size_t h = 0; h < n / 64; ++h) K::rope_half(x + h * 64, c + h * 32, s + h * 32, 32, 32);
  });
  row("rope_interleaved", 3, [](float* x, float* c, float* s, float*) {
    for (std::size_t h = 0; h < n / 64; ++h) K::rope_interleaved(x + h * 64, c + h * 32, s + h * 32, 32);
  });
  row("map a + b", 3, [](float* x, float* y, float*, float* out) { K::map(a + b, n, out, x, y); });
  row("map silu(a) * b", 3, [](float* x, float* y, float*, float* out) { K::map(silu(a) * b, n, out, x, y); });
  row("map gelu_tanh(a) * b", 3,
      [](float* x, float* y, float*, float* out) { K::map(gelu_tanh(a) * b, n, out, x, y); });
  row("store f16", 1.5,
      [](float* x, float*, float*, float* out) { K::store(dtype::f16, x, n, reinterpret_cast<std::byte*>(out)); });
  row("store q8_0", 1.25,
      [](float* x, float*, float*, float* out) { K::store(dtype::q8_0, x, n, reinterpret_cast<std::byte*>(out)); });
}

}  // namespace inlay::bench
