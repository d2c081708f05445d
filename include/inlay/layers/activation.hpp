// SPDX-License-Identifier: Apache-2.0
// Activation functions, as names for types to be composed of: `gated_mlp<1536, silu>`.
#pragma once

#include "inlay/kernels/formula.hpp"

namespace inlay {

struct silu {
  static constexpr auto of(formula::formula auto x) { return formula::silu(x); }
};
struct gelu_tanh {
  static constexpr auto of(formula::formula auto x) { return formula::gelu_tanh(x); }
};
struct gelu_erf {
  static constexpr auto of(formula::formula auto x) { return formula::gelu_erf(x); }
};
struct relu {
  static constexpr auto of(formula::formula auto x) { return formula::relu(x); }
};
struct relu_squared {
  static constexpr auto of(formula::formula auto x) { return formula::relu_squared(x); }
};

struct hyperbolic_tangent {
  static constexpr auto of(formula::formula auto x) { return formula::tanh(x); }
};

}  // namespace inlay
