// SPDX-License-Identifier: Apache-2.0
// What kernels are called with: plain structs of pointers and sizes, the same for every kernel policy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "inlay/core/dtype.hpp"

namespace inlay::kernels {

/// Rows of a packed matrix are interleaved in panels of this many.
inline constexpr std::size_t panel_rows = 16;

enum class layout : std::uint8_t {
  rows,    ///< row after row, as in the checkpoint
  panels,  ///< panel after panel of `panel_rows` rows, as the kernel policy packed them; the last one filled with zeros
};

/// A weight matrix [rows, columns].
struct matrix_ref {
  const std::byte* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;
  dtype type = dtype::f32;
  kernels::layout layout = kernels::layout::rows;
  const std::byte* then = nullptr;  ///< what is read next, behind the rows that are multiplied; null: what follows them
};

/// What a policy makes of activations before they are multiplied with block formats.
enum class activation_form : std::uint8_t {
  bytes,  ///< 8 bits and scales
  bf16,   ///< for matrix units, which pay from some rows on
};

/// Activations [count, columns], rows `stride` floats apart. `quantized` holds the policy's form of them (count rows of
/// K::quantized_row_bytes(columns) bytes, filled by K::quantize_rows) when a weight type wants it, or is null.
struct activations {
  const float* values = nullptr;
  std::size_t count = 0;
  std::size_t columns = 0;
  std::size_t stride = 0;
  const std::byte* quantized = nullptr;
  activation_form form = activation_form::bytes;  ///< of `quantized`
};

/// Consecutive positions in the key/value cache of one layer. The cache is [kv_head][position][head_dim] in the
/// cache's storage type; `keys` and `values` point at the first position of kv head 0.
struct kv_span {
  const std::byte* keys = nullptr;
  const std::byte* values = nullptr;
  std::size_t head_stride = 0;     ///< bytes from one kv head to the next
  std::size_t first_position = 0;  ///< position in the sequence of the span's first entry
  std::size_t count = 0;
};

/// What attention is, independent of the batch.
struct attention_shape {
  std::size_t heads = 0;
  std::size_t kv_heads = 0;
  std::size_t head_dim = 0;
  float scale = 1.0f;      ///< scores are scale * q.k; positive
  float soft_cap = 0.0f;   ///< scores become cap * tanh(score / cap); 0: no cap
  std::size_t window = 0;  ///< key j is visible to query i iff j > i - window; 0: no window
  bool causal = true;      ///< key j is visible to query i iff j <= i
  dtype cache = dtype::f32;
};

/// What a query's weights came to: its highest score, and the sum of e^(score - highest).
struct attention_weight {
  float highest;
  float total;
};

/// Positions that kernels look at together: blocks begin at multiples of it.
inline constexpr std::size_t key_block = 64;

/// Consecutive queries of one sequence, [count, heads * head_dim], and the cached positions they may look at.
struct attention_rows {
  const float* queries = nullptr;
  std::size_t query_stride = 0;  ///< floats
  float* out = nullptr;          ///< [count, heads * head_dim]
  std::size_t out_stride = 0;    ///< floats
  std::size_t count = 0;
  std::size_t first_position = 0;  ///< of the first query
  /// In order of positions, without overlap. Where a part of the cache is looked at, each query sees some of it.
  std::span<const kv_span> cache;
  attention_weight* weights = nullptr;  ///< [count, heads], to combine what several parts gave; null: not wanted
};

/// Consecutive positions of one head of a recurrent layer. Its state [rows, columns] decays, takes up a value under a
/// key, and is asked by a query:
///   state = decay * state + key (rate * value)^T;   out = state^T query + skip * value
/// By the delta rule it takes up what the value is beside what the decayed state gives for the key:
///   state = decay * state + key (rate * (value - decay * state^T key))^T
struct recurrence {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t count = 0;  ///< positions
  const float* keys = nullptr;
  const float* queries = nullptr;
  std::size_t key_stride = 0;  ///< floats from one position's keys, and queries, to the next's
  const float* values = nullptr;
  std::size_t value_stride = 0;
  float* out = nullptr;
  std::size_t out_stride = 0;
  const float* decays = nullptr;
  const float* rates = nullptr;
  std::size_t factor_stride = 0;  ///< of decays and rates
  float skip = 0.0f;
  bool delta_rule = false;
};

}  // namespace inlay::kernels
