// SPDX-License-Identifier: Apache-2.0
// Products of packed formats with many rows of activations by matrix units: both become bf16, whose products are summed
// in f32 without any scales on the way.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

/// Rows of activations from which on this is faster than products of bytes.
inline constexpr std::size_t least_bf16_rows = 20;

namespace detail {

/// 32 rows of activations and two panels: two tiles of either, and their four of sums.
struct bf16_block {
  static constexpr std::size_t rows = 2 * amx::tile_rows, width = 2 * panel_rows;
  static constexpr int sums = 0, x = 4, w = 6;  ///< numbers of the first tiles

  const std::byte* activations;
  std::size_t activation_stride;  ///< bytes
  const bf16_line* panels[2];
  std::size_t lines;
  const float* from;        ///< sums so far; null: none
  std::size_t from_stride;  ///< bytes
  float* to;
  std::size_t to_stride;
};

/// Tiles of `rows` rows of activations and `width` rows of weights.
inline amx::tile_shapes shapes_of_block(std::size_t rows, std::size_t width) {
  amx::tile_shapes shapes;
  const auto part = [](std::size_t all, std::size_t half, std::size_t size) {
    return half == 0 ? std::min(all, size) : all - std::min(all, size);
  };
  for (std::size_t i = 0; i < 2; ++i) {
    const std::size_t some_rows = part(rows, i, amx::tile_rows), some_width = 4 * part(width, i, panel_rows);
    if (some_rows != 0) shapes.set(bf16_block::x + i, some_rows, amx::tile_row_bytes);
    if (some_width != 0) shapes.set(bf16_block::w + i, amx::tile_rows, some_width);
    for (std::size_t j = 0; j < 2; ++j) {
      const std::size_t of_panel = 4 * part(width, j, panel_rows);
      if (some_rows != 0 && of_panel != 0) shapes.set(bf16_block::sums + 2 * i + j, some_rows, of_panel);
    }
  }
  return shapes;
}

/// Of a block that has but one tile of activations, or one panel, the second one's are left out.
template <bool SecondRows, bool SecondPanel>
HWY_NOINLINE void multiply_block(const bf16_block& b) {
  if (b.from != nullptr) {
    const float* const lower = b.from + amx::tile_rows * (b.from_stride / sizeof(float));
    amx::load<0>(b.from, b.from_stride);
    if constexpr (SecondPanel) amx::load<1>(b.from + panel_rows, b.from_stride);
    if constexpr (SecondRows) amx::load<2>(lower, b.from_stride);
    if constexpr (SecondRows && SecondPanel) amx::load<3>(lower + panel_rows, b.from_stride);
  } else {
    amx::set_zero<0>();
    if constexpr (SecondPanel) amx::set_zero<1>();
    if constexpr (SecondRows) amx::set_zero<2>();
    if constexpr (SecondRows && SecondPanel) amx::set_zero<3>();
  }
  const std::byte* x = b.activations;
  const std::size_t second = amx::tile_rows * b.activation_stride;
  for (std::size_t line = 0; line < b.lines; ++line, x += sizeof(hwy::bfloat16_t) * line_columns) {
    amx::load<6>(b.panels[0] + line, amx::tile_row_bytes);
    amx::load<4>(x, b.activation_stride);
    amx::multiply_add<0, 4, 6>();
    if constexpr (SecondPanel) {
      amx::load<7>(b.panels[1] + line, amx::tile_row_bytes);
      amx::multiply_add<1, 4, 7>();
    }
    if constexpr (SecondRows) {
      amx::load<5>(x + second, b.activation_stride);
      amx::multiply_add<2, 5, 6>();
      if constexpr (SecondPanel) amx::multiply_add<3, 5, 7>();
    }
  }
  float* const lower = b.to + amx::tile_rows * (b.to_stride / sizeof(float));
  amx::store<0>(b.to, b.to_stride);
  if constexpr (SecondPanel) amx::store<1>(b.to + panel_rows, b.to_stride);
  if constexpr (SecondRows) amx::store<2>(lower, b.to_stride);
  if constexpr (SecondRows && SecondPanel) amx::store<3>(lower + panel_rows, b.to_stride);
}

inline void multiply_block(const bf16_block& b, std::size_t rows, std::size_t width) {
  const bool second_rows = rows > amx::tile_rows, second_panel = width > panel_rows;
  if (second_rows)
    second_panel ? multiply_block<true, true>(b) : multiply_block<true, false>(b);
  else
    second_panel ? multiply_block<false, true>(b) : multiply_block<false, false>(b);
}

}  // namespace detail

/// out[i * stride + r] = or += w[r] . x[i]. Some columns of two panels at a time are unpacked, and multiplied with one
/// block of activations after the other. As many columns are gone through first as stay in the second-level cache: of
/// many more, sums lie in `out` meanwhile.
inline void multiply_bf16(const block_kernels& format, const matrix_ref& w, const activations& x, float* out,
                          std::size_t stride, std::size_t begin, std::size_t end, bool add) {
  using detail::bf16_block;
  constexpr std::size_t chunk = group_columns, most_rows = 256, cache_bytes = 1 << 20;
  alignas(64) float sums[most_rows * bf16_block::width];
  alignas(64) bf16_line unpacked[2][chunk / line_columns];
  const std::size_t panel_bytes = packed_panel_bytes(format, w.columns);
  bf16_block block;
  block.activation_stride = quantized_row_bytes(w.columns);
  for (std::size_t p = 0; p < 2; ++p) block.panels[p] = unpacked[p];
  amx::tile_shapes current;
  for (std::size_t first = 0; first < x.count; first += most_rows) {
    const std::size_t rows = std::min(most_rows, x.count - first);
    const std::size_t span = std::max(cache_bytes / (rows * sizeof(hwy::bfloat16_t) * chunk), std::size_t{1}) * chunk;
    for (std::size_t from = 0; from < w.columns; from += span) {
      const std::size_t to = std::min(from + span, w.columns);
      for (std::size_t r = begin; r < end; r += bf16_block::width) {
        const std::size_t width = std::min(bf16_block::width, end - r);
        for (std::size_t c = from; c < to; c += chunk) {
          block.lines = std::min(chunk, w.columns - c) / line_columns;
          const bool starts = c == from, ends = c + chunk >= to;
          const std::byte* const group = w.data + r / panel_rows * panel_bytes + c / line_columns * format.line_bytes;
          // What is unpacked after this.
          const std::byte* const next = ends ? group - (c - from) / line_columns * format.line_bytes + 2 * panel_bytes
                                             : group + block.lines * format.line_bytes;
          for (std::size_t p = 0; p * panel_rows < width; ++p)
            format.unpack_bf16(group + p * panel_bytes, block.lines, unpacked[p], next + p * panel_bytes);
          block.from_stride = (starts ? stride : bf16_block::width) * sizeof(float);
          block.to_stride = (ends ? stride : bf16_block::width) * sizeof(float);
          for (std::size_t i = 0; i < rows; i += bf16_block::rows) {
            const std::size_t some = std::min(bf16_block::rows, rows - i);
            if (const amx::tile_shapes shapes = detail::shapes_of_block(some, width); shapes != current)
              amx::configure(current = shapes);
            float* const of_block = sums + i * bf16_block::width;
            float* const of_out = out + (first + i) * stride + r;
            block.activations = x.quantized + (first + i) * block.activation_stride + c * sizeof(hwy::bfloat16_t);
            block.from = !starts ? of_block : add || c != 0 ? of_out : nullptr;
            block.to = ends ? of_out : of_block;
            detail::multiply_block(block, some, width);
          }
        }
      }
    }
  }
  amx::release();
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
