// SPDX-License-Identifier: Apache-2.0
// Attention of encoders (Vaswani et al. 2017): every row of a sequence sees all rows of the same sequence. No cache and
// no state; sequences of a batch lie one behind the other, without padding.
#pragma once

#include <algorithm>
#include <cstddef>

#include "inlay/layers/context.hpp"
#include "inlay/layers/heads.hpp"
#include "inlay/layers/layer.hpp"
#include "inlay/layers/norm.hpp"
#include "inlay/layers/rope.hpp"

namespace inlay {

struct self_attention_config {
  std::size_t heads = 0;
  std::size_t kv_heads = 0;  ///< 0: as many as heads
  std::size_t head_dim = 0;
  float scale = 0.0f;     ///< of scores; 0: 1 / sqrt(head_dim)
  float soft_cap = 0.0f;  ///< scores become cap * tanh(score / cap); 0: not capped
  bool bias = false;      ///< of the query, key and value projections
  bool out_bias = false;
};

namespace detail {

/// The mixing itself, between projections.
template <self_attention_config Config>
struct self_attention_core {
  static constexpr std::size_t heads = Config.heads;
  static constexpr std::size_t kv_heads = Config.kv_heads == 0 ? heads : Config.kv_heads;
  static constexpr std::size_t head_dim = Config.head_dim;
  static_assert(heads > 0 && head_dim > 0, "inlay: self_attention needs .heads and .head_dim");
  static_assert(heads % kv_heads == 0, "inlay: self_attention: .heads must be a multiple of .kv_heads");
  static constexpr std::size_t q_width = heads * head_dim;
  static constexpr std::size_t kv_width = kv_heads * head_dim;

  static constexpr std::size_t scratch_bytes(std::size_t rows) {
    return 2 * float_bytes(rows * kv_width) + align_up(rows * sizeof(task));
  }

  template <class Context>
  static void attend(Context& ctx, rows<q_width> queries, rows<kv_width> keys, rows<kv_width> values,
                     rows<q_width> mixed) {
    using K = typename Context::kernel;
    const arena::frame frame(ctx.memory);
    // Kernels read the positions of one head in a row.
    const auto by_head_keys = ctx.template take_like<kv_width>(keys);
    const auto by_head_values = ctx.template take_like<kv_width>(values);
    task* tasks = ctx.memory.template take<task>(queries.count);
    std::size_t task_count = 0;
    for (const sequence_rows& s : ctx.sequences)
      for (std::size_t begin = 0; begin < s.count; begin += task_rows) tasks[task_count++] = {&s, begin};

    ctx.pool.run(task_count, [&](std::size_t t) {
      const sequence_rows& s = *tasks[t].sequence;
      const std::size_t stride = s.count * head_dim;  // floats from head to head
      for (std::size_t i = tasks[t].begin; i < std::min(tasks[t].begin + task_rows, s.count); ++i) {
        const std::size_t to = s.first_row * kv_width + i * head_dim;
        gather<K>(keys[s.first_row + i], by_head_keys.data + to, stride);
        gather<K>(values[s.first_row + i], by_head_values.data + to, stride);
      }
    });

    const kernels::attention_shape shape{heads,           kv_heads, head_dim, score_scale(Config.scale, head_dim),
                                         Config.soft_cap, 0,        false,    dtype::f32};
    ctx.pool.run(task_count * kv_heads, [&](std::size_t t) {
      const auto& [sequence, begin] = tasks[t / kv_heads];
      const sequence_rows& s = *sequence;
      const kernels::kv_span span{reinterpret_cast<const std::byte*>(by_head_keys[s.first_row]),
                                  reinterpret_cast<const std::byte*>(by_head_values[s.first_row]),
                                  s.count * head_dim * sizeof(float), 0, s.count};
      const kernels::attention_rows batch{
          queries[s.first_row], q_width, mixed[s.first_row], q_width, s.count, 0, {&span, 1}};
      K::attention(shape, batch, t % kv_heads, begin, std::min(begin + task_rows, s.count));
    });
  }

 private:
  /// With all the heads that share a kv head, 128 query vectors, and so the keys are read for many at a time.
  static constexpr std::size_t task_rows = std::clamp<std::size_t>(128 / (heads / kv_heads), 16, 64);
  /// Some rows of a sequence, one thread's work.
  struct task {
    const sequence_rows* sequence;
    std::size_t begin;
  };

  template <class K>
  static void gather(const float* x, float* to, std::size_t stride) {
    store_heads<K, kv_heads, head_dim>(x, dtype::f32, reinterpret_cast<std::byte*>(to), stride * sizeof(float));
  }
};

template <self_attention_config Config, class Rope, class QkNorm, std::size_t Width>
struct self_attention_at {
  static constexpr std::size_t in = Width, out = Width;
  using core = self_attention_core<Config>;
  static constexpr std::size_t q_width = core::q_width, kv_width = core::kv_width;
  using rotary = typename head_rotary<Rope, core::head_dim>::type;
  using qk_norm = typename head_norm<QkNorm, core::head_dim>::type;

  matrix<q_width, Width> q;
  matrix<kv_width, Width> k, v;
  matrix<Width, q_width> o;
  [[no_unique_address]] optional_parameter<Config.bias, vector<q_width>> q_bias;
  [[no_unique_address]] optional_parameter<Config.bias, vector<kv_width>> k_bias;
  [[no_unique_address]] optional_parameter<Config.bias, vector<kv_width>> v_bias;
  [[no_unique_address]] optional_parameter<Config.out_bias, vector<Width>> o_bias;
  [[no_unique_address]] qk_norm q_norm;
  [[no_unique_address]] qk_norm k_norm;

  static constexpr auto parameters() {
    using self = self_attention_at;
    return tuple{parameter{"q.weight", &self::q, core::head_dim},
                 parameter{"q.bias", &self::q_bias, core::head_dim},
                 parameter{"k.weight", &self::k, core::head_dim},
                 parameter{"k.bias", &self::k_bias, core::head_dim},
                 parameter{"v.weight", &self::v},
                 parameter{"v.bias", &self::v_bias},
                 parameter{"o.weight", &self::o},
                 parameter{"o.bias", &self::o_bias}};
  }
  static constexpr auto children() {
    return tuple{child{"q_norm", &self_attention_at::q_norm}, child{"k_norm", &self_attention_at::k_norm}};
  }
  static constexpr std::size_t scratch_bytes(std::size_t rows) {
    return 2 * float_bytes(rows * q_width) + 2 * float_bytes(rows * kv_width) + core::scratch_bytes(rows);
  }

  template <class Context>
  void forward(Context& ctx, const_rows<Width> x, rows<Width> y) const {
    const arena::frame frame(ctx.memory);
    const auto queries = ctx.template take_rows<q_width>(x.count);
    const auto keys = ctx.template take_rows<kv_width>(x.count);
    const auto values = ctx.template take_rows<kv_width>(x.count);
    const auto mixed = ctx.template take_rows<q_width>(x.count);
    ctx.linear(x, into(q, q_bias, queries), into(k, k_bias, keys), into(v, v_bias, values));
    prepare_heads<core::heads, core::head_dim, rotary>(ctx, q_norm, queries);
    prepare_heads<core::kv_heads, core::head_dim, rotary>(ctx, k_norm, keys);
    core::attend(ctx, queries, keys, values, mixed);
    ctx.linear(const_rows<q_width>(mixed), into(o, o_bias, y));
  }
};

}  // namespace detail

template <self_attention_config Config, class Rope = no_rope, class QkNorm = no_norm>
struct self_attention {
  static constexpr std::string_view name = "attention";
  template <std::size_t Width>
  using at = detail::self_attention_at<Config, Rope, QkNorm, Width>;
};

}  // namespace inlay
