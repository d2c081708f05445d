// SPDX-License-Identifier: Apache-2.0
// Feed-forward layers of many rows work strip by strip, and some rows after the others: the same numbers as all at
// once, for any number of threads.
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <vector>

#include "inlay/kernels/default.hpp"
#include "inlay/kernels/pack.hpp"
#include "inlay/layers/mlp.hpp"
#include "inlay/models/rotaries.hpp"
#include "inlay/quant/quantize.hpp"

namespace {

using namespace inlay;
using K = kernels::standard;

constexpr std::size_t width = 64, inner = 1344;  // two strips, and one of 320
constexpr std::size_t count = 1024;
using inner_rows = detail::inner_rows<inner>;
static_assert(count > inner_rows::rows_at_once(width, 1) && count / 2 <= inner_rows::rows_at_once(width, 1));
static_assert(count / 2 * inner > inner_rows::few && count / 16 * inner <= inner_rows::few);

std::vector<float> numbers(std::size_t n, float phase) {
  std::vector<float> x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = std::sin(static_cast<float>(i) * 1.7f + phase) * 0.3f;
  return x;
}

/// A layer with made-up weights, packed as the kernels want them.
template <class Layer>
struct made_up {
  explicit made_up(dtype type) {
    float phase = 0.3f;
    const auto fill = [&]<class Tensor>(const std::string&, Tensor& t, const auto&) {
      const auto& values = floats.emplace_back(numbers(Tensor::count, phase += 0.7f));
      if constexpr (requires { t.ref; }) {
        const std::size_t row = row_bytes(type, Tensor::columns);
        std::vector<std::byte> file(Tensor::rows * row);
        for (std::size_t r = 0; r < Tensor::rows; ++r)
          quantize_row(type, values.data() + r * Tensor::columns, Tensor::columns, file.data() + r * row);
        t.ref = pack({file.data(), Tensor::rows, Tensor::columns, type, kernels::layout::rows});
      } else {
        t.data = values.data();
      }
    };
    for_each_parameter(layer, "", fill);
  }

  kernels::matrix_ref pack(const kernels::matrix_ref& file) {
    auto& packed =
        memory.emplace_back(*buffer::allocate(kernels::packed_bytes(K(), file.type, file.rows, file.columns)));
    return kernels::pack_matrix(K(), file, packed.data());
  }

  /// In batches of so many rows.
  std::vector<float> run(std::size_t batch, std::size_t threads, const adaptation* adapted = nullptr) const {
    const std::vector<float> x = numbers(count * width, 2.0f);
    std::vector<float> y(x.size());
    thread_pool pool(threads);
    const auto room = *buffer::allocate(scratch_bytes<Layer>(batch) + batch * quantized_room(inner));
    for (std::size_t i = 0; i < count; i += batch) {
      arena scratch(room.data(), room.size());
      auto ctx = detail::make_context<K>(detail::rotary_list<>{}, workspace{scratch, pool}, {}, batch);
      ctx.adapted = adapted;
      const rows<width> out{y.data() + i * width, batch};
      layer.forward(ctx, const_rows<width>(x.data() + i * width, batch), out);
      CHECK(scratch.highest() <= room.size());
      if (adapted != nullptr) continue;
      auto in_place = std::vector<float>(x.begin() + i * width, x.begin() + (i + batch) * width);
      layer.forward(ctx, const_rows<width>(in_place.data(), batch), rows<width>{in_place.data(), batch});
      CHECK(std::equal(in_place.begin(), in_place.end(), out.data));
    }
    return y;
  }

  Layer layer{};
  std::vector<std::vector<float>> floats;
  std::vector<std::vector<std::byte>> bytes;
  std::vector<buffer> memory;
};

template <class Layer>
void compare(dtype type, const auto& first_product) {
  CAPTURE(name(type));
  const made_up<Layer> m(type);
  const auto expected = m.run(count / 16, 1);
  CHECK(m.run(count / 2, 2) == expected);
  CHECK(m.run(count, 1) == expected);
  CHECK(m.run(count, 3) == expected);

  const auto a = numbers(2 * inner, 0.1f), b = numbers(inner * 2, 0.2f);
  const auto low_rank = [&](const kernels::matrix_ref& w) {
    const auto matrix = [](const std::vector<float>& v, std::size_t rows, std::size_t columns) {
      return kernels::matrix_ref{reinterpret_cast<const std::byte*>(v.data()), rows, columns, dtype::f32,
                                 kernels::layout::rows};
    };
    return low_rank_update{w.data, matrix(a, 2, w.columns), matrix(b, w.rows, 2), 0.5f};
  };
  std::vector<low_rank_update> updates = {low_rank(first_product(m.layer)), low_rank(m.layer.down.ref)};
  if (updates[1].weight < updates[0].weight) std::swap(updates[0], updates[1]);
  std::vector<float> narrow(count * 2);
  const adaptation adapted{updates, narrow.data(), 2};
  const auto changed = m.run(count / 16, 1, &adapted);
  CHECK(changed != expected);
  CHECK(m.run(count, 2, &adapted) == changed);
}

}  // namespace

TEST_CASE("feed-forward layers do not depend on strips") {
  for (const dtype type : {dtype::q8_0, dtype::q4_0, dtype::f16}) {
    using gated = bound<gated_mlp<inner, silu, true>, width>;
    compare<gated>(type, [](const gated& l) -> const kernels::matrix_ref& { return l.up.ref; });
    using plain = bound<mlp<inner, relu, true>, width>;
    compare<plain>(type, [](const plain& l) -> const kernels::matrix_ref& { return l.up.ref; });
  }
}
