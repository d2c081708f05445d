// SPDX-License-Identifier: Apache-2.0
// What a layer remembers of a sequence: a key/value cache, a recurrent state. A state is a small struct of pointers;
// the numbers live in one block that belongs to the sequence, and their size is a constant of the type and the options.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "inlay/core/buffer.hpp"
#include "inlay/core/dtype.hpp"
#include "inlay/core/tuple.hpp"

namespace inlay {

struct state_options {
  std::size_t context = 0;     ///< positions a sequence may have
  dtype kv_type = dtype::f16;  ///< storage of key/value caches
  std::size_t batch = 0;       ///< most rows of the sequence in one forward pass; 0: as many as its context
};

/// The state of a layer that has none, and the interface of all: bytes(options) are needed, place() takes them.
struct no_state {
  static constexpr std::size_t bytes(const state_options&) { return 0; }
  void place(arena&, const state_options&) {}
};

/// Keys and values of one attention layer: [kv_head][slot][head_dim], the slot of position p being p % capacity. With a
/// window it is a ring that holds no more than the window; one that is lent to later layers, which see it when the
/// whole batch is stored, has room for a batch beside.
template <std::size_t Heads, std::size_t HeadDim, std::size_t Window, bool Lent = false>
struct kv_cache {
  static constexpr std::size_t capacity(const state_options& o) {
    if (Window == 0) return o.context;
    const std::size_t batch = o.batch != 0 ? o.batch : o.context;
    return std::min(Lent ? Window + batch : Window, o.context);
  }
  static constexpr std::size_t bytes(const state_options& o) {
    return 2 * align_up(Heads * capacity(o) * row_bytes(o.kv_type, HeadDim));
  }
  void place(arena& memory, const state_options& o) {
    slots = capacity(o);
    type = o.kv_type;
    keys = memory.take<std::byte>(Heads * head_stride());
    values = memory.take<std::byte>(Heads * head_stride());
  }
  std::size_t row() const { return row_bytes(type, HeadDim); }  ///< bytes of one head at one position
  std::size_t head_stride() const { return slots * row(); }     ///< bytes

  std::byte* keys = nullptr;
  std::byte* values = nullptr;
  std::size_t slots = 0;
  dtype type = dtype::f32;
};

/// `Size` floats, zero where the sequence begins: the state of a recurrent layer.
template <std::size_t Size>
struct recurrent_state {
  static constexpr std::size_t bytes(const state_options&) { return float_bytes(Size); }
  void place(arena& memory, const state_options&) {
    values = memory.take<float>(Size);
    std::fill_n(values, Size, 0.0f);
  }

  float* values = nullptr;
};

/// The states of a composite layer's children.
template <class... States>
struct state_tuple {
  tuple<States...> each;
  static constexpr std::size_t bytes(const state_options& o) { return (std::size_t{0} + ... + States::bytes(o)); }
  void place(arena& memory, const state_options& o) {
    each.apply([&](auto&... s) { (s.place(memory, o), ...); });
  }
};
template <class State, std::size_t Count>
struct state_array {
  std::array<State, Count> each;
  static constexpr std::size_t bytes(const state_options& o) { return Count * State::bytes(o); }
  void place(arena& memory, const state_options& o) {
    for (State& s : each) s.place(memory, o);
  }
};

namespace detail {
template <class Layer>
struct layer_state {
  using type = no_state;
};
template <class Layer>
  requires requires { typename Layer::state; }
struct layer_state<Layer> {
  using type = typename Layer::state;
};
}  // namespace detail
template <class Layer>
using state_of = typename detail::layer_state<Layer>::type;

}  // namespace inlay
