// SPDX-License-Identifier: Apache-2.0
// An encoder as a type: embedding, a stack of blocks, a pooling, and the layers behind it.
//
//   using my_embedder = encoder<{.width = 384}, absolute_embedding<{...}, layer_norm<>>, repeat<6, my_block>,
//                               mean_pooling, unit_length>;
//   using my_classifier = encoder<{.width = 768}, ..., first_token, named<"classifier", linear<3, true>>>;
//
// Nothing is remembered between passes. What the type knows: parameter_count, scratch_bytes(rows).
#pragma once

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <utility>

#include "inlay/layers/chain.hpp"
#include "inlay/layers/context.hpp"
#include "inlay/layers/layer.hpp"
#include "inlay/layers/pooling.hpp"
#include "inlay/layers/stack.hpp"
#include "inlay/models/encoder_batch.hpp"
#include "inlay/models/rotaries.hpp"

namespace inlay {

struct encoder_config {
  std::size_t width = 0;  ///< of the residual stream
};

namespace detail {

/// Blocks ..., pooling, layers ...
template <std::size_t Width, std::size_t Pooling, class... Parts>
struct encoder_parts {
  static_assert(Pooling < sizeof...(Parts), "inlay: encoder<config, embedding, blocks ..., pooling, layers ...>");
  using list = std::tuple<Parts...>;
  template <std::size_t... I>
  static stack_at<Width, std::tuple_element_t<I, list>...> make_stack(std::index_sequence<I...>);
  template <std::size_t... I>
  static chain_at<Width, std::tuple_element_t<Pooling + 1 + I, list>...> make_head(std::index_sequence<I...>);
  using stack = decltype(make_stack(std::make_index_sequence<Pooling>{}));
  using pooling = std::tuple_element_t<Pooling, list>;
  using head = decltype(make_head(std::make_index_sequence<sizeof...(Parts) - Pooling - 1>{}));
};

/// Which of the parts is the pooling.
template <class... Parts>
consteval std::size_t find_pooling() {
  std::size_t at = 0;
  const bool found = ((requires { Parts::is_pooling; } || (++at, false)) || ...);
  return found ? at : sizeof...(Parts);
}

}  // namespace detail

template <encoder_config Config, class Embedding, class... Parts>
struct encoder {
  static_assert(Config.width > 0, "inlay: encoder needs .width");
  static constexpr encoder_config config = Config;
  static constexpr std::size_t width = Config.width;
  using parts = detail::encoder_parts<width, detail::find_pooling<Parts...>(), Parts...>;
  using embedding_type = typename detail::bind_layer<Embedding, width>::type;
  using stack_type = typename parts::stack;
  using pooling = typename parts::pooling;
  using head_type = typename parts::head;
  using rotaries = detail::rotaries_of<stack_type>;
  using state = typename stack_type::state;
  static_assert(state::bytes({.context = 1}) == 0, "inlay: the blocks of an encoder keep no state");

  static constexpr std::size_t vocab = embedding_type::config.vocab;
  static constexpr std::size_t token_types = std::max<std::size_t>(embedding_type::config.token_types, 1);
  static constexpr std::size_t max_tokens = embedding_type::config.positions - embedding_type::config.first_position;
  static constexpr std::size_t outputs = head_type::out;
  static constexpr bool per_token = pooling::per_token;
  static constexpr std::size_t block_count = stack_type::block_count;

  embedding_type embedding;
  stack_type blocks;
  head_type head;
  detail::frequencies_of<rotaries> frequencies = detail::make_frequencies(rotaries{});

  static constexpr auto children() {
    return tuple{child{"embedding", &encoder::embedding}, child{"blocks", &encoder::blocks}, child{"", &encoder::head}};
  }

  static constexpr std::size_t parameter_count = detail::count_parameters<encoder>();

  /// Bytes of workspace memory that a batch of this many rows needs, its output aside.
  static constexpr std::size_t scratch_bytes(std::size_t rows) {
    const std::size_t behind = (per_token ? 0 : float_bytes(rows * width)) + inlay::scratch_bytes<head_type>(rows);
    return float_bytes(rows * width) + align_up(rows * quantized_room(widest)) +
           detail::rotation_bytes(rotaries{}, rows) +
           std::max({inlay::scratch_bytes<embedding_type>(rows), inlay::scratch_bytes<stack_type>(rows), behind});
  }

  template <class K>
  void forward(const encoder_batch& b, workspace w) const {
    const arena::frame frame(w.memory);
    const std::size_t count = b.tokens.size();
    auto ctx = detail::make_context<K>(rotaries{}, w, b.sequences, count);
    detail::fill_rotations(ctx, frequencies);
    const auto h = ctx.template take_rows<width>(count);
    embedding.embed(ctx, b.tokens, b.token_types, h);
    state none{};
    blocks.apply(ctx, none, h);
    if constexpr (per_token) {
      head.forward(ctx, const_rows<width>(h), rows<outputs>{b.out, count});
    } else {
      const auto pooled = ctx.template take_rows<width>(b.sequences.size());
      pooling::pool(ctx, const_rows<width>(h), pooled);
      head.forward(ctx, const_rows<width>(pooled), rows<outputs>{b.out, pooled.count});
    }
  }

 private:
  static constexpr std::size_t widest =
      std::max({detail::widest_input<embedding_type>(), detail::widest_input<stack_type>(),
                detail::widest_input<head_type>(), width});
};

}  // namespace inlay
