// SPDX-License-Identifier: Apache-2.0
// The kernel policy of programs that are linked with inlay::runtime (INLAY_LINKED): the kernels of that library, which
// dispatches at run time as dispatched does. Cheap to include; the definitions are in linked_kernels.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <type_traits>

#include "inlay/kernels/formula_program.hpp"
#include "inlay/kernels/policy.hpp"
#include "inlay/kernels/table.hpp"

namespace inlay::kernels {

namespace detail {

template <class... F>
struct formula_list {
  static constexpr std::size_t size = sizeof...(F);
  /// The place of a formula's type in the list; size: it is not there.
  template <class Formula>
  static constexpr std::size_t find() {
    std::size_t at = 0;
    static_cast<void>(((std::is_same_v<F, Formula> || (++at, false)) || ...));
    return at;
  }
};

/// What models are made of, compiled as in a model's own translation unit. All other formulas run as programs.
using linked_formulas = decltype([] {
  using formula::a, formula::b;
  constexpr formula::constant number(0.0f);
  return []<class... F>(F...) {
    return formula_list<F...>();
  }(a + b, a * b, a + number * b, a * number, number * a, number * formula::tanh(a * number), formula::sigmoid(a),
         formula::silu(a), formula::gelu_tanh(a), formula::gelu_erf(a), formula::relu(a), formula::relu_squared(a),
         formula::silu(a) * b, formula::gelu_tanh(a) * b, formula::gelu_erf(a) * b, formula::relu(a) * b,
         formula::relu_squared(a) * b, a * formula::sigmoid(b));
}());

}  // namespace detail

struct linked_kernel_table : kernel_table {
  /// `f` is a formula of the type at this place in linked_formulas, or the program of any formula.
  using map_function = void (*)(const void* f, std::size_t n, float* out, const float* const* in);
  std::array<map_function, detail::linked_formulas::size> maps;
  void (*run)(const formula::program&, std::size_t n, float* out, const float* const* in);
};

/// The kernels of the target that was selected for this process (selected_target() in highway/dispatch.hpp).
const linked_kernel_table& linked_kernels();

struct linked : through_table<linked> {
  template <formula::formula F, class... More>
  static void map(F f, std::size_t n, float* out, const float* first, const More*... more) {
    static_assert(formula::input_count<F> <= 1 + sizeof...(More), "inlay: the formula has more inputs than the call");
    const float* const in[] = {first, more...};
    constexpr std::size_t place = detail::linked_formulas::find<F>();
    if constexpr (place < detail::linked_formulas::size)
      linked_kernels().maps[place](&f, n, out, in);
    else
      formula::with_program(f, [&](const formula::program& p) { linked_kernels().run(p, n, out, in); });
  }
  static const kernel_table& table() { return linked_kernels(); }
};
static_assert(kernel_policy<linked>);

}  // namespace inlay::kernels
