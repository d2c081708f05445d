// SPDX-License-Identifier: Apache-2.0
// Looking at what a model's weight matrices are multiplied with as it runs.
#pragma once

#include "inlay/kernels/types.hpp"

namespace inlay {

/// Is shown every product of a forward pass: the matrix, and its inputs x.values [count, columns], in f32. Called on
/// the thread that runs the pass.
class product_observer {
 public:
  virtual void observe(const kernels::matrix_ref& weight, const kernels::activations& x) = 0;

 protected:
  product_observer() = default;
  product_observer(const product_observer&) = default;
  product_observer& operator=(const product_observer&) = default;
  ~product_observer() = default;
};

}  // namespace inlay
