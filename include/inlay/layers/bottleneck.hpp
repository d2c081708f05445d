// SPDX-License-Identifier: Apache-2.0
// MobileBERT's block (Sun et al. 2020): the stream is narrowed, mixed and run through feed-forward layers at the
// narrow width, widened and added back. Queries and keys share a narrowing of their own; values come from the stream.
#pragma once

#include <cstddef>

#include "inlay/layers/context.hpp"
#include "inlay/layers/layer.hpp"
#include "inlay/layers/linear.hpp"
#include "inlay/layers/residual.hpp"
#include "inlay/layers/self_attention.hpp"

namespace inlay {

struct bottleneck_config {
  std::size_t width = 0;  ///< of the bottleneck
  std::size_t heads = 0;  ///< that divide it
};

namespace detail {

template <bottleneck_config Config, class Norm, std::size_t Width, class... Branches>
struct bottleneck_at {
  static constexpr std::size_t in = Width, out = Width, inner = Config.width;
  static_assert(Config.heads > 0 && inner % Config.heads == 0, "inlay: bottleneck: .heads must divide .width");
  using core = self_attention_core<self_attention_config{.heads = Config.heads, .head_dim = inner / Config.heads}>;
  template <std::size_t In, std::size_t Out>
  using projection = typename linear<Out, true>::template at<In>;
  using narrow_norm = bound<Norm, inner>;
  using block = block_at<inner, Branches...>;
  using state = typename block::state;

  projection<Width, inner> input, query_key, v;
  projection<inner, inner> q, k, o;
  projection<inner, Width> output;
  narrow_norm input_norm, query_key_norm, o_norm;
  bound<Norm, Width> output_norm;
  block rest;

  static constexpr auto children() {
    using self = bottleneck_at;
    return tuple{child{"input", &self::input},
                 child{"input_norm", &self::input_norm},
                 child{"query_key", &self::query_key},
                 child{"query_key_norm", &self::query_key_norm},
                 child{"attention.q", &self::q},
                 child{"attention.k", &self::k},
                 child{"attention.v", &self::v},
                 child{"attention.o", &self::o},
                 child{"attention.post_norm", &self::o_norm},
                 child{"", &self::rest},
                 child{"output", &self::output},
                 child{"output_norm", &self::output_norm}};
  }
  static constexpr std::size_t scratch_bytes(std::size_t rows) {
    const std::size_t narrow = 5 * float_bytes(rows * inner) + core::scratch_bytes(rows);
    return float_bytes(rows * inner) + std::max({narrow, inlay::scratch_bytes<block>(rows), float_bytes(rows * Width)});
  }

  /// h is read and added to.
  template <class Context>
  void apply(Context& ctx, state& s, rows<Width> h) const {
    const arena::frame frame(ctx.memory);
    const auto x = ctx.template take_rows<inner>(h.count);
    attend(ctx, h, x);
    rest.apply(ctx, s, x);
    const auto y = ctx.template take_rows<Width>(h.count);
    ctx.linear(const_rows<inner>(x), into(output.weight, output.bias, y));
    ctx.map(formula::a + formula::b, h, h, y);
    output_norm.forward(ctx, h, h);
  }

 private:
  /// x = norm(o(attention) + input) of the stream h.
  template <class Context>
  void attend(Context& ctx, const_rows<Width> h, rows<inner> x) const {
    const arena::frame frame(ctx.memory);
    const auto shared = ctx.template take_rows<inner>(h.count);
    const auto queries = ctx.template take_rows<inner>(h.count);
    const auto keys = ctx.template take_rows<inner>(h.count);
    const auto values = ctx.template take_rows<inner>(h.count);
    const auto mixed = ctx.template take_rows<inner>(h.count);
    ctx.linear(h, into(input.weight, input.bias, x), into(query_key.weight, query_key.bias, shared),
               into(v.weight, v.bias, values));
    input_norm.forward(ctx, x, x);
    query_key_norm.forward(ctx, shared, shared);
    ctx.linear(const_rows<inner>(shared), into(q.weight, q.bias, queries), into(k.weight, k.bias, keys));
    core::attend(ctx, queries, keys, values, mixed);
    ctx.linear(const_rows<inner>(mixed), into(o.weight, o.bias, shared));
    ctx.map(formula::a + formula::b, x, x, shared);
    o_norm.forward(ctx, x, x);
  }
};

}  // namespace detail

/// A block whose Branches (of the narrow stream) follow its attention.
template <bottleneck_config Config, class Norm, class... Branches>
struct bottleneck {
  template <std::size_t Width>
  using at = detail::bottleneck_at<Config, Norm, Width, Branches...>;
};

}  // namespace inlay
