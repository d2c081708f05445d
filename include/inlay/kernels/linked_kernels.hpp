// SPDX-License-Identifier: Apache-2.0
// What kernels/linked.hpp declares: the dispatched kernels as one table. For the library inlay::runtime.
#pragma once

#include <cstddef>
#include <utility>

#include "inlay/config/macros.hpp"
#include "inlay/kernels/highway/dispatch.hpp"
#include "inlay/kernels/linked.hpp"

namespace inlay::kernels {

namespace detail {

template <class K, class F>
void map_erased(const void* f, std::size_t n, float* out, const float* const* in) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    K::map(*static_cast<const F*>(f), n, out, in[I]...);
  }(std::make_index_sequence<formula::input_count<F>>());
}

template <class K, class... F>
constexpr linked_kernel_table make_linked_table(formula_list<F...>) {
  return {table_of<K>, {&map_erased<K, F>...}, &formula::run<K>};
}
template <class K>
inline constexpr linked_kernel_table linked_table_of = make_linked_table<K>(linked_formulas());

}  // namespace detail

INLAY_DEFINITION const linked_kernel_table& linked_kernels() {
  static const linked_kernel_table* const selected = [] {
    const linked_kernel_table* table = nullptr;
    with_selected_target([&]<class K>(K) { table = &detail::linked_table_of<K>; });
    return table;
  }();
  return *selected;
}

}  // namespace inlay::kernels
