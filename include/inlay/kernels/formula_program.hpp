// SPDX-License-Identifier: Apache-2.0
// A formula as data: its operations in postfix order, and its numbers. So a kernel policy that was compiled elsewhere
// can evaluate a formula whose type it has never seen.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "inlay/kernels/formula.hpp"

namespace inlay::formula {

struct program {
  /// 0 ... max_inputs - 1 push an input; then comes push_number, which pushes the next of `numbers`; then the unary
  /// operations and the binary ones, which take their operands from the stack.
  const std::uint8_t* code = nullptr;
  std::size_t size = 0;
  const float* numbers = nullptr;
  std::size_t number_count = 0;

  static constexpr std::size_t max_inputs = 16, max_numbers = 16, max_depth = 16;
  static constexpr std::uint8_t push_number = max_inputs;
  static constexpr std::uint8_t first_unary = push_number + 1;
  static constexpr std::uint8_t first_binary = first_unary + static_cast<std::uint8_t>(unary::error_function) + 1;
};

namespace detail {

/// What the type of a formula says of its program: how many inputs it reads, how many numbers it has, and the most that
/// is ever on the stack; write() appends the code, read() the numbers.
template <class F>
struct compiled;

template <std::size_t I>
struct compiled<input<I>> {
  static_assert(I < program::max_inputs);
  static constexpr std::size_t inputs = I + 1, size = 1, numbers = 0, depth = 1;
  static constexpr std::uint8_t* write(std::uint8_t* out) { return *out = I, out + 1; }
  static constexpr float* read(const input<I>&, float* out) { return out; }
};
template <>
struct compiled<constant> {
  static constexpr std::size_t inputs = 0, size = 1, numbers = 1, depth = 1;
  static constexpr std::uint8_t* write(std::uint8_t* out) { return *out = program::push_number, out + 1; }
  static constexpr float* read(const constant& c, float* out) { return *out = c.value, out + 1; }
};
template <unary Op, class A>
struct compiled<unary_node<Op, A>> {
  using operand = compiled<A>;
  static constexpr std::size_t inputs = operand::inputs, size = operand::size + 1, numbers = operand::numbers,
                               depth = operand::depth;
  static constexpr std::uint8_t* write(std::uint8_t* out) {
    out = operand::write(out);
    return *out = program::first_unary + static_cast<std::uint8_t>(Op), out + 1;
  }
  static constexpr float* read(const unary_node<Op, A>& f, float* out) { return operand::read(f.operand, out); }
};
template <binary Op, class A, class B>
struct compiled<binary_node<Op, A, B>> {
  using left = compiled<A>;
  using right = compiled<B>;
  static constexpr std::size_t inputs = std::max(left::inputs, right::inputs), size = left::size + right::size + 1,
                               numbers = left::numbers + right::numbers,
                               depth = std::max(left::depth, right::depth + 1);
  static constexpr std::uint8_t* write(std::uint8_t* out) {
    out = right::write(left::write(out));
    return *out = program::first_binary + static_cast<std::uint8_t>(Op), out + 1;
  }
  static constexpr float* read(const binary_node<Op, A, B>& f, float* out) {
    return right::read(f.right, left::read(f.left, out));
  }
};

template <class F>
inline constexpr auto code_of = [] {
  std::array<std::uint8_t, compiled<F>::size> code{};
  compiled<F>::write(code.data());
  return code;
}();

}  // namespace detail

/// How many inputs a formula reads.
template <formula F>
inline constexpr std::size_t input_count = detail::compiled<F>::inputs;

/// use(program) with the formula's program, which lives as long as the call.
template <formula F, class Use>
void with_program(const F& f, const Use& use) {
  using compiled = detail::compiled<F>;
  static_assert(compiled::numbers <= program::max_numbers && compiled::depth <= program::max_depth,
                "inlay: this formula is too long for the compiled runtime: at most 16 numbers, nested 16 deep");
  float numbers[compiled::numbers + 1];
  compiled::read(f, numbers);
  use(program{detail::code_of<F>.data(), compiled::size, numbers, compiled::numbers});
}

namespace detail {

template <class K>
void apply(unary op, std::size_t n, float* out, const float* x) {
  switch (op) {
    case unary::negate:
      return K::map(-a, n, out, x);
    case unary::absolute:
      return K::map(abs(a), n, out, x);
    case unary::square_root:
      return K::map(sqrt(a), n, out, x);
    case unary::exponential:
      return K::map(exp(a), n, out, x);
    case unary::logarithm:
      return K::map(log(a), n, out, x);
    case unary::logarithm_1p:
      return K::map(log1p(a), n, out, x);
    case unary::hyperbolic_tangent:
      return K::map(tanh(a), n, out, x);
    case unary::error_function:
      return K::map(erf(a), n, out, x);
  }
}
template <class K>
void apply(binary op, std::size_t n, float* out, const float* x, const float* y) {
  switch (op) {
    case binary::add:
      return K::map(a + b, n, out, x, y);
    case binary::subtract:
      return K::map(a - b, n, out, x, y);
    case binary::multiply:
      return K::map(a * b, n, out, x, y);
    case binary::divide:
      return K::map(a / b, n, out, x, y);
    case binary::maximum:
      return K::map(max(a, b), n, out, x, y);
    case binary::minimum:
      return K::map(min(a, b), n, out, x, y);
  }
}

}  // namespace detail

/// out[i] = the formula of in[0][i], in[1][i] ..., with the kernel policy K, one operation at a time on some hundred
/// elements. What becomes of an element does not depend on the others.
template <class K>
void run(const program& p, std::size_t n, float* out, const float* const* in) {
  constexpr std::size_t chunk = 256;
  alignas(64) float numbers[program::max_numbers][chunk];
  alignas(64) float results[program::max_depth][chunk];
  for (std::size_t i = 0; i < p.number_count; ++i) std::fill_n(numbers[i], std::min(n, chunk), p.numbers[i]);
  for (std::size_t begin = 0; begin < n; begin += chunk) {
    const std::size_t count = std::min(chunk, n - begin);
    const float* stack[program::max_depth];
    std::size_t depth = 0;
    std::size_t number = 0;
    for (std::size_t at = 0; at < p.size; ++at) {
      const std::uint8_t code = p.code[at];
      if (code < program::push_number) {
        stack[depth++] = in[code] + begin;
      } else if (code == program::push_number) {
        stack[depth++] = numbers[number++];
      } else if (code < program::first_binary) {
        detail::apply<K>(static_cast<unary>(code - program::first_unary), count, results[depth - 1], stack[depth - 1]);
        stack[depth - 1] = results[depth - 1];
      } else {
        --depth;
        detail::apply<K>(static_cast<binary>(code - program::first_binary), count, results[depth - 1], stack[depth - 1],
                         stack[depth]);
        stack[depth - 1] = results[depth - 1];
      }
    }
    std::copy_n(stack[0], count, out + begin);
  }
}

}  // namespace inlay::formula
