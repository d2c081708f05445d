// SPDX-License-Identifier: Apache-2.0
// Branches of the residual stream h, and blocks made of them. A branch reads h and adds to it:
//   residual<Norm, Layer>            h += layer(norm(h))                 pre-norm
//   sandwich<Norm, Layer>            h += post_norm(layer(norm(h)))      norms on both sides
//   post_norm<Norm, Layer>           h = norm(h + layer(h))              as the original Transformer
// and a block is a list of them, branches<...>.
#pragma once

#include <cstddef>
#include <utility>

#include "inlay/core/fixed_string.hpp"
#include "inlay/layers/context.hpp"
#include "inlay/layers/layer.hpp"
#include "inlay/layers/norm.hpp"

namespace inlay {

namespace detail {

/// The name under which a layer's parameters stand in its block.
template <class Spec>
constexpr std::string_view layer_name() {
  if constexpr (requires { Spec::name; })
    return Spec::name;
  else
    return "layer";
}

enum class norm_place : unsigned char { before, both, after };

template <norm_place Place, class Norm, class Spec, std::size_t Width>
struct branch_at {
  static constexpr std::size_t in = Width, out = Width;
  static constexpr bool pre = Place != norm_place::after;
  static constexpr bool post = Place != norm_place::before;
  using norm_layer = bound<Norm, Width>;
  using inner = bound<Spec, Width>;
  static_assert(layer_width_mismatch<inner, expects_width<Width>, gets_width<inner::out>>::checked);
  using state = state_of<inner>;
  static constexpr bool two_rows = pre && !works_in_place<inner>();  ///< the layer's input and its output

  [[no_unique_address]] std::conditional_t<pre, norm_layer, absent> norm;
  inner layer;
  [[no_unique_address]] std::conditional_t<post, norm_layer, absent> after;

  static constexpr auto children() {
    return tuple{child{"norm", &branch_at::norm}, child{"", &branch_at::layer}, child{"post_norm", &branch_at::after}};
  }
  static constexpr std::size_t scratch_bytes(std::size_t rows) {
    return (two_rows ? 2 : 1) * float_bytes(rows * Width) + inlay::scratch_bytes<inner>(rows);
  }

  /// h is read and added to.
  template <class Context>
  void apply(Context& ctx, state& s, rows<Width> h) const {
    const arena::frame frame(ctx.memory);
    const auto y = ctx.template take_rows<Width>(h.count);
    if constexpr (pre) {
      const auto x = two_rows ? ctx.template take_rows<Width>(h.count) : y;
      norm.forward(ctx, h, x);
      inlay::forward(layer, ctx, s, const_rows<Width>(x), y);
    } else {
      inlay::forward(layer, ctx, s, const_rows<Width>(h), y);
    }
    if constexpr (Place == norm_place::both) after.forward(ctx, y, y);
    ctx.map(formula::a + formula::b, h, h, y);
    if constexpr (Place == norm_place::after) after.forward(ctx, h, h);
  }
};

/// A branch under its layer's name, e.g. "attention.q.weight", "attention.norm.weight".
template <class Spec, std::size_t Width>
struct named_branch {
  static constexpr std::size_t in = Width, out = Width;
  using inner = bound<Spec, Width>;
  using state = state_of<inner>;
  inner branch;

  static constexpr auto children() { return tuple{child{layer_name<Spec>(), &named_branch::branch}}; }
};

template <std::size_t Width, class... Branches>
struct block_at {
  static constexpr std::size_t in = Width, out = Width;
  using state = state_tuple<state_of<bound<Branches, Width>>...>;
  tuple<named_branch<Branches, Width>...> each;

  using repeated = layer_list<times<named_branch<Branches, Width>, 1>...>;
  template <class Self, class F>
  static void for_each_child(Self& self, const F& f) {
    self.each.apply([&](auto&... b) { (f(std::string_view(), b), ...); });
  }
  static constexpr std::size_t scratch_bytes(std::size_t rows) {
    std::size_t most = 0;
    ((most = std::max(most, inlay::scratch_bytes<bound<Branches, Width>>(rows))), ...);
    return most;
  }

  template <class Context>
  void apply(Context& ctx, state& s, rows<Width> h) const {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (get<I>(each).branch.apply(ctx, get<I>(s.each), h), ...);
    }(std::index_sequence_for<Branches...>{});
  }
};

template <norm_place Place, class Norm, class Layer>
struct branch {
  static constexpr std::string_view name = layer_name<Layer>();
  template <std::size_t Width>
  using at = branch_at<Place, Norm, Layer, Width>;
};

}  // namespace detail

template <class Norm, class Layer>
struct residual : detail::branch<detail::norm_place::before, Norm, Layer> {};
template <class Norm, class Layer>
struct sandwich : detail::branch<detail::norm_place::both, Norm, Layer> {};
template <class Norm, class Layer>
struct post_norm : detail::branch<detail::norm_place::after, Norm, Layer> {};

/// A block: branches of the residual stream, one after another.
template <class... Branches>
struct branches {
  template <std::size_t Width>
  using at = detail::block_at<Width, Branches...>;
};

/// The usual decoder block: a mixer and a feed-forward layer, both pre-norm.
template <class Mixer, class Mlp, class Norm>
using residual_block = branches<residual<Norm, Mixer>, residual<Norm, Mlp>>;

/// A layer under another name, for two of a kind in one block.
template <fixed_string Name, class Layer>
struct named {
  static constexpr std::string_view name = Name;
  template <std::size_t Width>
  using at = bound<Layer, Width>;
};

}  // namespace inlay
