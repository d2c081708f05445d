// SPDX-License-Identifier: Apache-2.0
// Products of packed block formats with quantized activations.
//
// One activation row is bound by memory, more of them by the multiply-adds: there are two ways to multiply. The code
// that depends on a format, a panel and a group of columns at a time, is reached through `block_kernels`.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

namespace detail {

template <class Format>
constexpr block_kernels kernels_of_format() {
  using form = unpacked_form<Format>;
  constexpr std::size_t long_rows = form::scales == 2 ? block_tile_rows : long_tile_rows;
  block_kernels kernels{
      Format::line_bytes,
      &Format::pack,
      &add_row<Format>,
      &unpack<Format>,
      &multiply_tiles<form::most, form::offset, form::scales, form::folded, form::bases, block_tile_rows>,
      &multiply_tiles<form::most, form::offset, form::scales, form::folded, form::bases, long_rows>,
      long_rows};
  if constexpr (multiplies_few_rows) {
    kernels.add_few_rows = &add_few_rows<Format, block_tile_panels, block_tile_rows>;
    kernels.reads_alone = reads_alone<Format>;
    if constexpr (Format::scales == 1 || Format::fold != 0)
      kernels.add_more_rows = &add_few_rows<Format, 1, most_few_rows>;
    if (Format::scales == 1 || Format::fold > 0)  // as measured on AMD's cores; multiply_rows knows what suits Intel's
      kernels.few_rows = Format::bases == 0 || Format::most == 15 ? most_few_rows : block_tile_rows;
  }
#if INLAY_AMX_HOST & HWY_TARGET
  kernels.unpack_bf16 = &unpack_bf16<Format>;
#endif
  return kernels;
}

/// The first `count` of 16 floats.
HWY_INLINE void store_rows(const float* from, std::size_t count, float* out, bool add) {
  for (std::size_t i = 0; i < count; i += lanes) {
    const f32s v = load(from + i);
    const std::size_t n = count - i;
    if (n >= lanes)
      store(add ? hn::Add(v, load(out + i)) : v, out + i);
    else
      store_tail(add ? hn::Add(v, load_tail(out + i, n)) : v, out + i, n);
  }
}

}  // namespace detail

inline std::size_t packed_panel_bytes(const block_kernels& format, std::size_t columns) {
  return (columns / line_columns * format.line_bytes + 63) / 64 * 64;
}

/// One activation row: out[r] = or += w[r] . x for r in [begin, end). Panels are read one after another: on the
/// memory's side a single stream with prefetches far enough ahead is as fast as several.
inline void multiply_row(const block_kernels& format, const matrix_ref& w, const quantized_line* x, float* out,
                         std::size_t begin, std::size_t end, bool add) {
  const std::size_t panel_bytes = packed_panel_bytes(format, w.columns);
  const std::byte* panel = w.data + begin / panel_rows * panel_bytes;
  const std::byte* const panels_end = w.data + (end + panel_rows - 1) / panel_rows * panel_bytes;
  const read_pace pace = pace_of_reads();
  const auto ahead_of = [&](const std::byte* group, std::size_t distance) {
    const std::ptrdiff_t behind = group + distance - panels_end;
    return w.then != nullptr && behind >= 0 ? w.then + behind : panels_end + behind;
  };
  prefetch(panel, std::max(pace.near, pace.far));
  for (std::size_t r = begin; r < end; r += panel_rows, panel += panel_bytes) {
    const std::byte* group = panel;
    alignas(64) float sums[panel_rows] = {};
    for (std::size_t c = 0; c < w.columns; c += group_columns) {
      const std::size_t lines = std::min(group_columns, w.columns - c) / line_columns;
      format.add_row(group, lines, x + c / line_columns, sums,
                     {ahead_of(group, pace.near), pace.far != 0 ? ahead_of(group, pace.far) : nullptr});
      group += lines * format.line_bytes;
    }
    detail::store_rows(sums, std::min(panel_rows, end - r), out + r, add);
  }
}

/// At most most_few_rows activation rows: out[i * stride + r] = or += w[r] . x[i]. While a tile is worked on, the next
/// one is asked for in the order of its memory: one stream is read faster than one of each panel, unless a core's own
/// prefetchers follow. Such cores also have more than block_tile_rows multiplied panel by panel.
inline void multiply_few_rows(const block_kernels& format, const matrix_ref& w, const quantized_line* x,
                              std::size_t x_rows, float* out, std::size_t stride, std::size_t begin, std::size_t end,
                              bool add) {
  const std::size_t panel_bytes = packed_panel_bytes(format, w.columns);
  const read_pace pace = pace_of_reads();
  const bool follows = pace.far != 0, one_panel = follows && x_rows > block_tile_rows;
  const std::size_t panels = one_panel ? 1 : block_tile_panels;
  const std::size_t tile_rows = one_panel ? most_few_rows : block_tile_rows;
  const std::size_t tiles = (x_rows + tile_rows - 1) / tile_rows;
  const std::size_t ahead_bytes = (block_tile_panels * format.line_bytes + 64 * tiles - 1) / (64 * tiles) * 64;
  alignas(64) float sums[most_few_rows * block_tile_width];
  few_rows_work work;
  work.row_lines = quantized_row_bytes(w.columns) / sizeof(quantized_line);
  work.zero = 0.0f;
  work.own_reads = follows && format.reads_alone;
  const std::byte* const first = w.data + begin / panel_rows * panel_bytes;
  for (std::size_t p = 0; p < panels; ++p) prefetch(first + p * panel_bytes, std::max(pace.near, pace.far));
  for (std::size_t r = begin; r < end; r += panels * panel_rows) {
    std::fill(sums, sums + tiles * tile_rows * block_tile_width, 0.0f);
    const std::byte* const panel = w.data + r / panel_rows * panel_bytes;
    std::size_t done = 0;  // bytes of each panel
    work.ahead = {panel + block_tile_panels * panel_bytes, ahead_bytes};
    for (std::size_t c = 0; c < w.columns; c += group_columns) {
      work.lines = std::min(group_columns, w.columns - c) / line_columns;
      for (std::size_t p = 0; p < panels; ++p) {  // an absent panel repeats the first one
        const std::size_t at = r + p * panel_rows < end ? p * panel_bytes : 0;
        work.groups[p] = panel + at + done;
        // Behind a panel's end, the next tile's.
        const std::size_t skip = done + pace.most_ahead < panel_bytes ? 0 : (panels - 1) * panel_bytes;
        work.own[p] = work.groups[p] + pace.most_ahead + skip;
      }
      for (std::size_t i = 0; i < x_rows; i += tile_rows) {
        work.rows = std::min(tile_rows, x_rows - i);
        work.x = x + i * work.row_lines + c / line_columns;
        work.sums = sums + i * block_tile_width;
        (one_panel ? format.add_more_rows : format.add_few_rows)(work);
        work.ahead.next += work.lines * ahead_bytes;
      }
      done += work.lines * format.line_bytes;
    }
    for (std::size_t p = 0; p < panels && r + p * panel_rows < end; ++p)
      for (std::size_t i = 0; i < x_rows; ++i)
        detail::store_rows(sums + i * block_tile_width + p * panel_rows, std::min(panel_rows, end - r - p * panel_rows),
                           out + i * stride + r + p * panel_rows, add);
  }
}

/// Several activation rows: out[i * stride + r] = or += w[r] . x[i].
inline void multiply_rows(const block_kernels& format, const matrix_ref& w, const quantized_line* x, std::size_t x_rows,
                          float* out, std::size_t stride, std::size_t begin, std::size_t end, bool add) {
  const bool follows = pace_of_reads().far != 0;
  const std::size_t with_panels = format.add_more_rows != nullptr ? most_few_rows : block_tile_rows;
  if (format.add_few_rows != nullptr && x_rows <= (follows ? with_panels : format.few_rows))
    return multiply_few_rows(format, w, x, x_rows, out, stride, begin, end, add);
  // Rows that are multiplied with weights before the next ones are unpacked, in tiles.
  constexpr std::size_t most_batch = 256 + long_tile_rows;
  const auto in_tiles = [](std::size_t rows, std::size_t tile) { return (rows + tile - 1) / tile * tile; };
  const bool long_tiles = in_tiles(x_rows, format.long_rows) * 25 <= in_tiles(x_rows, block_tile_rows) * 26;
  const std::size_t tile_rows = long_tiles ? format.long_rows : block_tile_rows;
  const std::size_t batch = in_tiles(256, tile_rows);
  const std::size_t panel_bytes = packed_panel_bytes(format, w.columns);
  const std::size_t row_lines = quantized_row_bytes(w.columns) / sizeof(quantized_line);
  alignas(64) float sums[most_batch * block_tile_width];
  alignas(64) unpacked_group unpacked[block_tile_groups][block_tile_panels];
  tile_work work;
  work.row_lines = row_lines;
  work.zero = 0.0f;
  for (std::size_t i = 0; i < x_rows; i += batch) {
    work.rows = std::min(batch, x_rows - i);
    const std::size_t tiles = (work.rows + tile_rows - 1) / tile_rows;
    // Asked for while unpacking, and with every tile.
    const std::size_t ahead_bytes = ((format.line_bytes + 63) / 64 + tiles) / (tiles + 1) * 64;
    for (std::size_t r = begin; r < end; r += block_tile_width) {
      const std::byte* panel[block_tile_panels];
      for (std::size_t p = 0; p < block_tile_panels; ++p)  // an absent panel repeats the first one
        panel[p] = w.data + (r / panel_rows + (r + p * panel_rows < end ? p : 0)) * panel_bytes;
      const bool direct = !add && r + block_tile_width <= end;
      for (std::size_t c = 0; c < w.columns;) {
        const std::size_t now = std::min(block_tile_groups * group_columns, w.columns - c) / line_columns;
        const std::size_t skip = c + now * line_columns < w.columns ? 0 : (block_tile_panels - 1) * panel_bytes;
        for (std::size_t p = 0; p < block_tile_panels; ++p)
          work.ahead[p] = {panel[p] + now * format.line_bytes + skip, ahead_bytes};
        work.x = x + i * row_lines + c / line_columns;
        work.from = c == 0 ? nullptr : sums;
        for (work.groups = 0; work.groups < block_tile_groups && c < w.columns; ++work.groups) {
          const std::size_t lines = std::min(group_columns, w.columns - c) / line_columns;
          work.lines[work.groups] = lines;
          work.unpacked[work.groups] = unpacked[work.groups];
          for (std::size_t p = 0; p < block_tile_panels; ++p) {
            work.codes[work.groups][p] = format.unpack(panel[p], lines, unpacked[work.groups][p], work.ahead[p]);
            panel[p] += lines * format.line_bytes;
          }
          c += lines * line_columns;
        }
        const bool last = c == w.columns;
        work.to = last && direct ? out + i * stride + r : sums;
        work.to_stride = last && direct ? stride : block_tile_width;
        (long_tiles ? format.multiply_long_tiles : format.multiply_tiles)(work);
      }
      if (direct) continue;
      for (std::size_t p = 0; p < block_tile_panels && r + p * panel_rows < end; ++p)
        for (std::size_t m = 0; m < work.rows; ++m)
          detail::store_rows(sums + m * block_tile_width + p * panel_rows,
                             std::min(panel_rows, end - r - p * panel_rows),
                             out + (i + m) * stride + r + p * panel_rows, add);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
