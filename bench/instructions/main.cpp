// SPDX-License-Identifier: Apache-2.0
// bench_instructions TYPE ROWS REPEATS: so often the product of four panels of weights with so many rows of
// activations, 512 columns each. count.py runs it with an emulator that tells how many instructions that takes.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/support/random.hpp"
#include "inlay/core/buffer.hpp"
#include "inlay/kernels/default.hpp"

namespace inlay::bench {
namespace {

using K = kernels::standard;
constexpr std::size_t columns = 512, weight_rows = 4 * kernels::panel_rows;

int run(dtype type, std::size_t rows, int repeats) {
  const std::size_t panel = K::panel_bytes(type, weight_rows, columns);
  if (panel == 0) {
    std::fprintf(stderr, "%s is not packed\n", std::string(name(type)).c_str());
    return 2;
  }
  // Any bits will do: what is executed does not depend on them.
  std::vector<std::uint64_t> weights(panel * weight_rows / kernels::panel_rows / sizeof(std::uint64_t));
  random_bits random(1);
  for (std::uint64_t& bits : weights) bits = random.next();
  std::vector<float> values(rows * columns, 1.0f), out(rows * weight_rows);
  const auto quantized = buffer::allocate(rows * K::quantized_row_bytes(columns));
  if (!quantized) return 1;
  kernels::activations x{values.data(), rows, columns, columns, nullptr};
  x.form = K::form_for(rows);
  K::quantize_rows(x, quantized->data());
  x.quantized = quantized->data();
  const kernels::matrix_ref w{reinterpret_cast<const std::byte*>(weights.data()), weight_rows, columns, type,
                              kernels::layout::panels};
  for (int i = 0; i < repeats; ++i) K::matmul(w, x, out.data(), weight_rows, 0, weight_rows, false);
  std::printf("%zu\n", weight_rows * columns * rows);  // multiply-adds each time
  return 0;
}

}  // namespace
}  // namespace inlay::bench

int main(int count, char** arguments) {
  using namespace inlay;
  if (count == 4)
    for (std::size_t t = 0; t < dtype_count; ++t)
      if (name(static_cast<dtype>(t)) == arguments[1])
        return bench::run(static_cast<dtype>(t), std::strtoul(arguments[2], nullptr, 10), std::atoi(arguments[3]));
  std::fprintf(stderr, "usage: %s TYPE ROWS REPEATS\n", arguments[0]);
  return 2;
}
