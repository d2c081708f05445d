// SPDX-License-Identifier: Apache-2.0
// Elementwise formulas as types. `x * sigmoid(x)` on symbolic operands is an expression that every kernel policy
// evaluates with its own vectors: a layer's author writes arithmetic, never SIMD.
#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>

namespace inlay::formula {

struct node {};

/// The I-th input of a `K::map` call.
template <std::size_t I>
struct input : node {};
inline constexpr input<0> a{};
inline constexpr input<1> b{};
inline constexpr input<2> c{};
inline constexpr input<3> d{};

/// A number, fixed when the formula is built; it may be a run-time value.
struct constant : node {
  float value;
  constexpr explicit constant(float v) : value(v) {}
};

enum class unary : unsigned char {
  negate,
  absolute,
  square_root,
  exponential,
  logarithm,
  logarithm_1p,
  hyperbolic_tangent,
  error_function
};
enum class binary : unsigned char { add, subtract, multiply, divide, maximum, minimum };

template <unary Op, class A>
struct unary_node : node {
  A operand;
  constexpr explicit unary_node(A x) : operand(x) {}
};
template <binary Op, class A, class B>
struct binary_node : node {
  A left;
  B right;
  constexpr binary_node(A x, B y) : left(x), right(y) {}
};

template <class T>
concept formula = std::derived_from<T, node>;
template <class T>
concept term = formula<T> || std::is_arithmetic_v<T>;

namespace detail {
template <term T>
constexpr auto wrap(T value) {
  if constexpr (formula<T>)
    return value;
  else
    return constant(static_cast<float>(value));
}
template <binary Op, term A, term B>
constexpr auto join(A x, B y) {
  const auto left = wrap(x);
  const auto right = wrap(y);
  return binary_node<Op, std::remove_const_t<decltype(left)>, std::remove_const_t<decltype(right)>>(left, right);
}
}  // namespace detail

template <class A, class B>
concept terms = term<A> && term<B> && (formula<A> || formula<B>);

template <class A, class B>
  requires terms<A, B>
constexpr auto operator+(A x, B y) {
  return detail::join<binary::add>(x, y);
}
template <class A, class B>
  requires terms<A, B>
constexpr auto operator-(A x, B y) {
  return detail::join<binary::subtract>(x, y);
}
template <class A, class B>
  requires terms<A, B>
constexpr auto operator*(A x, B y) {
  return detail::join<binary::multiply>(x, y);
}
template <class A, class B>
  requires terms<A, B>
constexpr auto operator/(A x, B y) {
  return detail::join<binary::divide>(x, y);
}
template <class A, class B>
  requires terms<A, B>
constexpr auto max(A x, B y) {
  return detail::join<binary::maximum>(x, y);
}
template <class A, class B>
  requires terms<A, B>
constexpr auto min(A x, B y) {
  return detail::join<binary::minimum>(x, y);
}
template <formula A>
constexpr auto operator-(A x) {
  return unary_node<unary::negate, A>(x);
}
template <formula A>
constexpr auto abs(A x) {
  return unary_node<unary::absolute, A>(x);
}
template <formula A>
constexpr auto sqrt(A x) {
  return unary_node<unary::square_root, A>(x);
}
template <formula A>
constexpr auto exp(A x) {
  return unary_node<unary::exponential, A>(x);
}
/// Natural logarithm of a positive number.
template <formula A>
constexpr auto log(A x) {
  return unary_node<unary::logarithm, A>(x);
}
/// log(1 + x) of a number >= 0, exact for small ones too.
template <formula A>
constexpr auto log1p(A x) {
  return unary_node<unary::logarithm_1p, A>(x);
}
template <formula A>
constexpr auto tanh(A x) {
  return unary_node<unary::hyperbolic_tangent, A>(x);
}
template <formula A>
constexpr auto erf(A x) {
  return unary_node<unary::error_function, A>(x);
}

// What models are made of; one definition serves every policy.
template <formula A>
constexpr auto sigmoid(A x) {
  return 1.0f / (1.0f + exp(-x));
}
/// log(1 + e^x), without overflow.
template <formula A>
constexpr auto softplus(A x) {
  return max(x, 0.0f) + log1p(exp(-abs(x)));
}
template <formula A>
constexpr auto relu(A x) {
  return max(x, 0.0f);
}
template <formula A>
constexpr auto relu_squared(A x) {
  return relu(x) * relu(x);
}
template <formula A>
constexpr auto silu(A x) {
  return x / (1.0f + exp(-x));
}
template <formula A>
constexpr auto gelu_tanh(A x) {
  return 0.5f * x * (1.0f + tanh(0.7978845608028654f * (x + 0.044715f * x * x * x)));
}
template <formula A>
constexpr auto gelu_erf(A x) {
  return 0.5f * x * (1.0f + erf(0.7071067811865476f * x));
}

}  // namespace inlay::formula
