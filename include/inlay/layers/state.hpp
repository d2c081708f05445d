// SPDX-License-Identifier: Apache-2.0
// What a layer remembers of a sequence: a key/value cache, a recurrent state. A state is a small struct of pointers;
// the numbers live in one block that belongs to the sequence, and their size is a constant of the type and the options.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "inlay/core/buffer.hpp"
#include "inlay/core/dtype.hpp"
#include "inlay/core/error.hpp"
#include "inlay/core/tuple.hpp"

namespace inlay {

struct state_options {
  std::size_t context = 0;     ///< positions a sequence may have
  dtype kv_type = dtype::f16;  ///< storage of key/value caches
  std::size_t batch = 0;       ///< most rows of the sequence in one forward pass; 0: as many as its context
  std::size_t rewind = 0;      ///< by how many positions caches of windows can be rewound at any time
};

/// Which parts of a state are meant.
enum class state_parts : unsigned char {
  all,          ///< all that the next position depends on
  overwritten,  ///< those of them that do not outlast the positions that follow
};

/// What became of a sequence: tells how far its state can be rewound.
struct sequence_past {
  std::size_t position = 0;  ///< of the next token
  std::size_t furthest = 0;  ///< the most it has been since the sequence began or was restored
  std::size_t restored = 0;  ///< where it was restored from a copy; 0: it was not
};

/// What the states of a model are, layer by layer, as a text: equal neighbours are counted.
class state_layout {
 public:
  void add(std::string_view state) {
    if (state == last_) {
      ++count_;
      return;
    }
    flush();
    last_ = state;
    count_ = 1;
  }
  /// E.g. "3x recurrent 262144, kv 2x256"; ends the text.
  std::string text() && {
    flush();
    return std::move(text_);
  }

 private:
  void flush() {
    if (count_ == 0) return;
    if (!text_.empty()) text_ += ", ";
    text_ += count_ == 1 ? last_ : concat(count_, "x ", last_);
    count_ = 0;
  }
  std::string text_;
  std::string last_;
  std::size_t count_ = 0;
};

/// The state of a layer that has none, and the interface of all:
///   bytes(options)                          are needed; place() takes them and begins a sequence
///   stores(kv_type)                         whether its keys and values, if it has any, can be of this type
///   mark_bytes(options)                     the most that the parts of state_parts::overwritten are
///   for_each_part(position, which, f)       f(data, bytes) for the parts of a state whose next position this is; the
///                                           bytes in their order depend on nothing but the cache type
///   earliest(past)                          the least position that it can be rewound to, i.e. used for from then on
///   describe(layout)                        adds what it is
struct no_state {
  static constexpr std::size_t bytes(const state_options&) { return 0; }
  static constexpr bool stores(dtype) { return true; }
  static constexpr std::size_t mark_bytes(const state_options&) { return 0; }
  void place(arena&, const state_options&) {}
  template <class F>
  void for_each_part(std::size_t, state_parts, const F&) const {}
  static std::size_t earliest(const sequence_past&) { return 0; }
  static void describe(state_layout&) {}
};

/// Keys and values of one attention layer: [kv_head][slot][head_dim], the slot of position p being p % capacity. With a
/// window it is a ring that holds no more than the window and what it can be rewound by; one that is lent to later
/// layers, which see it when the whole batch is stored, has room for a batch beside.
template <std::size_t Heads, std::size_t HeadDim, std::size_t Window, bool Lent = false>
struct kv_cache {
  static constexpr std::size_t capacity(const state_options& o) {
    if (Window == 0) return o.context;
    const std::size_t batch = o.batch != 0 ? o.batch : o.context;
    return std::min(Window + o.rewind + (Lent ? batch : 0), o.context);
  }
  static constexpr std::size_t bytes(const state_options& o) {
    return 2 * align_up(Heads * capacity(o) * row_bytes(o.kv_type, HeadDim));
  }
  static constexpr bool stores(dtype kv_type) {
    return is_cache_type(kv_type) && HeadDim % geometry(kv_type).weights == 0;
  }
  static constexpr std::size_t mark_bytes(const state_options& o) {
    return Window == 0 ? 0 : 2 * Heads * std::min(Window - 1, o.context) * row_bytes(o.kv_type, HeadDim);
  }
  void place(arena& memory, const state_options& o) {
    slots = capacity(o);
    type = o.kv_type;
    keys = memory.take<std::byte>(Heads * head_stride());
    values = memory.take<std::byte>(Heads * head_stride());
  }
  std::size_t row() const { return row_bytes(type, HeadDim); }  ///< bytes of one head at one position
  std::size_t head_stride() const { return slots * row(); }     ///< bytes

  /// Head by head, the oldest position first.
  template <class F>
  void for_each_part(std::size_t position, state_parts which, const F& f) const {
    if (Window == 0 && which == state_parts::overwritten) return;
    const std::size_t oldest = Window == 0 ? 0 : position - std::min(position, Window - 1);
    for (std::byte* side : {keys, values})
      for (std::size_t h = 0; h < Heads; ++h)
        for (std::size_t p = oldest; p < position;) {
          const std::size_t slot = p % slots;
          const std::size_t count = std::min(slots - slot, position - p);
          f(side + h * head_stride() + slot * row(), count * row());
          p += count;
        }
  }
  std::size_t earliest(const sequence_past& past) const {
    if (Window == 0) return 0;
    const std::size_t in_ring = past.furthest <= slots ? 0 : past.furthest - slots + Window - 1;
    return std::max(in_ring, past.restored < Window ? 0 : past.restored);
  }
  static void describe(state_layout& layout) {
    layout.add(Window == 0 ? concat("kv ", Heads, "x", HeadDim) : concat("kv ", Heads, "x", HeadDim, " of ", Window));
  }

  std::byte* keys = nullptr;
  std::byte* values = nullptr;
  std::size_t slots = 0;
  dtype type = dtype::f32;
};

/// `Size` floats, zero where the sequence begins: the state of a recurrent layer.
template <std::size_t Size>
struct recurrent_state {
  static constexpr std::size_t bytes(const state_options&) { return float_bytes(Size); }
  static constexpr bool stores(dtype) { return true; }
  static constexpr std::size_t mark_bytes(const state_options&) { return Size * sizeof(float); }
  void place(arena& memory, const state_options&) {
    values = memory.take<float>(Size);
    std::fill_n(values, Size, 0.0f);
  }
  template <class F>
  void for_each_part(std::size_t, state_parts, const F& f) const {
    f(reinterpret_cast<std::byte*>(values), Size * sizeof(float));
  }
  static std::size_t earliest(const sequence_past& past) { return past.position; }
  static void describe(state_layout& layout) { layout.add(concat("recurrent ", Size)); }

  float* values = nullptr;
};

/// The states of a composite layer's children.
template <class... States>
struct state_tuple {
  tuple<States...> each;
  static constexpr std::size_t bytes(const state_options& o) { return (std::size_t{0} + ... + States::bytes(o)); }
  static constexpr bool stores(dtype kv_type) { return (... && States::stores(kv_type)); }
  void place(arena& memory, const state_options& o) {
    each.apply([&](auto&... s) { (s.place(memory, o), ...); });
  }
  static constexpr std::size_t mark_bytes(const state_options& o) {
    return (std::size_t{0} + ... + States::mark_bytes(o));
  }
  template <class F>
  void for_each_part(std::size_t position, state_parts which, const F& f) const {
    each.apply([&](const auto&... s) { (s.for_each_part(position, which, f), ...); });
  }
  std::size_t earliest(const sequence_past& past) const {
    std::size_t latest = 0;
    each.apply([&](const auto&... s) { ((latest = std::max(latest, s.earliest(past))), ...); });
    return latest;
  }
  static void describe(state_layout& layout) { (States::describe(layout), ...); }
};
template <class State, std::size_t Count>
struct state_array {
  std::array<State, Count> each;
  static constexpr std::size_t bytes(const state_options& o) { return Count * State::bytes(o); }
  static constexpr bool stores(dtype kv_type) { return State::stores(kv_type); }
  void place(arena& memory, const state_options& o) {
    for (State& s : each) s.place(memory, o);
  }
  static constexpr std::size_t mark_bytes(const state_options& o) { return Count * State::mark_bytes(o); }
  template <class F>
  void for_each_part(std::size_t position, state_parts which, const F& f) const {
    for (const State& s : each) s.for_each_part(position, which, f);
  }
  std::size_t earliest(const sequence_past& past) const {
    std::size_t latest = 0;
    for (const State& s : each) latest = std::max(latest, s.earliest(past));
    return latest;
  }
  static void describe(state_layout& layout) {
    for (std::size_t i = 0; i < Count; ++i) State::describe(layout);
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
