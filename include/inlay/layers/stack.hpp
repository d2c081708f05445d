// SPDX-License-Identifier: Apache-2.0
// A stack of blocks, numbered from 0. `repeat<N, Blocks...>` is the list of blocks N times over, held as one type N
// times; it nests, so that mixed stacks read like their pattern: repeat<8, repeat<5, local_block>, global_block>.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include "inlay/core/fixed_string.hpp"
#include "inlay/layers/layer.hpp"

namespace inlay {

template <std::size_t Count, class... Blocks>
struct repeat {
  static_assert(sizeof...(Blocks) > 0, "inlay: repeat<N, Blocks...> needs a block");
};

/// Which block a letter of a pattern stands for.
template <char Letter, class Block>
struct kind {
  static constexpr char letter = Letter;
  using block = Block;
};
/// A stack written as a string, a letter a block: pattern<"M-M*", kind<'M', a>, kind<'-', b>, kind<'*', c>>.
template <fixed_string Letters, class... Kinds>
struct pattern {};

namespace detail {

template <std::size_t Width, class Element>
struct stack_element;

/// Some elements in a row.
template <std::size_t Width, class... Elements>
struct stack_at {
  static constexpr std::size_t in = Width, out = Width;
  static constexpr std::size_t block_count = (std::size_t{0} + ... + stack_element<Width, Elements>::block_count);
  using state = state_tuple<typename stack_element<Width, Elements>::state...>;
  using repeated = layer_list<times<stack_element<Width, Elements>, 1>...>;

  tuple<stack_element<Width, Elements>...> elements;

  template <class Self, class F>
  static void for_each_block(Self& self, std::size_t& index, const F& f) {
    self.elements.apply([&](auto&... e) { (std::remove_cvref_t<decltype(e)>::for_each_block(e, index, f), ...); });
  }
  template <class Self, class F>
  static void for_each_child(Self& self, const F& f) {
    std::size_t index = 0;
    for_each_block(self, index, f);
  }
  static constexpr std::size_t scratch_bytes(std::size_t rows) {
    std::size_t most = 0;
    ((most = std::max(most, stack_element<Width, Elements>::scratch_bytes(rows))), ...);
    return most;
  }
  template <class Context>
  void apply(Context& ctx, state& s, rows<Width> h) const {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (get<I>(elements).apply(ctx, get<I>(s.each), h), ...);
    }(std::index_sequence_for<Elements...>{});
  }
};

/// One block.
template <std::size_t Width, class Element>
struct stack_element {
  static constexpr std::size_t in = Width, out = Width;
  static constexpr std::size_t block_count = 1;
  using block = bound<Element, Width>;
  using state = state_of<block>;
  static constexpr auto children() { return tuple{child{"", &stack_element::one}}; }

  block one;

  template <class Self, class F>
  static void for_each_block(Self& self, std::size_t& index, const F& f) {
    f(std::to_string(index++), self.one);
  }
  static constexpr std::size_t scratch_bytes(std::size_t rows) { return inlay::scratch_bytes<block>(rows); }
  template <class Context>
  void apply(Context& ctx, state& s, rows<Width> h) const {
    one.apply(ctx, s, h);
    ++ctx.block;
  }
};

/// The same elements, Count times.
template <std::size_t Width, std::size_t Count, class... Elements>
struct stack_element<Width, repeat<Count, Elements...>> {
  static constexpr std::size_t in = Width, out = Width;
  using part = stack_at<Width, Elements...>;
  static constexpr std::size_t block_count = Count * part::block_count;
  using state = state_array<typename part::state, Count>;
  using repeated = layer_list<times<part, Count>>;

  std::array<part, Count> parts;

  template <class Self, class F>
  static void for_each_block(Self& self, std::size_t& index, const F& f) {
    for (auto& p : self.parts) part::for_each_block(p, index, f);
  }
  template <class Self, class F>
  static void for_each_child(Self& self, const F& f) {
    std::size_t index = 0;
    for_each_block(self, index, f);
  }
  static constexpr std::size_t scratch_bytes(std::size_t rows) { return part::scratch_bytes(rows); }
  template <class Context>
  void apply(Context& ctx, state& s, rows<Width> h) const {
    for (std::size_t i = 0; i < Count; ++i) parts[i].apply(ctx, s.each[i], h);
  }
};

template <char Letter, class... Kinds>
struct block_of_letter;
template <char Letter, class First, class... More>
struct block_of_letter<Letter, First, More...>
    : std::conditional_t<First::letter == Letter, std::type_identity<typename First::block>,
                         block_of_letter<Letter, More...>> {};
template <char Letter>
struct block_of_letter<Letter> {
  static_assert(Letter != Letter, "inlay: pattern: a letter of the string stands for no block");
};

template <std::size_t Width, class Indices, fixed_string Letters, class... Kinds>
struct pattern_stack;
template <std::size_t Width, std::size_t... I, fixed_string Letters, class... Kinds>
struct pattern_stack<Width, std::index_sequence<I...>, Letters, Kinds...> {
  using type = stack_at<Width, typename block_of_letter<Letters.text[I], Kinds...>::type...>;
};

template <std::size_t Width, fixed_string Letters, class... Kinds>
struct stack_element<Width, pattern<Letters, Kinds...>>
    : pattern_stack<Width, std::make_index_sequence<std::string_view(Letters).size()>, Letters, Kinds...>::type {};

}  // namespace detail
}  // namespace inlay
