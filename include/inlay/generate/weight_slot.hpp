// SPDX-License-Identifier: Apache-2.0
// A model's parameters without its type: what the loader fills.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "inlay/kernels/types.hpp"
#include "inlay/layers/parameter.hpp"

namespace inlay::detail {

enum class slot_kind : std::uint8_t { matrix, table, vector };

struct weight_slot {
  std::string path;
  slot_kind kind = slot_kind::matrix;
  std::size_t rows = 0;  ///< of one matrix; 1 for a vector
  std::size_t columns = 0;
  std::size_t stack = 1;  ///< matrices, one after another
  std::size_t head_dim = 0;
  std::size_t window = 0;  ///< of the attention that the parameter belongs to; 0: none
  bool shared = false;
  kernels::matrix_ref* matrix = nullptr;  ///< of a matrix, a table, or the first of a stack
  std::size_t* bytes_each = nullptr;      ///< of a stack
  const float** vector = nullptr;
};

template <class Layer, class Tensor>
constexpr std::size_t window_of(const parameter<Layer, Tensor>&) {
  if constexpr (requires { Layer::window; })
    return Layer::window;
  else
    return 0;
}

/// The slots point into `model`.
template <class Model>
std::vector<weight_slot> weight_slots(Model& model) {
  std::vector<weight_slot> slots;
  const auto add = [&]<class Tensor>(const std::string& path, Tensor& tensor, const auto& p) {
    weight_slot s;
    s.path = path;
    s.head_dim = p.head_dim;
    s.window = window_of(p);
    s.shared = p.shared;
    if constexpr (requires { tensor.data; }) {
      s.kind = slot_kind::vector;
      s.rows = 1;
      s.columns = Tensor::count;
      s.vector = &tensor.data;
    } else {
      s.rows = Tensor::rows;
      s.columns = Tensor::columns;
      if constexpr (requires { tensor.first; }) {
        s.stack = Tensor::size;
        s.matrix = &tensor.first;
        s.bytes_each = &tensor.bytes_each;
      } else {
        s.kind = std::is_same_v<Tensor, table<Tensor::rows, Tensor::columns>> ? slot_kind::table : slot_kind::matrix;
        s.matrix = &tensor.ref;
      }
    }
    slots.push_back(std::move(s));
  };
  for_each_parameter(model, "", add);
  return slots;
}

}  // namespace inlay::detail
