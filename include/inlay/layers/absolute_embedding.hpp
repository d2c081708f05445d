// SPDX-License-Identifier: Apache-2.0
// How encoders begin: norm(token + position + segment), each looked up in a table (Devlin et al. 2018), and
// MobileBERT's form, in which a token's neighbours take part (Sun et al. 2020).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "inlay/layers/context.hpp"
#include "inlay/layers/layer.hpp"
#include "inlay/layers/linear.hpp"
#include "inlay/quant/codec.hpp"

namespace inlay {

struct absolute_embedding_config {
  std::size_t vocab = 0;
  std::size_t positions = 0;       ///< rows of the table of positions
  std::size_t token_types = 0;     ///< kinds of segment; 0: there are none
  std::size_t first_position = 0;  ///< row of a sequence's first token (RoBERTa: 2)
};

namespace detail {

/// Reads one row of a table.
template <std::size_t Rows, std::size_t Columns>
void look_up(const table<Rows, Columns>& t, std::size_t row, float* out) {
  dequantize_row(t.ref.type, t.ref.data + row * row_bytes(t.ref.type, Columns), Columns, out);
}

/// f(sequence, i) for row i of every sequence of the batch, in parallel when it pays.
template <class Context, class F>
void for_each_row(Context& ctx, std::size_t bytes_a_row, const F& f) {
  ctx.for_rows(ctx.row_count, bytes_a_row, [&](std::size_t begin, std::size_t end) {
    for (const sequence_rows& s : ctx.sequences)
      for (std::size_t i = std::max(begin, s.first_row); i < std::min(end, s.first_row + s.count); ++i)
        f(s, i - s.first_row);
  });
}

/// Positions and segments.
template <absolute_embedding_config Config, std::size_t Width>
struct position_and_type {
  static constexpr std::size_t in = Width, out = Width;
  table<Config.positions, Width> position;
  [[no_unique_address]] optional_parameter<Config.token_types != 0, table<Config.token_types, Width>> type;

  static constexpr auto parameters() {
    return tuple{parameter{"position.weight", &position_and_type::position},
                 parameter{"type.weight", &position_and_type::type}};
  }

  /// Adds them to h; `types` may be empty: all 0.
  template <class Context>
  void add(Context& ctx, std::span<const std::int32_t> types, rows<Width> h) const {
    using K = typename Context::kernel;
    for_each_row(ctx, 2 * Width * sizeof(float), [&](const sequence_rows& s, std::size_t i) {
      float row[Width];
      float* x = h[s.first_row + i];
      look_up(position, Config.first_position + s.position + i, row);
      K::map(formula::a + formula::b, Width, x, static_cast<const float*>(x), static_cast<const float*>(row));
      if constexpr (Config.token_types != 0) {
        look_up(type, types.empty() ? 0 : static_cast<std::size_t>(types[s.first_row + i]), row);
        K::map(formula::a + formula::b, Width, x, static_cast<const float*>(x), static_cast<const float*>(row));
      }
    });
  }
};

template <absolute_embedding_config Config, class Norm, std::size_t Width>
struct absolute_embedding_at {
  static constexpr std::size_t in = 1, out = Width;
  static constexpr absolute_embedding_config config = Config;
  table<Config.vocab, Width> token;
  position_and_type<Config, Width> place;
  bound<Norm, Width> norm;

  static constexpr auto parameters() { return tuple{parameter{"token.weight", &absolute_embedding_at::token}}; }
  static constexpr auto children() {
    return tuple{child{"", &absolute_embedding_at::place}, child{"norm", &absolute_embedding_at::norm}};
  }

  template <class Context>
  void embed(Context& ctx, std::span<const std::int32_t> tokens, std::span<const std::int32_t> types,
             rows<Width> h) const {
    ctx.for_rows(h.count, Width * sizeof(float), [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) look_up(token, static_cast<std::size_t>(tokens[i]), h[i]);
    });
    place.add(ctx, types, h);
    norm.forward(ctx, h, h);
  }
};

template <absolute_embedding_config Config, std::size_t Narrow, class Norm, std::size_t Width>
struct trigram_embedding_at {
  static constexpr std::size_t in = 1, out = Width;
  static constexpr absolute_embedding_config config = Config;
  table<Config.vocab, Narrow> token;
  typename linear<Width, true>::template at<3 * Narrow> transformation;
  position_and_type<Config, Width> place;
  bound<Norm, Width> norm;

  static constexpr auto parameters() { return tuple{parameter{"token.weight", &trigram_embedding_at::token}}; }
  static constexpr auto children() {
    using self = trigram_embedding_at;
    return tuple{child{"transformation", &self::transformation}, child{"", &self::place}, child{"norm", &self::norm}};
  }
  static constexpr std::size_t scratch_bytes(std::size_t rows) { return float_bytes(rows * 3 * Narrow); }

  /// Next token, token, token before; nothing beyond the ends of a sequence.
  template <class Context>
  void embed(Context& ctx, std::span<const std::int32_t> tokens, std::span<const std::int32_t> types,
             rows<Width> h) const {
    const arena::frame frame(ctx.memory);
    const auto x = ctx.template take_rows<3 * Narrow>(h.count);
    for_each_row(ctx, 3 * Narrow * sizeof(float), [&](const sequence_rows& s, std::size_t i) {
      for (std::size_t part = 0; part < 3; ++part) {
        float* to = x[s.first_row + i] + part * Narrow;
        const std::size_t from = i + 1 - part;  // one before the first wraps around
        if (from < s.count)
          look_up(token, static_cast<std::size_t>(tokens[s.first_row + from]), to);
        else
          std::fill_n(to, Narrow, 0.0f);
      }
    });
    ctx.linear(const_rows<3 * Narrow>(x), into(transformation.weight, transformation.bias, h));
    place.add(ctx, types, h);
    norm.forward(ctx, h, h);
  }
};

}  // namespace detail

template <absolute_embedding_config Config, class Norm>
struct absolute_embedding {
  template <std::size_t Width>
  using at = detail::absolute_embedding_at<Config, Norm, Width>;
};

/// Tokens have vectors of `Narrow` numbers; those of three neighbours are projected to the width of the stream.
template <absolute_embedding_config Config, std::size_t Narrow, class Norm>
struct trigram_embedding {
  template <std::size_t Width>
  using at = detail::trigram_embedding_at<Config, Narrow, Norm, Width>;
};

}  // namespace inlay
