// SPDX-License-Identifier: Apache-2.0
// All kernels of one CPU target, as a kernel policy. Included once per target, by foreach_target.hpp only.

// Targets without fused multiply-add are there so that something runs everywhere. Beside better ones they get small
// kernels instead of fast ones, or they would be most of the compile time. (foreach_target.hpp names them differently.)
#if INLAY_COMPILED_TARGETS & INLAY_SMALL_TARGETS & HWY_TARGET
#define INLAY_SMALL_KERNELS 1
#else
#define INLAY_SMALL_KERNELS 0
#endif

// clang-format off: each builds on those above it
#include "inlay/kernels/highway/basics-inl.hpp"
#include "inlay/kernels/highway/math-inl.hpp"
#include "inlay/kernels/highway/rows-inl.hpp"
#include "inlay/kernels/highway/attention_base-inl.hpp"
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
#include "inlay/kernels/highway/attention_q8_base-inl.hpp"
#include "inlay/kernels/highway/attention_q8_few-inl.hpp"
#include "inlay/kernels/highway/attention_q8-inl.hpp"
#endif
#if INLAY_AMX_HOST & HWY_TARGET
#include "inlay/kernels/highway/attention_bf16_base-inl.hpp"
#include "inlay/kernels/highway/attention_bf16-inl.hpp"
#endif
#include "inlay/kernels/highway/attention-inl.hpp"
#include "inlay/kernels/highway/state-inl.hpp"
#if INLAY_SMALL_KERNELS
#include "inlay/kernels/highway/small_products-inl.hpp"
#else
#include "inlay/kernels/highway/matmul-inl.hpp"
#endif
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

struct kernels {
  static constexpr std::int64_t target = HWY_TARGET;
  /// As Highway and INLAY_TARGET spell it: "AVX2".
  static constexpr std::string_view name =
      std::string_view(HWY_STR(HWY_NAMESPACE)).substr(std::string_view(HWY_STR(HWY_NAMESPACE)).find("N_") + 2);
  static constexpr std::size_t vector_floats = lanes;

  static std::size_t panel_bytes(dtype type, std::size_t rows, std::size_t columns) {
    return HWY_NAMESPACE::panel_bytes(type, rows, columns);
  }
  static void pack_panel(dtype type, const std::byte* const* rows, std::size_t count, std::size_t columns,
                         std::byte* out) {
    HWY_NAMESPACE::pack_panel(type, rows, count, columns, out);
  }
  static bool wants_quantized(dtype type) { return HWY_NAMESPACE::wants_quantized(type); }
  static activation_form form_for(std::size_t) { return activation_form::bytes; }
  static std::size_t quantized_row_bytes(std::size_t columns) { return HWY_NAMESPACE::quantized_row_bytes(columns); }
  static void quantize_rows(const activations& x, std::byte* out) { HWY_NAMESPACE::quantize_rows(x, out); }
  static void matmul(const matrix_ref& w, const activations& x, float* out, std::size_t stride, std::size_t begin,
                     std::size_t end, bool add) {
    HWY_NAMESPACE::matmul(w, x, out, stride, begin, end, add);
  }

  static float dot(const float* a, const float* b, std::size_t n) { return HWY_NAMESPACE::dot(a, b, n); }
  static void rms_norm(const float* x, const float* w, float* y, std::size_t n, float epsilon) {
    HWY_NAMESPACE::rms_norm(x, w, y, n, epsilon);
  }
  static void layer_norm(const float* x, const float* w, const float* b, float* y, std::size_t n, float epsilon) {
    HWY_NAMESPACE::layer_norm(x, w, b, y, n, epsilon);
  }
  static void softmax(float* x, std::size_t n) { HWY_NAMESPACE::softmax(x, n); }
  static void rope_half(float* x, const float* cosines, const float* sines, std::size_t pairs, std::size_t distance) {
    HWY_NAMESPACE::rope_half(x, cosines, sines, pairs, distance);
  }
  static void rope_interleaved(float* x, const float* cosines, const float* sines, std::size_t pairs) {
    HWY_NAMESPACE::rope_interleaved(x, cosines, sines, pairs);
  }
  template <formula::formula F, class... More>
  static void map(F f, std::size_t n, float* out, const float* first, const More*... more) {
    HWY_NAMESPACE::map(f, n, out, first, more...);
  }
  static void store(dtype type, const float* x, std::size_t n, std::byte* out) {
    HWY_NAMESPACE::store_row(type, x, n, out);
  }
  static void scan(float* state, const recurrence& r) { HWY_NAMESPACE::scan(state, r); }
  static void attention(const attention_shape& shape, const attention_rows& rows, std::size_t kv_head,
                        std::size_t begin, std::size_t end) {
    HWY_NAMESPACE::attention(shape, rows, kv_head, begin, end);
  }
};

#if INLAY_AMX_HOST & HWY_TARGET
/// The same with products of many rows, and attention of many queries, by matrix units.
struct amx_kernels : kernels {
  static constexpr std::int64_t target = inlay::kernels::detail::amx_target;
  static constexpr std::string_view name = "AMX";

  static activation_form form_for(std::size_t rows) {
    return rows < least_bf16_rows ? activation_form::bytes : activation_form::bf16;
  }
  static void quantize_rows(const activations& x, std::byte* out) {
    x.form == activation_form::bf16 ? round_rows(x, out) : HWY_NAMESPACE::quantize_rows(x, out);
  }
  static void matmul(const matrix_ref& w, const activations& x, float* out, std::size_t stride, std::size_t begin,
                     std::size_t end, bool add) {
    if (x.form == activation_form::bf16 && wants_quantized(w.type) && w.layout == layout::panels)
      multiply_bf16(w, x, out, stride, begin, end, add);
    else
      HWY_NAMESPACE::matmul(w, x, out, stride, begin, end, add);
  }
  static void attention(const attention_shape& shape, const attention_rows& rows, std::size_t kv_head,
                        std::size_t begin, std::size_t end) {
    attends_in_bf16(shape, rows.count * (shape.heads / shape.kv_heads))
        ? attend_in_bf16(shape, rows, kv_head, begin, end)
        : HWY_NAMESPACE::attention(shape, rows, kv_head, begin, end);
  }
};
#endif

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
#undef INLAY_SMALL_KERNELS
