// SPDX-License-Identifier: Apache-2.0
// A matrix product as layers ask for it, and the parts of it that threads compute.
#pragma once

#include <algorithm>
#include <cstddef>

#include "inlay/kernels/policy.hpp"
#include "inlay/layers/parameter.hpp"
#include "inlay/layers/rows.hpp"

namespace inlay {

/// One product of a linear group: out = (or +=) W x + bias.
struct product {
  kernels::matrix_ref weight;
  const float* bias = nullptr;
  float* out = nullptr;
  std::size_t stride = 0;  ///< floats between rows of out
  bool add = false;
  std::size_t first_row = 0;  ///< of the parameter, of which `weight` may be a part
};

/// A product with an input of its own.
struct product_of {
  kernels::activations x;
  product y;
};

/// y = W x.
template <std::size_t Out, std::size_t In>
product into(const matrix<Out, In>& w, rows<Out> y) {
  return {w.ref, nullptr, y.data, Out};
}
/// y = W x + b; b may be absent.
template <std::size_t Out, std::size_t In, class Bias>
product into(const matrix<Out, In>& w, const Bias& b, rows<Out> y) {
  product p = into(w, y);
  if constexpr (requires { b.data; }) p.bias = b.data;
  return p;
}

inline std::size_t panels(const kernels::matrix_ref& w) {
  return (w.rows + kernels::panel_rows - 1) / kernels::panel_rows;
}
/// Bytes from one panel of a matrix to the next.
template <kernels::kernel_policy K>
std::size_t panel_bytes(const kernels::matrix_ref& w) {
  return w.layout == kernels::layout::panels ? K::panel_bytes(w.type, kernels::panel_rows, w.columns)
                                             : kernels::panel_rows * row_bytes(w.type, w.columns);
}
/// Bytes of a matrix in its storage type.
inline std::size_t weight_bytes(const kernels::matrix_ref& w) { return w.rows * row_bytes(w.type, w.columns); }

/// The part of a product that computes its outputs [begin, end), with `begin` a multiple of kernels::panel_rows, into
/// rows of their own.
template <kernels::kernel_policy K>
product part_of(product p, std::size_t begin, std::size_t end, float* out) {
  p.weight.data += begin / kernels::panel_rows * panel_bytes<K>(p.weight);
  p.weight.rows = end - begin;
  if (p.bias != nullptr) p.bias += begin;
  p.out = out;
  p.stride = end - begin;
  p.first_row += begin;
  return p;
}

/// Outputs [begin, end) of p, whole panels of them, on this thread. `then` is read next; null: what follows these.
template <kernels::kernel_policy K>
void multiply(const product& p, const kernels::activations& x, std::size_t begin, std::size_t end,
              const std::byte* then) {
  kernels::matrix_ref w = p.weight;
  w.then = then;
  if (p.bias == nullptr) return K::matmul(w, x, p.out, p.stride, begin, end, p.add);
  for (std::size_t i = 0; i < x.count; ++i) {
    float* y = p.out + i * p.stride + begin;
    if (p.add)
      K::map(formula::a + formula::b, end - begin, y, y, p.bias + begin);
    else
      std::copy(p.bias + begin, p.bias + end, y);
  }
  K::matmul(w, x, p.out, p.stride, begin, end, true);
}

}  // namespace inlay
