// SPDX-License-Identifier: Apache-2.0
// Gated DeltaNet (Yang et al. 2024): linear attention. Every value head keeps a state S [key_dim, value_dim] that
// decays and learns the difference between a value and what it gives for the key so far.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>

#include "inlay/layers/causal_conv.hpp"
#include "inlay/layers/context.hpp"
#include "inlay/layers/layer.hpp"

namespace inlay {

struct delta_net_config {
  std::size_t key_heads = 0;
  std::size_t value_heads = 0;  ///< a multiple of key_heads
  std::size_t key_dim = 128;
  std::size_t value_dim = 128;
  std::size_t taps = 4;  ///< of the convolution
  float epsilon = 1e-6f;
};

namespace detail {

template <delta_net_config Config, std::size_t Width>
struct gated_delta_net_at {
  static constexpr std::size_t in = Width, out = Width;
  static constexpr bool in_place = true;
  static constexpr std::size_t key_heads = Config.key_heads, value_heads = Config.value_heads;
  static_assert(key_heads > 0 && value_heads % key_heads == 0,
                "inlay: gated_delta_net: .value_heads must be a multiple of .key_heads");
  static constexpr std::size_t keys = key_heads * Config.key_dim;
  static constexpr std::size_t values = value_heads * Config.value_dim;
  static constexpr std::size_t channels = 2 * keys + values;  ///< queries, keys and values, which are convolved
  using conv_type = causal_conv<channels, Config.taps, false>;
  static constexpr std::size_t head_state = Config.key_dim * Config.value_dim;
  using state = recurrent_state<conv_type::history + value_heads * head_state>;

  matrix<channels, Width> qkv;
  matrix<values, Width> gate;
  matrix<value_heads, Width> rate, decay_input;
  conv_type conv;
  vector<value_heads> dt_bias;
  vector<value_heads> decay;  ///< negative
  vector<Config.value_dim> norm;
  matrix<Width, values> out_projection;
  /// Which key head a value head goes with: those of a key head stand together, or one of each key head in turn. GGUF
  /// files have the latter order.
  bool in_turn = false;

  void loaded_from(weight_origin origin)
    requires(value_heads != key_heads)
  {
    in_turn = origin == weight_origin::gguf;
  }
  /// All that belongs to value heads.
  static constexpr auto turned()
    requires(value_heads != key_heads)
  {
    constexpr std::size_t each = value_heads / key_heads;
    return std::array{
        turned_pieces{"qkv.weight", key_heads, each, Config.value_dim, 2 * keys},
        turned_pieces{"gate.weight", key_heads, each, Config.value_dim},
        turned_pieces{"rate.weight", key_heads, each},
        turned_pieces{"dt.weight", key_heads, each},
        turned_pieces{"dt.bias", key_heads, each},
        turned_pieces{"decay", key_heads, each},
        turned_pieces{"conv.weight", key_heads, each, Config.value_dim, 2 * keys},
        turned_pieces{"out.weight", key_heads, each, Config.value_dim, 0, true},
    };
  }

  static constexpr auto parameters() {
    using self = gated_delta_net_at;
    return tuple{parameter{"qkv.weight", &self::qkv},         parameter{"gate.weight", &self::gate},
                 parameter{"rate.weight", &self::rate},       parameter{"dt.weight", &self::decay_input},
                 parameter{"dt.bias", &self::dt_bias},        parameter{"decay", &self::decay},
                 parameter{"gated_norm.weight", &self::norm}, parameter{"out.weight", &self::out_projection}};
  }
  static constexpr auto children() { return tuple{child{"conv", &gated_delta_net_at::conv}}; }
  static constexpr std::size_t scratch_bytes(std::size_t rows) {
    return 2 * float_bytes(rows * channels) + 2 * float_bytes(rows * values) + 2 * float_bytes(rows * value_heads);
  }

  template <class Context>
  void forward(Context& ctx, state& first, const_rows<Width> x, rows<Width> y) const {
    using K = typename Context::kernel;
    const auto projected = ctx.template take_rows<channels>(x.count);
    const auto convolved = ctx.template take_rows<channels>(x.count);
    const auto z = ctx.template take_rows<values>(x.count);
    const auto mixed = ctx.template take_rows<values>(x.count);
    const auto rates = ctx.template take_rows<value_heads>(x.count);
    const auto steps = ctx.template take_rows<value_heads>(x.count);
    ctx.linear(x, into(qkv, projected), into(gate, z), into(rate, rates), into(decay_input, steps));
    ctx.for_each_sequence(first, [&](state& s, const sequence_rows& seq) {
      conv.forward(ctx, projected[seq.first_row], channels, seq.count, s.values, convolved[seq.first_row]);
    });
    normalise_keys(ctx, convolved);
    find_factors(ctx, rates, steps);
    ctx.for_each_sequence(first, [&](state& s, const sequence_rows& seq) {
      // A head's state stays in the cache of one core.
      float* states = s.values + conv_type::history;
      const std::size_t row = seq.first_row;
      ctx.pool.run(value_heads, [&](std::size_t h) {
        const std::size_t key_head = in_turn ? h % key_heads : h / (value_heads / key_heads);
        const float* queries = convolved[row] + key_head * Config.key_dim;
        K::scan(states + h * head_state, {.rows = Config.key_dim,
                                          .columns = Config.value_dim,
                                          .count = seq.count,
                                          .keys = queries + keys,
                                          .queries = queries,
                                          .key_stride = channels,
                                          .values = convolved[row] + 2 * keys + h * Config.value_dim,
                                          .value_stride = channels,
                                          .out = mixed[row] + h * Config.value_dim,
                                          .out_stride = values,
                                          .decays = steps[row] + h,
                                          .rates = rates[row] + h,
                                          .factor_stride = value_heads,
                                          .delta_rule = true});
      });
    });
    normalise_out(ctx, mixed, z);
    ctx.linear(const_rows<values>(mixed), into(out_projection, y));
  }

 private:
  /// Queries and keys to length 1, queries also divided by sqrt(key_dim).
  template <class Context>
  static void normalise_keys(Context& ctx, rows<channels> x) {
    using K = typename Context::kernel;
    constexpr float dim = static_cast<float>(Config.key_dim);
    ctx.for_rows(x.count, 2 * keys * sizeof(float), [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        for (std::size_t h = 0; h < 2 * key_heads; ++h) {
          // x / sqrt(sum + e) is the root mean square norm with e / n, over sqrt(n).
          float* head = x[i] + h * Config.key_dim;
          K::rms_norm(head, nullptr, head, Config.key_dim, 1e-6f / dim);
        }
        K::map(formula::a * (1.0f / dim), keys, x[i], static_cast<const float*>(x[i]));
        K::map(formula::a * (1.0f / std::sqrt(dim)), keys, x[i] + keys, static_cast<const float*>(x[i] + keys));
      }
    });
  }

  /// What was projected to learning rates and decays.
  template <class Context>
  void find_factors(Context& ctx, rows<value_heads> rates, rows<value_heads> decays) const {
    using K = typename Context::kernel;
    ctx.for_rows(rates.count, 4 * value_heads * sizeof(float), [&](std::size_t begin, std::size_t end) {
      using namespace formula;
      for (std::size_t i = begin; i < end; ++i) {
        K::map(sigmoid(a), value_heads, rates[i], static_cast<const float*>(rates[i]));
        K::map(exp(softplus(a + b) * c), value_heads, decays[i], static_cast<const float*>(decays[i]), dt_bias.data,
               decay.data);
      }
    });
  }

  /// Norm first, then the gate, per head.
  template <class Context>
  void normalise_out(Context& ctx, rows<values> mixed, rows<values> z) const {
    using K = typename Context::kernel;
    ctx.for_rows(mixed.count, 2 * values * sizeof(float), [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        float* row = mixed[i];
        for (std::size_t h = 0; h < value_heads; ++h)
          K::rms_norm(row + h * Config.value_dim, norm.data, row + h * Config.value_dim, Config.value_dim,
                      Config.epsilon);
        K::map(formula::a * formula::silu(formula::b), values, row, static_cast<const float*>(row),
               static_cast<const float*>(z[i]));
      }
    });
  }
};

}  // namespace detail

template <delta_net_config Config>
struct gated_delta_net {
  static constexpr std::string_view name = "delta_net";
  template <std::size_t Width>
  using at = detail::gated_delta_net_at<Config, Width>;
};

}  // namespace inlay
