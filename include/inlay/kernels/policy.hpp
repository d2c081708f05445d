// SPDX-License-Identifier: Apache-2.0
// The concept of a kernel policy K: the only thing layers know of SIMD. A policy is a stateless type of static
// functions. There are three: plain (kernels/plain.hpp), dispatched (kernels/highway), and fixed (kernels/xsimd).
//
// Matrix products. Weights stay as in the checkpoint (layout::rows) or are packed at load into panels of 16 rows:
//   panel_bytes(type, rows, columns)   bytes of one panel, 0 if this policy reads such a matrix as it is in the file
//   pack_panel(type, rows, count, columns, out)   rows: pointers to `count` <= 16 rows in file format
//   wants_quantized(type)           whether products with this weight type read activations.quantized
//   form_for(rows)                  the form of activations that suits products of so many rows
//   quantized_row_bytes(columns)    bytes of one activation row in any form (a multiple of 64); 0 if never wanted
//   quantize_rows(x, out)           fills all rows of x in the form x.form
//   matmul(w, x, out, stride, begin, end, add)    out[i * stride + r] = or += w[r] . x[i], for rows r in [begin, end)
//   of w;
//                                   begin is a multiple of panel_rows, end too unless it is w.rows. One thread.
// Rows (n floats; no alignment asked; out may be an input):
//   dot, rms_norm (w may be null: no scale), layer_norm, softmax, rope_half, rope_interleaved
//   map(formula, n, out, a[, b[, c[, d]]])        out[i] = formula(a[i], b[i], ...)
// Recurrence. scan(state, recurrence): positions of one head of a state-space or delta-rule layer (types.hpp has the
// equations).
// Attention. store(type, x, n, out) converts cache rows; attention(shape, rows, kv_head, begin, end) computes the query
// heads that share `kv_head` for query rows [begin, end). The result does not depend on how rows are split over calls.
#pragma once

#include <concepts>
#include <cstddef>

#include "inlay/kernels/formula.hpp"
#include "inlay/kernels/types.hpp"

namespace inlay::kernels {

template <class K>
concept kernel_policy =
    requires(dtype type, std::size_t n, const std::byte* const* rows, std::byte* bytes, const float* x, float* y,
             const matrix_ref& w, const activations& in, const attention_shape& shape, const attention_rows& queries,
             const recurrence& positions) {
      { K::panel_bytes(type, n, n) } -> std::same_as<std::size_t>;
      { K::pack_panel(type, rows, n, n, bytes) } -> std::same_as<void>;
      { K::wants_quantized(type) } -> std::same_as<bool>;
      { K::form_for(n) } -> std::same_as<activation_form>;
      { K::quantized_row_bytes(n) } -> std::same_as<std::size_t>;
      { K::quantize_rows(in, bytes) } -> std::same_as<void>;
      { K::matmul(w, in, y, n, n, n, true) } -> std::same_as<void>;
      { K::dot(x, x, n) } -> std::same_as<float>;
      { K::rms_norm(x, x, y, n, 1e-5f) } -> std::same_as<void>;
      { K::layer_norm(x, x, x, y, n, 1e-5f) } -> std::same_as<void>;
      { K::softmax(y, n) } -> std::same_as<void>;
      { K::rope_half(y, x, x, n, n) } -> std::same_as<void>;
      { K::rope_interleaved(y, x, x, n) } -> std::same_as<void>;
      { K::map(formula::silu(formula::a) * formula::b, n, y, x, x) } -> std::same_as<void>;
      { K::scan(y, positions) } -> std::same_as<void>;
      { K::store(type, x, n, bytes) } -> std::same_as<void>;
      { K::attention(shape, queries, n, n, n) } -> std::same_as<void>;
    };

}  // namespace inlay::kernels
