// SPDX-License-Identifier: Apache-2.0
// A kernel policy as a table of functions, and as a policy again: how a target is chosen at run time. Formulas are not
// in it, since they are types; linked.hpp has what stands for them.
#pragma once

#include <cstddef>
#include <string_view>

#include "inlay/kernels/types.hpp"

namespace inlay::kernels {

struct kernel_table {
  std::string_view name;
  std::size_t (*panel_bytes)(dtype, std::size_t, std::size_t);
  void (*pack_panel)(dtype, const std::byte* const*, std::size_t, std::size_t, std::byte*);
  bool (*wants_quantized)(dtype);
  activation_form (*form_for)(std::size_t);
  std::size_t (*quantized_row_bytes)(std::size_t);
  void (*quantize_rows)(const activations&, std::byte*);
  void (*matmul)(const matrix_ref&, const activations&, float*, std::size_t, std::size_t, std::size_t, bool);
  float (*dot)(const float*, const float*, std::size_t);
  void (*rms_norm)(const float*, const float*, float*, std::size_t, float);
  void (*layer_norm)(const float*, const float*, const float*, float*, std::size_t, float);
  void (*softmax)(float*, std::size_t);
  void (*rope_half)(float*, const float*, const float*, std::size_t, std::size_t);
  void (*rope_interleaved)(float*, const float*, const float*, std::size_t);
  void (*store)(dtype, const float*, std::size_t, std::byte*);
  void (*scan)(float*, const recurrence&);
  void (*attention)(const attention_shape&, const attention_rows&, std::size_t, std::size_t, std::size_t);
};

template <class K>
inline constexpr kernel_table table_of = {K::name,           &K::panel_bytes,
                                          &K::pack_panel,    &K::wants_quantized,
                                          &K::form_for,      &K::quantized_row_bytes,
                                          &K::quantize_rows, &K::matmul,
                                          &K::dot,           &K::rms_norm,
                                          &K::layer_norm,    &K::softmax,
                                          &K::rope_half,     &K::rope_interleaved,
                                          &K::store,         &K::scan,
                                          &K::attention};

/// The kernels of the table that Source::table() returns; a policy but for map().
template <class Source>
struct through_table {
  static std::size_t panel_bytes(dtype type, std::size_t rows, std::size_t columns) {
    return Source::table().panel_bytes(type, rows, columns);
  }
  static void pack_panel(dtype type, const std::byte* const* rows, std::size_t count, std::size_t columns,
                         std::byte* out) {
    Source::table().pack_panel(type, rows, count, columns, out);
  }
  static bool wants_quantized(dtype type) { return Source::table().wants_quantized(type); }
  static activation_form form_for(std::size_t rows) { return Source::table().form_for(rows); }
  static std::size_t quantized_row_bytes(std::size_t columns) { return Source::table().quantized_row_bytes(columns); }
  static void quantize_rows(const activations& x, std::byte* out) { Source::table().quantize_rows(x, out); }
  static void matmul(const matrix_ref& w, const activations& x, float* out, std::size_t stride, std::size_t begin,
                     std::size_t end, bool add) {
    Source::table().matmul(w, x, out, stride, begin, end, add);
  }
  static float dot(const float* a, const float* b, std::size_t n) { return Source::table().dot(a, b, n); }
  static void rms_norm(const float* x, const float* w, float* y, std::size_t n, float epsilon) {
    Source::table().rms_norm(x, w, y, n, epsilon);
  }
  static void layer_norm(const float* x, const float* w, const float* b, float* y, std::size_t n, float epsilon) {
    Source::table().layer_norm(x, w, b, y, n, epsilon);
  }
  static void softmax(float* x, std::size_t n) { Source::table().softmax(x, n); }
  static void rope_half(float* x, const float* cosines, const float* sines, std::size_t pairs, std::size_t distance) {
    Source::table().rope_half(x, cosines, sines, pairs, distance);
  }
  static void rope_interleaved(float* x, const float* cosines, const float* sines, std::size_t pairs) {
    Source::table().rope_interleaved(x, cosines, sines, pairs);
  }
  static void store(dtype type, const float* x, std::size_t n, std::byte* out) {
    Source::table().store(type, x, n, out);
  }
  static void scan(float* state, const recurrence& r) { Source::table().scan(state, r); }
  static void attention(const attention_shape& shape, const attention_rows& rows, std::size_t kv_head,
                        std::size_t begin, std::size_t end) {
    Source::table().attention(shape, rows, kv_head, begin, end);
  }
};

}  // namespace inlay::kernels
