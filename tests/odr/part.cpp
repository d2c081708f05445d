// SPDX-License-Identifier: Apache-2.0
// Compiled once per part, with INLAY_ODR_PART its name and INLAY_TARGETS its own.
#include "tests/odr/part.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "inlay/kernels/formula.hpp"
#include "inlay/kernels/highway/dispatch.hpp"
#include "inlay/quant/codec.hpp"
#include "inlay/quant/quantize.hpp"

namespace odr {

namespace {

/// Packs, quantizes and multiplies, with formats that may differ from one target's kernels to another's.
float product(const float* a, const float* b) {
  using namespace inlay;
  using kernels::dispatched;
  constexpr std::size_t rows = 20, columns = 64;
  const std::size_t row = row_bytes(dtype::q8_0, columns);
  std::vector<std::byte> file(rows * row);
  for (std::size_t r = 0; r < rows; ++r) quantize_row(dtype::q8_0, b, columns, file.data() + r * row);
  kernels::matrix_ref w{file.data(), rows, columns, dtype::q8_0, kernels::layout::rows};
  const std::size_t panel = dispatched::panel_bytes(dtype::q8_0, rows, columns);
  std::vector<std::byte> packed(2 * panel + 64);
  if (panel != 0) {
    std::byte* to = packed.data() + 64 - reinterpret_cast<std::uintptr_t>(packed.data()) % 64;
    for (std::size_t r = 0; r < rows; r += kernels::panel_rows) {
      const std::byte* from[kernels::panel_rows] = {};
      const std::size_t count = std::min(kernels::panel_rows, rows - r);
      for (std::size_t i = 0; i < count; ++i) from[i] = file.data() + (r + i) * row;
      dispatched::pack_panel(dtype::q8_0, from, count, columns, to + r / kernels::panel_rows * panel);
    }
    w.data = to;
    w.layout = kernels::layout::panels;
  }
  kernels::activations x{a, 1, columns, columns, nullptr};
  std::vector<std::byte> quantized(dispatched::quantized_row_bytes(columns) + 64);
  if (dispatched::wants_quantized(dtype::q8_0)) {
    std::byte* to = quantized.data() + 64 - reinterpret_cast<std::uintptr_t>(quantized.data()) % 64;
    dispatched::quantize_rows(x, to);
    x.quantized = to;
  }
  std::vector<float> out(rows);
  dispatched::matmul(w, x, out.data(), rows, 0, rows, false);
  return out.back();
}

}  // namespace

report INLAY_ODR_PART(const float* a, const float* b, std::size_t n) {
  using inlay::kernels::dispatched;
  constexpr std::int64_t matrix_units = INLAY_AMX_HOST != 0 ? inlay::kernels::detail::amx_target : 0;
  report result{INLAY_COMPILED_TARGETS | matrix_units,
                INLAY_BASELINE_TARGET,
                0,
                0,
                dispatched::dot(a, b, n),
                0.0f,
                product(a, b)};
  const char* const wanted = std::getenv("INLAY_TARGET");
  inlay::kernels::for_each_target([&](auto kernels) {
    if (wanted != nullptr && kernels.name == wanted) result.forced = kernels.target;
  });
  inlay::kernels::with_selected_target([&](auto kernels) { result.selected = kernels.target; });
  std::vector<float> out(n);
  using namespace inlay::formula;
  dispatched::map(tanh(inlay::formula::a) * inlay::formula::b + 1.0f, n, out.data(), a, b);
  result.mapped = out.back();
  return result;
}

}  // namespace odr

#define INLAY_ODR_NAME_OF(part) odr_##part
#define INLAY_ODR_NAME(part) INLAY_ODR_NAME_OF(part)

/// The same for programs that load the part at run time: odr_<part>.
extern "C" [[gnu::visibility("default")]] void INLAY_ODR_NAME(INLAY_ODR_PART)(const float* a, const float* b,
                                                                              std::size_t n, odr::report* out) {
  *out = odr::INLAY_ODR_PART(a, b, n);
}
