// SPDX-License-Identifier: Apache-2.0
// Matrix products of every storage type: with one activation row and a few against the memory's bandwidth (weights are
// read from memory, and what counts are their bytes in the file, not in panels), with many against the peak.
#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <string>
#include <vector>

#include "bench/kernels/report.hpp"
#include "bench/support/random.hpp"
#include "inlay/core/buffer.hpp"
#include "inlay/kernels/types.hpp"
#include "inlay/quant/quantize.hpp"

namespace inlay::bench {
namespace {

constexpr std::size_t columns = 2048, matrix_rows = 8192;
constexpr std::size_t memory_bytes = 512u << 20;
constexpr std::size_t most_rows = 512;

/// Matrices [matrix_rows, columns] that do not fit the caches. All repeat the same few panels of random weights.
struct weights {
  buffer data;
  std::vector<kernels::matrix_ref> matrices;
};

result<weights> make_weights(dtype type) {
  constexpr std::size_t panels = 16, rows = panels * kernels::panel_rows;
  const std::size_t row = row_bytes(type, columns);
  std::vector<std::byte> file(rows * row);
  std::vector<float> values(columns);
  random_bits random(static_cast<std::uint64_t>(type) + 1);
  for (std::size_t r = 0; r < rows; ++r) {
    for (float& v : values) v = 0.02f * random.next_normal();
    quantize_row(type, values.data(), columns, file.data() + r * row);
  }
  const std::size_t packed = K::panel_bytes(type, matrix_rows, columns);
  std::vector<std::byte> some(packed * panels);
  for (std::size_t p = 0; packed != 0 && p < panels; ++p) {
    const std::byte* pointers[kernels::panel_rows];
    for (std::size_t i = 0; i < kernels::panel_rows; ++i) pointers[i] = &file[(p * kernels::panel_rows + i) * row];
    K::pack_panel(type, pointers, kernels::panel_rows, columns, &some[p * packed]);
  }
  const std::vector<std::byte>& from = packed != 0 ? some : file;
  const std::size_t bytes = from.size() / rows * matrix_rows;
  const std::size_t count = std::max<std::size_t>(memory_bytes / bytes, 2);
  auto data = buffer::allocate(count * bytes);
  if (!data) return unexpected<error>(data.error());
  for (std::size_t at = 0; at < data->size(); at += from.size())
    std::memcpy(data->data() + at, from.data(), std::min(from.size(), data->size() - at));
  weights w{std::move(*data), {}};
  for (std::size_t i = 0; i < count; ++i)
    w.matrices.push_back({w.data.data() + i * bytes, matrix_rows, columns, type,
                          packed != 0 ? kernels::layout::panels : kernels::layout::rows});
  return w;
}

/// The product of each matrix with the same activations, in pieces as layers cut it.
void multiply(thread_pool& pool, std::span<const kernels::matrix_ref> matrices, const kernels::activations& x,
              float* out) {
  const std::size_t pieces = pool.size() == 1 ? 1 : 8 * pool.size();
  constexpr std::size_t panels = matrix_rows / kernels::panel_rows;
  for (const kernels::matrix_ref& w : matrices)
    pool.run(pieces, [&](std::size_t piece) {
      K::matmul(w, x, out, matrix_rows, panels * piece / pieces * kernels::panel_rows,
                panels * (piece + 1) / pieces * kernels::panel_rows, false);
    });
}

}  // namespace

void time_products(report& r) {
  std::vector<float> values(most_rows * columns);
  random_bits random(99);
  for (float& v : values) v = random.next_normal();
  std::vector<float> out(most_rows * matrix_rows);
  const auto quantized = buffer::allocate(most_rows * K::quantized_row_bytes(columns));
  if (!quantized) return;
  kernels::activations x{values.data(), most_rows, columns, columns, nullptr};
  K::quantize_rows(x, quantized->data());
  r.time("quantize_rows 64 x 2048", limit::copy, 64.0 * columns * (sizeof(float) + 1), [&] {
    auto some = x;
    some.count = 64;
    K::quantize_rows(some, quantized->data());
  });
  x.quantized = quantized->data();
  const auto take = [&](std::size_t count) {
    x.count = count;
    x.form = K::form_for(count);
    K::quantize_rows(x, quantized->data());
  };

  for (std::size_t t = 0; t < dtype_count; ++t) {
    const auto type = static_cast<dtype>(t);
    std::string label(name(type));
    for (char& c : label) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const auto row = [&](std::size_t count) { return "product " + label + " x " + std::to_string(count); };
    constexpr std::size_t few[] = {1, 2, 4, 8, 16};
    if (std::none_of(std::begin(few), std::end(few), [&](std::size_t n) { return r.wants(row(n)); }) &&
        !r.wants(row(most_rows)))
      continue;
    const auto w = make_weights(type);
    if (!w) {
      std::fprintf(stderr, "%s\n", w.error().message.c_str());
      return;
    }
    const double file_bytes = static_cast<double>(w->matrices.size() * matrix_rows * row_bytes(type, columns));
    for (const std::size_t n : few) {
      take(n);
      r.time(row(n), limit::read, file_bytes, [&] { multiply(r.pool, w->matrices, x, out.data()); });
    }
    take(most_rows);
    const limit bytes_or_bf16 = x.form == kernels::activation_form::bf16 ? limit::tile_ops : limit::byte_ops;
    r.time(row(most_rows), K::wants_quantized(type) ? bytes_or_bf16 : limit::float_ops,
           2.0 * most_rows * matrix_rows * columns,
           [&] { multiply(r.pool, std::span(w->matrices).first(1), x, out.data()); });
  }
}

}  // namespace inlay::bench
