// SPDX-License-Identifier: Apache-2.0
// Causal self-attention with a key/value cache: multi-head, grouped-query and multi-query (Ainslie et al. 2023), with
// rotary positions, normalised queries and keys, biases, soft-capped scores and a sliding window as the model has them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "inlay/layers/context.hpp"
#include "inlay/layers/heads.hpp"
#include "inlay/layers/layer.hpp"
#include "inlay/layers/norm.hpp"
#include "inlay/layers/rope.hpp"

namespace inlay {

/// Later layers may look at an earlier layer's keys and values instead of having their own (Gemma 4).
enum class cache_sharing : std::uint8_t {
  none,
  lends,    ///< layers behind this one may borrow its cache
  borrows,  ///< no key and value projections and no cache: those of the layer that lends under the same number
};

struct attention_config {
  std::size_t heads = 0;
  std::size_t kv_heads = 0;  ///< 0: as many as heads
  std::size_t head_dim = 0;
  std::size_t window = 0;  ///< a query sees this many positions, its own included; 0: all before it
  float scale = 0.0f;      ///< of scores; 0: 1 / sqrt(head_dim)
  float soft_cap = 0.0f;   ///< scores become cap * tanh(score / cap); 0: not capped
  bool bias = false;       ///< of the query, key and value projections
  bool out_bias = false;
  /// Queries grow with the position: times 1 + beta * ln(1 + floor(position / period)) (Llama 4, Ministral 3). 0: not.
  float temperature_beta = 0.0f;
  float temperature_period = 1.0f;
  bool gated = false;            ///< what was gathered is multiplied by a sigmoid of a projection (Qwen3.5)
  bool values_are_keys = false;  ///< values are the key projection, before its norm and rotation (Gemma 4)
  cache_sharing sharing = cache_sharing::none;
  std::size_t shared_slot = 0;  ///< under which number the cache is lent and borrowed
};

namespace detail {

template <attention_config Config, class Rope, class QkNorm, class VNorm, std::size_t Width>
struct attention_at {
  static constexpr std::size_t in = Width, out = Width;
  static constexpr bool in_place = true;
  static constexpr std::size_t heads = Config.heads;
  static constexpr std::size_t kv_heads = Config.kv_heads == 0 ? heads : Config.kv_heads;
  static constexpr std::size_t head_dim = Config.head_dim;
  static_assert(heads > 0 && head_dim > 0, "inlay: attention needs .heads and .head_dim");
  static_assert(heads % kv_heads == 0, "inlay: attention: .heads must be a multiple of .kv_heads");
  static constexpr std::size_t q_width = heads * head_dim;
  static constexpr std::size_t kv_width = kv_heads * head_dim;
  static constexpr std::size_t window = Config.window;
  using rotary = typename head_rotary<Rope, head_dim>::type;
  using qk_norm = typename head_norm<QkNorm, head_dim>::type;
  using v_norm = typename head_norm<VNorm, head_dim>::type;
  static constexpr bool own = Config.sharing != cache_sharing::borrows;
  static constexpr bool lends = Config.sharing == cache_sharing::lends;
  using cache_type = kv_cache<kv_heads, head_dim, Config.window, lends>;
  using state = std::conditional_t<own, cache_type, no_state>;

  matrix<q_width, Width> q;
  [[no_unique_address]] optional_parameter<own, matrix<kv_width, Width>> k;
  [[no_unique_address]] optional_parameter<own && !Config.values_are_keys, matrix<kv_width, Width>> v;
  matrix<Width, q_width> o;
  [[no_unique_address]] optional_parameter<Config.gated, matrix<q_width, Width>> gate;
  [[no_unique_address]] optional_parameter<Config.bias, vector<q_width>> q_bias;
  [[no_unique_address]] optional_parameter<Config.bias && own, vector<kv_width>> k_bias;
  [[no_unique_address]] optional_parameter<Config.bias && own && !Config.values_are_keys, vector<kv_width>> v_bias;
  [[no_unique_address]] optional_parameter<Config.out_bias, vector<Width>> o_bias;
  [[no_unique_address]] qk_norm q_norm;
  [[no_unique_address]] std::conditional_t<own, qk_norm, absent> k_norm;
  [[no_unique_address]] std::conditional_t<own, v_norm, absent> value_norm;

  static constexpr auto parameters() {
    using self = attention_at;
    return tuple{parameter{"q.weight", &self::q, head_dim},
                 parameter{"gate.weight", &self::gate, head_dim},
                 parameter{"q.bias", &self::q_bias, head_dim},
                 parameter{"k.weight", &self::k, head_dim},
                 parameter{"k.bias", &self::k_bias, head_dim},
                 parameter{"v.weight", &self::v},
                 parameter{"v.bias", &self::v_bias},
                 parameter{"o.weight", &self::o},
                 parameter{"o.bias", &self::o_bias}};
  }
  static constexpr auto children() {
    return tuple{child{"q_norm", &attention_at::q_norm}, child{"k_norm", &attention_at::k_norm},
                 child{"v_norm", &attention_at::value_norm}};
  }
  static constexpr std::size_t scratch_bytes(std::size_t rows) {
    const std::size_t parts = most_parts == 1 ? 0
                                              : float_bytes(most_parts * q_width) +
                                                    align_up(most_parts * heads * sizeof(kernels::attention_weight));
    const std::size_t projected = own ? 2 * float_bytes(rows * kv_width) : 0;
    const std::size_t fresh = own && !lends && Config.window != 0 ? 2 * float_bytes(rows * kv_width) : 0;
    return 2 * float_bytes(rows * q_width) + projected + fresh + parts;
  }

  template <class Context>
  void forward(Context& ctx, state& first, const_rows<Width> x, rows<Width> y) const {
    const arena::frame frame(ctx.memory);
    const auto queries = ctx.template take_rows<q_width>(x.count);
    const auto mixed = ctx.template take_rows<q_width>(x.count);
    if constexpr (own) {
      const auto keys = ctx.template take_rows<kv_width>(x.count);
      const auto values = ctx.template take_rows<kv_width>(x.count);
      project(ctx, x, queries, keys, values);
      if constexpr (lends) ctx.lend(Config.shared_slot, first);
      ctx.for_each_sequence(first, [&](cache_type& cache, const sequence_rows& s) {
        if constexpr (lends || Config.window == 0) {
          store_rows(ctx, cache, s, keys, values);
          attend_cached(ctx, cache, s, queries, mixed);
        } else {
          attend_window(ctx, cache, s, queries, keys, values, mixed);
        }
      });
    } else {
      ctx.linear(x, into(q, q_bias, queries));
      prepare_heads<heads, head_dim, rotary>(ctx, q_norm, queries);
      ctx.for_each_sequence(
          ctx.template borrow<cache_type_lent>(Config.shared_slot),
          [&](cache_type_lent& cache, const sequence_rows& s) { attend_cached(ctx, cache, s, queries, mixed); });
    }
    if constexpr (Config.gated) {
      ctx.linear(x, into(gate, queries));
      ctx.map(formula::a * formula::sigmoid(formula::b), mixed, mixed, queries);
    }
    ctx.linear(const_rows<q_width>(mixed), into(o, o_bias, y));
  }

 private:
  using cache_type_lent = kv_cache<kv_heads, head_dim, Config.window, true>;

  /// One query looks at so many parts of a long context at the same time that many threads have work.
  static constexpr std::size_t most_parts = (16 + kv_heads - 1) / kv_heads;
  static constexpr std::size_t least_part = 256;  ///< positions

  template <class Context>
  void project(Context& ctx, const_rows<Width> x, rows<q_width> queries, rows<kv_width> keys,
               rows<kv_width> values) const {
    using K = typename Context::kernel;
    if constexpr (Config.values_are_keys) {
      ctx.linear(x, into(q, q_bias, queries), into(k, k_bias, keys));
      std::copy_n(keys.data, keys.count * kv_width, values.data);
    } else {
      ctx.linear(x, into(q, q_bias, queries), into(k, k_bias, keys), into(v, v_bias, values));
    }
    prepare_heads<heads, head_dim, rotary>(ctx, q_norm, queries);
    prepare_heads<kv_heads, head_dim, rotary>(ctx, k_norm, keys);
    if constexpr (Config.temperature_beta != 0.0f) apply_temperature(ctx, queries);
    if constexpr (!std::is_same_v<v_norm, absent>)
      for (std::size_t i = 0; i < values.count * kv_heads; ++i)
        value_norm.template normalise<K>(values.data + i * head_dim, values.data + i * head_dim);
  }

  template <class Context>
  static void apply_temperature(Context& ctx, rows<q_width> queries) {
    using K = typename Context::kernel;
    for (const sequence_rows& s : ctx.sequences)
      for (std::size_t i = 0; i < s.count; ++i) {
        const float periods = std::floor(static_cast<float>(s.position + i) / Config.temperature_period);
        const float factor = 1.0f + Config.temperature_beta * std::log(1.0f + periods);
        float* q = queries[s.first_row + i];
        if (factor != 1.0f) K::map(formula::a * factor, q_width, q, static_cast<const float*>(q));
      }
  }

  template <class Context>
  static void attend(Context& ctx, dtype type, const sequence_rows& s, rows<q_width> queries, rows<q_width> mixed,
                     std::span<const kernels::kv_span> spans) {
    using K = typename Context::kernel;
    const float scale = score_scale(Config.scale, head_dim);
    const kernels::attention_shape shape{heads, kv_heads, head_dim, scale, Config.soft_cap, Config.window, true, type};
    const kernels::attention_rows batch{queries[s.first_row], q_width, mixed[s.first_row], q_width, s.count,
                                        s.position,           spans};
    if (most_parts > 1 && s.count == 1) return attend_parts(ctx, shape, batch);
    const std::size_t block = attention_task_rows(heads / kv_heads, kv_heads, s.count, ctx.pool.size());
    const std::size_t blocks = (s.count + block - 1) / block;
    // One kv head after the other: its keys and values stay in the caches.
    ctx.pool.run(kv_heads * blocks, [&](std::size_t task) {
      const std::size_t begin = task % blocks * block;
      K::attention(shape, batch, task / blocks, begin, std::min(begin + block, s.count));
    });
  }

  /// One query. Where the parts begin depends on its position alone.
  template <class Context>
  static void attend_parts(Context& ctx, const kernels::attention_shape& shape, const kernels::attention_rows& query) {
    using K = typename Context::kernel;
    constexpr std::size_t step = kernels::key_block;
    const arena::frame frame(ctx.memory);
    const std::size_t end = query.first_position + 1;
    const std::size_t begin = (end - std::min(end, window == 0 ? end : window)) / step * step;
    const std::size_t part = std::max(least_part, ((end - begin) / most_parts + step) / step * step);
    const std::size_t parts = (end - begin + part - 1) / part;
    float* const outputs = ctx.memory.template take<float>(most_parts * q_width);
    auto* const weights = ctx.memory.template take<kernels::attention_weight>(most_parts * heads);
    ctx.pool.run(kv_heads * parts, [&](std::size_t task) {
      const std::size_t p = task % parts, first = begin + p * part;
      kernels::kv_span spans[3];
      std::size_t used = 0;
      for (const kernels::kv_span& s : query.cache)
        if (const kernels::kv_span cut = part_of(shape.cache, s, first, first + part); cut.count != 0)
          spans[used++] = cut;
      kernels::attention_rows one = query;
      one.cache = {spans, used};
      if (parts > 1) {
        one.out = outputs + p * q_width;
        one.weights = weights + p * heads;
      }
      K::attention(shape, one, task / parts, 0, 1);
    });
    if (parts == 1) return;
    for (std::size_t h = 0; h < heads; ++h) {
      float highest = weights[h].highest, total = 0.0f;
      for (std::size_t p = 1; p < parts; ++p) highest = std::max(highest, weights[p * heads + h].highest);
      for (std::size_t p = 0; p < parts; ++p) {
        kernels::attention_weight& w = weights[p * heads + h];
        total += w.total *= std::exp(w.highest - highest);
      }
      float* const out = query.out + h * head_dim;
      for (std::size_t p = 0; p < parts; ++p) {
        const float share = weights[p * heads + h].total / total;
        const float* const from = outputs + p * q_width + h * head_dim;
        if (p == 0)
          K::map(formula::a * share, head_dim, out, from);
        else
          K::map(formula::a + formula::constant(share) * formula::b, head_dim, out, static_cast<const float*>(out),
                 from);
      }
    }
  }

  /// The positions [begin, end) of a span.
  static kernels::kv_span part_of(dtype type, kernels::kv_span s, std::size_t begin, std::size_t end) {
    const std::size_t first = std::max(begin, s.first_position);
    const std::size_t last = std::min(end, s.first_position + s.count);
    if (first >= last) return {};
    const std::size_t skipped = (first - s.first_position) * row_bytes(type, head_dim);
    return {s.keys + skipped, s.values + skipped, s.head_stride, first, last - first};
  }

  /// The cache holds the batch and all that its rows see.
  template <class Context, class Cache>
  static void attend_cached(Context& ctx, const Cache& cache, const sequence_rows& s, rows<q_width> queries,
                            rows<q_width> mixed) {
    const std::size_t end = s.position + s.count;
    INLAY_ASSERT(Config.window != 0 || end <= cache.slots);
    kernels::kv_span spans[2];
    attend(ctx, cache.type, s, queries, mixed,
           {spans, ring_spans(cache, end - std::min(end, cache.slots), end, spans)});
  }

  /// The cached positions [begin, end), in one or two pieces.
  template <class Cache>
  static std::size_t ring_spans(const Cache& cache, std::size_t begin, std::size_t end, kernels::kv_span* spans) {
    std::size_t used = 0;
    for (std::size_t p = begin; p < end;) {
      const std::size_t slot = p % cache.slots;
      const std::size_t count = std::min(cache.slots - slot, end - p);
      spans[used++] = {cache.keys + slot * cache.row(), cache.values + slot * cache.row(), cache.head_stride(), p,
                       count};
      p += count;
    }
    return used;
  }

  template <class Context>
  static void store_rows(Context& ctx, const cache_type& cache, const sequence_rows& s, rows<kv_width> keys,
                         rows<kv_width> values) {
    const std::size_t row = cache.row();
    ctx.for_rows(s.count, 2 * kv_width * sizeof(float), [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        const std::size_t slot = (s.position + i) % cache.slots * row;
        store_row<Context>(keys[s.first_row + i], values[s.first_row + i], cache.type, cache.keys + slot,
                           cache.values + slot, cache.head_stride());
      }
    });
  }
  template <class Context>
  static void store_row(const float* keys, const float* values, dtype type, std::byte* to_keys, std::byte* to_values,
                        std::size_t head_stride) {
    using K = typename Context::kernel;
    store_heads<K, kv_heads, head_dim>(keys, type, to_keys, head_stride);
    store_heads<K, kv_heads, head_dim>(values, type, to_values, head_stride);
  }

  /// The cache is a ring of the window's length. A batch would overwrite what its own first rows still see, so it is
  /// kept aside, looked at beside the ring, and stored last.
  template <class Context>
  static void attend_window(Context& ctx, state& cache, const sequence_rows& s, rows<q_width> queries,
                            rows<kv_width> keys, rows<kv_width> values, rows<q_width> mixed) {
    const arena::frame frame(ctx.memory);
    const std::size_t row = cache.row();
    std::byte* fresh_keys = ctx.memory.template take<std::byte>(s.count * kv_heads * row);
    std::byte* fresh_values = ctx.memory.template take<std::byte>(s.count * kv_heads * row);
    ctx.for_rows(s.count, 2 * kv_width * sizeof(float), [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i)
        store_row<Context>(keys[s.first_row + i], values[s.first_row + i], cache.type, fresh_keys + i * row,
                           fresh_values + i * row, s.count * row);
    });

    kernels::kv_span spans[3];
    std::size_t used = ring_spans(cache, s.position - std::min(s.position, cache.slots), s.position, spans);
    spans[used++] = {fresh_keys, fresh_values, s.count * row, s.position, s.count};
    attend(ctx, cache.type, s, queries, mixed, {spans, used});

    for (std::size_t i = s.count - std::min(s.count, cache.slots); i < s.count; ++i) {
      const std::size_t slot = (s.position + i) % cache.slots;
      for (std::size_t h = 0; h < kv_heads; ++h) {
        const std::size_t from = (h * s.count + i) * row;
        const std::size_t to = h * cache.head_stride() + slot * row;
        std::memcpy(cache.keys + to, fresh_keys + from, row);
        std::memcpy(cache.values + to, fresh_values + from, row);
      }
    }
  }
};

}  // namespace detail

template <attention_config Config, class Rope = no_rope, class QkNorm = no_norm, class VNorm = no_norm>
struct attention {
  static constexpr std::string_view name = "attention";
  template <std::size_t Width>
  using at = detail::attention_at<Config, Rope, QkNorm, VNorm, Width>;
};

}  // namespace inlay
