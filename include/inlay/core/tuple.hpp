// SPDX-License-Identifier: Apache-2.0
// Values of several types in a row: the little that layers and models need of std::tuple, which at their number costs
// ten times as long to compile.
#pragma once

#include <cstddef>
#include <utility>

namespace inlay {

namespace detail {

template <std::size_t I, class T>
struct tuple_element {
  T value{};
};

template <class Indices, class... T>
struct tuple_base;
template <std::size_t... I, class... T>
struct tuple_base<std::index_sequence<I...>, T...> : tuple_element<I, T>... {
  constexpr tuple_base() = default;
  constexpr explicit tuple_base(const T&... values)
    requires(sizeof...(T) > 0)
      : tuple_element<I, T>{values}... {}

  /// f(values...)
  template <class F>
  constexpr decltype(auto) apply(const F& f) {
    return f(static_cast<tuple_element<I, T>*>(this)->value...);
  }
  template <class F>
  constexpr decltype(auto) apply(const F& f) const {
    return f(static_cast<const tuple_element<I, T>*>(this)->value...);
  }
};

}  // namespace detail

template <class... T>
struct tuple : detail::tuple_base<std::index_sequence_for<T...>, T...> {
  using detail::tuple_base<std::index_sequence_for<T...>, T...>::tuple_base;
};
template <class... T>
tuple(T...) -> tuple<T...>;

/// The I-th value.
template <std::size_t I, class T>
constexpr T& get(detail::tuple_element<I, T>& element) {
  return element.value;
}
template <std::size_t I, class T>
constexpr const T& get(const detail::tuple_element<I, T>& element) {
  return element.value;
}

}  // namespace inlay
