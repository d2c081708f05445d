// SPDX-License-Identifier: Apache-2.0
// The layer concept. In a model's text a layer is a spec, e.g. gated_mlp<1536, silu>, that does not repeat the width of
// the stream it is put in. The composition binds it: `spec::at<576>` is the layer, a type with
//   static constexpr std::size_t in, out;          widths of its input and output rows
//   static constexpr auto parameters();            optional: inlay::tuple of inlay::parameter, for its members
//   static constexpr auto children();              optional: inlay::tuple of inlay::child
//   using state = ...;                             optional: what it remembers of a sequence (layers/state.hpp)
//   static constexpr std::size_t scratch_bytes(std::size_t rows);    optional: what it takes from ctx.memory
//   static constexpr bool in_place = true;         optional: its output rows may be its input rows
//   template <class Context> void forward(Context&, const_rows<in>, rows<out>) const;            without a state
//   template <class Context> void forward(Context&, state&, const_rows<in>, rows<out>) const;    with one
// A type without `at` is a layer of a fixed width. Other input and output rows never overlap. What forward takes from
// ctx.memory is given back when it returns. examples/custom_model shows a layer of one's own.
#pragma once

#include <concepts>
#include <cstddef>
#include <string_view>

#include "inlay/core/buffer.hpp"
#include "inlay/layers/parameter.hpp"
#include "inlay/layers/rows.hpp"
#include "inlay/layers/state.hpp"

namespace inlay {

template <class L>
concept layer = requires {
  { L::in } -> std::convertible_to<std::size_t>;
  { L::out } -> std::convertible_to<std::size_t>;
};

template <std::size_t Width>
struct expects_width;
template <std::size_t Width>
struct gets_width;

namespace detail {

template <class Spec, std::size_t Width>
struct bind_layer {
  using type = Spec;
};
template <class Spec, std::size_t Width>
  requires requires { typename Spec::template at<Width>; }
struct bind_layer<Spec, Width> {
  using type = typename Spec::template at<Width>;
};

/// Instantiated with the layer and both numbers, so that the compiler's message shows them.
template <class Layer, class Expected, class Given>
struct layer_width_mismatch {
  static_assert(sizeof(Layer*) == 0, "inlay: this layer does not fit the width of what it is given");
};
template <class Layer, std::size_t Width>
struct layer_width_mismatch<Layer, expects_width<Width>, gets_width<Width>> {
  static constexpr bool checked = true;
};

template <class Spec, std::size_t Width>
struct checked_layer {
  using type = typename bind_layer<Spec, Width>::type;
  static_assert(layer<type>, "inlay: not a layer: it has no `at<Width>` and no widths `in` and `out`");
  static_assert(layer_width_mismatch<type, expects_width<type::in>, gets_width<Width>>::checked);
};

}  // namespace detail

/// The layer that `Spec` is when its input has `Width` floats a row; an error that names the layer if it cannot be.
template <class Spec, std::size_t Width>
using bound = typename detail::checked_layer<Spec, Width>::type;

/// What a layer (and what is in it) takes from ctx.memory for a batch of `rows`.
template <class Layer>
constexpr std::size_t scratch_bytes(std::size_t rows) {
  if constexpr (requires { Layer::scratch_bytes(rows); })
    return Layer::scratch_bytes(rows);
  else
    return 0;
}

/// Whether a layer has read all of its input before it writes its output.
template <class Layer>
constexpr bool works_in_place() {
  if constexpr (requires { Layer::in_place; })
    return Layer::in_place;
  else
    return false;
}

/// Runs a layer whether or not it keeps a state, and gives back the scratch memory that it took.
template <layer Layer, class Context>
void forward(const Layer& l, Context& ctx, state_of<Layer>& s, const_rows<Layer::in> x, rows<Layer::out> y) {
  const arena::frame frame(ctx.memory);
  if constexpr (requires { l.forward(ctx, s, x, y); })
    l.forward(ctx, s, x, y);
  else
    l.forward(ctx, x, y);
}

}  // namespace inlay
