// SPDX-License-Identifier: Apache-2.0
// A causal language model as a type: embedding, a stack of blocks, a final norm and a head.
//
//   using my_model = causal_lm<{.vocab = 49152, .width = 576}, repeat<30, my_block>, rms_norm<>, tied_head>;
//
// The width is stated once; every layer is bound to it (layers/layer.hpp). What the type knows: parameter_count,
// kv_cache_bytes(context), state_bytes(options), mark_bytes(options), scratch_bytes(rows).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include "inlay/layers/context.hpp"
#include "inlay/layers/layer.hpp"
#include "inlay/layers/norm.hpp"
#include "inlay/layers/residual.hpp"
#include "inlay/layers/stack.hpp"
#include "inlay/models/batch.hpp"
#include "inlay/models/rotaries.hpp"
#include "inlay/quant/codec.hpp"

namespace inlay {

struct lm_config {
  std::size_t vocab = 0;
  std::size_t width = 0;         ///< of the residual stream
  float embedding_scale = 1.0f;  ///< embeddings are multiplied by this
  float logit_soft_cap = 0.0f;   ///< logits become cap * tanh(logit / cap); 0: not capped
};

/// The head is the embedding, transposed.
struct tied_head {};
/// The head has weights of its own.
struct own_head {};

namespace detail {

template <lm_config Config>
struct token_embedding {
  static constexpr std::size_t in = 1, out = Config.width;
  table<Config.vocab, Config.width> weight;

  static constexpr auto parameters() { return tuple{parameter{"weight", &token_embedding::weight}}; }

  template <class Context>
  void look_up(Context& ctx, std::span<const std::int32_t> tokens, rows<Config.width> h, fetch_row fetch) const {
    const std::size_t bytes = row_bytes(weight.ref.type, Config.width);
    const arena::frame frame(ctx.memory);
    const auto room = ctx.template take_rows<Config.width>(h.count);
    ctx.for_rows(h.count, 8 * Config.width, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        const std::byte* row = weight.ref.data + static_cast<std::size_t>(tokens[i]) * bytes;
        if (fetch) row = fetch({row, bytes}, reinterpret_cast<std::byte*>(room[i]));
        dequantize_row(weight.ref.type, row, Config.width, h[i]);
        if constexpr (Config.embedding_scale != 1.0f)
          Context::kernel::map(formula::a * Config.embedding_scale, Config.width, h[i],
                               static_cast<const float*>(h[i]));
      }
    });
  }
};

template <lm_config Config, class Head>
struct lm_head {
  static constexpr bool tied = std::is_same_v<Head, tied_head>;
  static_assert(tied || std::is_same_v<Head, own_head>, "inlay: the last part of causal_lm is tied_head or own_head");
  static constexpr std::size_t in = Config.width, out = Config.vocab;
  matrix<Config.vocab, Config.width> weight;

  static constexpr auto parameters() { return tuple{parameter{"weight", &lm_head::weight, 0, tied}}; }

  template <class Context>
  void forward(Context& ctx, const_rows<in> x, rows<out> logits) const {
    ctx.linear(x, into(weight, logits));
    if constexpr (Config.logit_soft_cap != 0.0f)
      ctx.map(Config.logit_soft_cap * formula::tanh(formula::a * (1.0f / Config.logit_soft_cap)), logits, logits);
  }
};

/// A part that stands before the blocks and computes what they read of each token beside h: a layer with
/// `prepare(ctx, tokens, h)`, which fills ctx.side, and `side_bytes(rows)`, the memory that takes as long as the pass.
template <class Part>
concept prelude = requires { Part::is_prelude; };
struct no_prelude {};

/// The parts of a model in their order: a prelude if there is one, blocks ..., norm, head.
template <std::size_t Width, class Indices, class... Parts>
struct split_parts;
template <std::size_t Width, std::size_t... I, class... Parts>
struct split_parts<Width, std::index_sequence<I...>, Parts...> {
  using list = std::tuple<Parts...>;
  using first = std::tuple_element_t<0, list>;
  static constexpr std::size_t skipped = prelude<first> ? 1 : 0;
  using prelude_spec = std::conditional_t<prelude<first>, first, no_prelude>;
  template <std::size_t... J>
  static stack_at<Width, std::tuple_element_t<J + skipped, list>...> make_stack(std::index_sequence<J...>);
  using stack = decltype(make_stack(std::make_index_sequence<sizeof...(I) - skipped>{}));
  using norm = std::tuple_element_t<sizeof...(Parts) - 2, list>;
  using head = std::tuple_element_t<sizeof...(Parts) - 1, list>;
};

}  // namespace detail

template <lm_config Config, class... Parts>
struct causal_lm {
  static_assert(sizeof...(Parts) >= 3, "inlay: causal_lm<config, blocks ..., norm, head>");
  static_assert(Config.vocab > 0 && Config.width > 0, "inlay: causal_lm needs .vocab and .width");
  static constexpr lm_config config = Config;
  static constexpr std::size_t vocab = Config.vocab, width = Config.width;
  using parts = detail::split_parts<width, std::make_index_sequence<sizeof...(Parts) - 2>, Parts...>;
  using stack_type = typename parts::stack;
  static constexpr bool has_prelude = parts::skipped != 0;
  using prelude_type = typename std::conditional_t<has_prelude, detail::bind_layer<typename parts::prelude_spec, width>,
                                                   std::type_identity<absent>>::type;
  using norm_type = bound<typename parts::norm, width>;
  using head_type = detail::lm_head<Config, typename parts::head>;
  using state = typename stack_type::state;
  using rotaries = detail::rotaries_of<stack_type>;
  static constexpr std::size_t block_count = stack_type::block_count;

  detail::token_embedding<Config> embedding;
  [[no_unique_address]] prelude_type side;
  stack_type blocks;
  norm_type norm;
  head_type head;
  detail::frequencies_of<rotaries> frequencies = detail::make_frequencies(rotaries{});

  static constexpr auto children() {
    return tuple{child{"embedding", &causal_lm::embedding}, child{"side", &causal_lm::side},
                 child{"blocks", &causal_lm::blocks}, child{"norm", &causal_lm::norm}, child{"head", &causal_lm::head}};
  }

  static constexpr std::size_t parameter_count = detail::count_parameters<causal_lm>();

  /// Bytes of one sequence's state, caches and recurrent states, without the state object itself.
  static constexpr std::size_t state_bytes(const state_options& options) { return state::bytes(options); }
  /// Whether keys and values can be of this type: one of cache_types, with heads of whole blocks.
  static constexpr bool stores(dtype kv_type) { return state::stores(kv_type); }
  /// Bytes of a copy of what does not outlast the next positions: recurrent states and windows.
  static constexpr std::size_t mark_bytes(const state_options& options) { return state::mark_bytes(options); }
  /// Bytes of one sequence's caches and recurrent states for this many positions.
  static constexpr std::size_t kv_cache_bytes(std::size_t context, dtype kv_type = dtype::f16) {
    return state_bytes({context, kv_type});
  }
  /// Bytes of workspace memory that a batch of this many rows needs, its logits aside.
  static constexpr std::size_t scratch_bytes(std::size_t rows) {
    constexpr std::size_t widest = std::max(detail::widest_input<stack_type>(), width);
    std::size_t side_bytes = 0;
    if constexpr (has_prelude) side_bytes = prelude_type::side_bytes(rows);
    return side_bytes + 3 * float_bytes(rows * width) + align_up(rows * quantized_room(widest)) +
           detail::rotation_bytes(rotaries{}, rows) + inlay::scratch_bytes<stack_type>(rows);
  }

  template <class K>
  void forward(const batch& b, workspace w) const {
    const arena::frame frame(w.memory);
    const std::size_t count = b.tokens.size();
    auto ctx = detail::make_context<K>(rotaries{}, w, b.sequences, count);
    ctx.adapted = b.adapted;
    ctx.observer = b.observer;
    detail::fill_rotations(ctx, frequencies);
    const auto h = ctx.template take_rows<width>(count);
    embedding.look_up(ctx, b.tokens, h, b.fetch);
    if constexpr (has_prelude) side.prepare(ctx, b.tokens, h);
    blocks.apply(ctx, *reinterpret_cast<state*>(b.sequences.front().state), h);
    if (b.wanted.empty()) return;
    const auto last = ctx.template take_rows<width>(b.wanted.size());
    for (std::size_t i = 0; i < b.wanted.size(); ++i) std::copy_n(h[b.wanted[i]], width, last[i]);
    const auto normed = ctx.template take_rows<width>(b.wanted.size());
    norm.forward(ctx, last, normed);
    head.forward(ctx, normed, rows<vocab>{b.logits, b.wanted.size()});
  }
};

}  // namespace inlay
