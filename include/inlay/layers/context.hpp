// SPDX-License-Identifier: Apache-2.0
// What a layer's forward works with: the batch, scratch memory, threads and the kernel policy K. Layers call ctx's
// operations; those split the work over threads and hand the leaves to K. No result depends on the number of threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <tuple>
#include <utility>

#include "inlay/core/buffer.hpp"
#include "inlay/core/thread_pool.hpp"
#include "inlay/kernels/policy.hpp"
#include "inlay/layers/adaptation.hpp"
#include "inlay/layers/observer.hpp"
#include "inlay/layers/product.hpp"
#include "inlay/layers/rows.hpp"

namespace inlay {

/// Bytes that hold one activation row in any policy's quantized form.
constexpr std::size_t quantized_room(std::size_t columns) { return align_up(2 * columns + 64); }

/// Cosines and sines of the batch's positions for one kind of rotary embedding: [rows][pairs].
template <class Rotary>
struct rotation_table {
  float* cosines = nullptr;
  float* sines = nullptr;
  static constexpr std::size_t bytes(std::size_t rows) { return 2 * float_bytes(rows * Rotary::pairs); }
};

template <kernels::kernel_policy K, class... Rotaries>
class context {
 public:
  using kernel = K;

  arena& memory;  ///< scratch; take from it within an arena::frame
  thread_pool& pool;
  std::span<const sequence_rows> sequences;  ///< whose rows the batch holds, in order
  std::size_t row_count;                     ///< rows of the batch
  std::tuple<rotation_table<Rotaries>...> rotations;
  const adaptation* adapted = nullptr;   ///< low-rank changes of the weights; null: none
  product_observer* observer = nullptr;  ///< of all products; null: none
  std::size_t block = 0;                 ///< number of the block that is being run
  float* side = nullptr;                 ///< what a model's prelude computed for its blocks; its layout is theirs
  static constexpr std::size_t lent_slots = 4;
  void* lent[lent_slots] = {};  ///< states of the first sequence that layers lend to later ones

  template <class State>
  void lend(std::size_t slot, State& first) {
    INLAY_ASSERT(slot < lent_slots);
    lent[slot] = &first;
  }
  /// The state that was lent last under this number; the layer that lends comes first in the model.
  template <class State>
  State& borrow(std::size_t slot) const {
    INLAY_ASSERT(slot < lent_slots && lent[slot] != nullptr);
    return *static_cast<State*>(lent[slot]);
  }

  template <class Rotary>
  const rotation_table<Rotary>& rotation() const {
    return std::get<rotation_table<Rotary>>(rotations);
  }

  /// Scratch for the batch; freed by the enclosing arena::frame.
  template <std::size_t Width>
  rows<Width> take_rows(std::size_t count) {
    return {memory.take<float>(count * Width), count};
  }

  /// Scratch for as many rows as x has, of the same width.
  template <std::size_t Width>
  rows<Width> take_like(const_rows<Width> x) const {
    return {memory.take<float>(x.count * Width), x.count};
  }

  /// The state of every sequence of the batch, given that of the first: f(state, sequence_rows).
  template <class State, class F>
  void for_each_sequence(State& first, const F& f) const {
    const std::ptrdiff_t offset = reinterpret_cast<std::byte*>(&first) - sequences.front().state;
    for (const sequence_rows& s : sequences) f(*reinterpret_cast<State*>(s.state + offset), s);
  }

  /// Products of the same input: it is quantized once, and all of them are one piece of work for the threads.
  template <std::size_t Width, class... Products>
  void linear(const_rows<Width> x, const Products&... products) {
    const kernels::activations input{x.data, x.count, Width, Width, nullptr};
    if constexpr (sizeof...(Products) == 1) {
      linear(input, std::span<const product>(&products..., 1));
    } else {
      const product list[] = {products...};
      linear(input, std::span<const product>(list));
    }
  }

  /// The same for run-time shapes.
  void linear(kernels::activations x, std::span<const product> products) {
    if (x.count == 0) return;
    const arena::frame frame(memory);
    if (std::any_of(products.begin(), products.end(),
                    [](const product& p) { return !is_float(p.weight.type) && K::wants_quantized(p.weight.type); }))
      quantize(x);
    multiply_all(products.size(), [&](std::size_t i) { return input_and_output{x, products[i]}; });
    if (needs_values())
      for (const product& p : products) look_at(p, x);
  }

  /// Products whose inputs differ and are quantized already where their weights want it: one piece of work.
  void linear(std::span<const product_of> products) {
    multiply_all(products.size(), in(products));
    observe(products);
  }

  /// The same for products that were chosen by what was computed, so that another pass may have others in their place.
  /// `next`: those that follow them at once.
  void linear_chosen(std::span<const product_of> products, std::span<const product_of> next) {
    if (pool.size() > 1) {
      if (next.empty())
        pool.expect_as_before();
      else
        pool.expect(
            [&, cut = cuts(*this, next.size(), in(next))](std::size_t t) { return cut.first_read(in(next), t); });
    }
    multiply_all(products.size(), in(products), true);
    observe(products);
  }

  /// Whether inputs are asked for in f32 even where all weights want them quantized.
  bool needs_values() const { return adapted != nullptr || observer != nullptr; }

  /// Points x at its quantized form, in scratch: the form that suits products of x.count rows.
  void quantize(kernels::activations& x) { quantize(x, x.count); }
  /// The same for products of `rows` rows.
  void quantize(kernels::activations& x, std::size_t rows) {
    x.form = K::form_for(rows);
    const std::size_t bytes = K::quantized_row_bytes(x.columns);
    std::byte* const room = memory.take<std::byte>(x.count * bytes);
    for_rows(x.count, x.columns * sizeof(float), [&](std::size_t begin, std::size_t end) {
      kernels::activations part = x;
      part.values += begin * x.stride;
      part.count = end - begin;
      K::quantize_rows(part, room + begin * bytes);
    });
    x.quantized = room;
  }

  /// f(begin, end) for ranges of rows that together are [0, count), in parallel when it pays.
  template <class F>
  void for_rows(std::size_t count, std::size_t bytes_a_row, const F& f) {
    const std::size_t parts = std::min(count, pieces(count * bytes_a_row, worth_a_piece));
    if (parts == 1) return f(0, count);
    pool.run(parts, [&](std::size_t part) { f(count * part / parts, count * (part + 1) / parts); });
  }

  /// out = formula(a[, b ...]), elementwise.
  template <std::size_t Width, class F, class... Inputs>
  void map(F formula, rows<Width> out, Inputs... in) {
    for_rows(out.count, Width * sizeof(float) * 4, [&](std::size_t begin, std::size_t end) {
      K::map(formula, (end - begin) * Width, out[begin], static_cast<const float*>(in[begin])...);
    });
  }

 private:
  void observe(std::span<const product_of> products) {
    if (needs_values())
      for (const auto& [x, y] : products) look_at(y, x);
  }
  /// What is done with a product beside computing it.
  void look_at(const product& p, const kernels::activations& x) {
    if (adapted != nullptr) adapt(p, x);
    if (observer != nullptr && p.first_row == 0) observer->observe(p.weight, x);  // of parts one is enough
  }

  /// Adds the low-rank changes of a product's weight.
  INLAY_NOINLINE void adapt(const product& p, const kernels::activations& x) {
    const std::size_t first_panel = p.first_row / kernels::panel_rows;
    for (const low_rank_update& u : adapted->of(p.weight.data - first_panel * panel_bytes<K>(p.weight))) {
      const std::size_t rank = u.a.rows;
      kernels::matrix_ref b = u.b;
      b.data += first_panel * panel_bytes<K>(b);
      b.rows = p.weight.rows;
      for_rows(x.count, (u.a.columns + b.rows) * rank * sizeof(float), [&](std::size_t begin, std::size_t end) {
        const std::size_t count = end - begin;
        float* narrow = adapted->scratch + begin * adapted->stride;
        K::matmul(u.a, {x.values + begin * x.stride, count, x.columns, x.stride, nullptr}, narrow, adapted->stride, 0,
                  rank, false);
        for (std::size_t i = 0; i < count; ++i)
          K::map(formula::a * u.scale, rank, narrow + i * adapted->stride,
                 static_cast<const float*>(narrow + i * adapted->stride));
        K::matmul(b, {narrow, count, rank, adapted->stride, nullptr}, p.out + begin * p.stride, p.stride, 0, b.rows,
                  true);
      });
    }
  }

  struct input_and_output {
    const kernels::activations& x;
    const product& y;
  };
  static auto in(std::span<const product_of> products) {
    return [products](std::size_t i) { return input_and_output{products[i].x, products[i].y}; };
  }

  static std::size_t cost(const input_and_output& one) {
    return weight_bytes(one.y.weight) * std::max<std::size_t>(one.x.count / 4, 1);
  }

  /// How several products, laid end to end, are cut into parts.
  struct cuts {
    std::size_t count, total = 0, parts = 1, threads;

    template <class Each>
    cuts(const context& ctx, std::size_t products, const Each& each) : count(products), threads(ctx.pool.size()) {
      std::size_t most = 0;
      bool in_bf16 = false;
      for (std::size_t i = 0; i < count; ++i) {
        total += cost(each(i));
        most = std::max(most, each(i).x.count);
        in_bf16 = in_bf16 || each(i).x.form == kernels::activation_form::bf16;
      }
      // Products of one row read what they work on once: where they are cut makes no difference to them. Matrix units
      // have all activations go by for some rows of weights, and more for each time that they start.
      parts = most == 1 ? ctx.pieces(total, worth_a_piece / 4, 32) : ctx.pieces(total, worth_a_piece, in_bf16 ? 2 : 8);
    }
    std::size_t begin(std::size_t part) const { return total / parts * part + total % parts * part / parts; }

    /// What a thread reads first, as much of it as may be asked for while it waits.
    template <class Each>
    std::span<const std::byte> first_read(const Each& each, std::size_t thread) const {
      constexpr std::size_t most_ahead = 256 << 10;
      std::size_t at = begin(parts * thread / threads);
      for (std::size_t i = 0; i < count; at -= cost(each(i++)))
        if (const std::size_t all = cost(each(i)); at < all) {
          const kernels::matrix_ref& w = each(i).y.weight;
          return {w.data + panel_at(w, at, all) * panel_bytes<K>(w), std::min(total / threads, most_ahead)};
        }
      return {};
    }
    /// The thread whose last part it is; threads: none's.
    std::size_t last_of(std::size_t part) const {
      const std::size_t next = ((part + 1) * threads + parts - 1) / parts;
      return parts * next / threads == part + 1 ? next - 1 : threads;
    }
  };

  /// each(0) ... each(count - 1), as one piece of work. Unless they are `chosen`, they come again in every pass.
  template <class Each>
  void multiply_all(std::size_t count, const Each& each, bool chosen = false) {
    if (pool.size() == 1) {
      for (std::size_t i = 0; i < count; ++i) {
        const auto& [x, y] = each(i);
        multiply<K>(y, x, 0, y.weight.rows, i + 1 < count ? each(i + 1).y.weight.data : nullptr);
      }
      return;
    }
    const cuts cut(*this, count, each);
    const auto multiply_part = [&](std::size_t part) {
      stretch s{cut.begin(part), cut.begin(part + 1)};
      const std::size_t thread = cut.last_of(part);
      const std::byte* const then = thread < pool.size() ? pool.expected(thread).data() : nullptr;
      for (std::size_t i = 0; i < count && static_cast<std::ptrdiff_t>(s.end) > 0; ++i)
        multiply_stretch(each(i), s, i + 1 < count ? each(i + 1).y.weight.data : nullptr, then);
    };
    const auto reads = [&](std::size_t thread) { return cut.first_read(each, thread); };
    chosen ? pool.run(cut.parts, multiply_part) : pool.run(cut.parts, multiply_part, reads);
  }

  /// Into how many pieces a work that touches this many bytes is cut: up to so many a thread, to even out threads of
  /// unequal speed, few enough that handing them out costs nothing. Threads have equally many, so that they end
  /// together.
  std::size_t pieces(std::size_t bytes, std::size_t piece, std::size_t most = 8) const {
    constexpr std::size_t worth_a_fork = 16 << 10;
    if (pool.size() == 1 || bytes < worth_a_fork) return 1;
    return std::clamp<std::size_t>(bytes / piece / pool.size(), 1, most) * pool.size();
  }
  static constexpr std::size_t worth_a_piece = 256 << 10;

  /// The panel at which a product of this cost is cut. Kernels take two at a time if there are many rows.
  static std::size_t panel_at(const kernels::matrix_ref& w, std::size_t cost, std::size_t all) {
    if (static_cast<std::ptrdiff_t>(cost) <= 0) return 0;
    return cost >= all ? panels(w) : panels(w) * cost / all / 2 * 2;
  }

  /// A part of several products laid end to end. What lies before the next product is negative, and wraps around.
  struct stretch {
    std::size_t begin, end;
  };
  /// The part of a product that lies in s, in whole panels; then moves s to the next product, whose weights are at
  /// `next`. `then` is read behind s.
  static void multiply_stretch(const input_and_output& one, stretch& s, const std::byte* next, const std::byte* then) {
    const auto& [x, p] = one;
    const std::size_t length = cost(one);
    const std::size_t begin = panel_at(p.weight, s.begin, length) * kernels::panel_rows;
    const std::size_t end = std::min(panel_at(p.weight, s.end, length) * kernels::panel_rows, p.weight.rows);
    s.begin -= length;
    s.end -= length;
    if (begin >= end) return;
    const bool more = end == p.weight.rows && next != nullptr;
    multiply<K>(p, x, begin, end, more ? next : static_cast<std::ptrdiff_t>(s.end) <= 0 ? then : nullptr);
  }
};

}  // namespace inlay
