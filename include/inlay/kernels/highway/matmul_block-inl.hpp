// SPDX-License-Identifier: Apache-2.0
// Products of packed block formats with quantized activations.
//
// One activation row is bound by memory: codes are unpacked in registers. More of them are multiplied tile by tile with
// a group of weights that was unpacked once, to bytes and float scales, which is the same for all formats. The code
// that depends on a format, a panel and a group of columns at a time, is reached through `block_kernels`.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

/// A group of a panel in a form that costs nothing to read.
struct unpacked_group {
  std::uint8_t codes[group_columns / 4][step_bytes];
  float scales[2 * group_lines][panel_rows];
  float bases[2 * group_lines][panel_rows];
};

/// Panels and activation rows of a tile: its sums and what they are made of fit the registers.
inline constexpr std::size_t block_tile_panels = HWY_MAX_BYTES >= 64 ? 2 : 1;
inline constexpr std::size_t block_tile_rows = 4;
inline constexpr std::size_t block_tile_vectors = block_tile_panels * panel_vectors;
inline constexpr std::size_t block_tile_width = block_tile_panels * panel_rows;

/// A group of the panels of a tile, and up to block_tile_rows activation rows, `row_lines` lines apart.
struct tile_work {
  const unpacked_group* weights;
  std::size_t lines;
  std::size_t bases;        ///< a line's
  const quantized_line* x;  ///< the group's first line
  std::size_t row_lines, rows;
  float* sums;  ///< [rows][block_tile_width], added to
  float zero;   ///< 0: g++ makes a memset of an array of vectors that starts from a constant
};

/// What depends on a format.
struct block_kernels {
  std::size_t line_bytes = 0;  ///< 0: the type is not packed
  std::size_t bases = 0;       ///< of an unpacked line
  void (*pack)(const std::byte* const* rows, std::size_t count, std::size_t columns, std::byte* out) = nullptr;
  /// sums[r] += w[r] . x, for the 16 rows and the `lines` lines of a group.
  void (*add_row)(const std::byte* group, std::size_t lines, const quantized_line* x, float* sums) = nullptr;
  void (*unpack)(const std::byte* group, std::size_t lines, unpacked_group& to) = nullptr;
  void (*add_tile)(const tile_work& work) = nullptr;
};

/// How far ahead of their use weights are asked for, in bytes.
inline constexpr std::size_t prefetch_distance = 2048;

namespace detail {

HWY_INLINE void prefetch(const std::byte* p, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += 64) hwy::Prefetch(p + i);
}

// ---- one activation row ---------------------------------------------------------------------------------------------

template <class Format>
HWY_NOINLINE void add_row(const std::byte* group, std::size_t lines, const quantized_line* x, float* to) {
  constexpr std::size_t stride = Format::stride, loads = Format::loads, scales = Format::scales;
  constexpr std::size_t steps = line_steps / scales;
  constexpr std::size_t codes_of_load = stride * line_steps / loads;
  const typename Format::group w(group, lines);
  const f32_tag d;
  const f32s unit = splat(x->unit);
  f32s sums[panel_vectors];
  f32s bases[panel_vectors];
  INLAY_UNROLL
  for (std::size_t v = 0; v < panel_vectors; ++v) sums[v] = bases[v] = zero();
  for (std::size_t line = 0; line < lines; line += stride, x += stride) {
    prefetch(group + prefetch_distance + line * Format::line_bytes, stride * Format::line_bytes);
    INLAY_UNROLL
    for (std::size_t v = 0; v < panel_vectors; ++v) {
      step_sums<Format::most, steps> dots[stride][scales];
      INLAY_UNROLL
      for (std::size_t l = 0; l < stride; ++l) INLAY_UNROLL
      for (std::size_t part = 0; part < scales; ++part)
        dots[l][part].start(start_of_sums<Format::offset>(scales == 1 ? x[l].offset : x[l].half_offsets[part]));
      INLAY_UNROLL
      for (std::size_t i = 0; i < loads; ++i) {
        u8s codes[codes_of_load];
        w.codes(line, i, v, codes);
        INLAY_UNROLL
        for (std::size_t j = 0; j < codes_of_load; ++j) {
          const std::size_t l = stride == 1 ? 0 : j;
          const std::size_t step = stride == 1 ? i + j * loads : i;
          const std::size_t turn = stride == 1 ? i * codes_of_load + j : i % steps;
          dots[l][step / steps].add(turn, codes[j], splat_quad(x[l].q + 4 * step));
        }
      }
      INLAY_UNROLL
      for (std::size_t l = 0; l < stride; ++l) {
        if constexpr (Format::whole_scales) {
          i32s sum = hn::Mul(w.number(line + l, 0, v), dots[l][0].sums());
          if constexpr (scales == 2) sum = hn::Add(sum, hn::Mul(w.number(line + l, 1, v), dots[l][1].sums()));
          const i32s power = splat_int(x[l].exponent + (127 << 23));
          sums[v] = multiply_add(hn::ConvertTo(d, sum), hn::BitCast(d, power), sums[v]);
          if constexpr (Format::bases != 0) {
            INLAY_UNROLL
            for (std::size_t part = 0; part < Format::bases; ++part)
              bases[v] = multiply_add(hn::ConvertTo(d, w.base_number(line + l, part, v)),
                                      splat(Format::bases == 1 ? x[l].sum : x[l].half_sums[part]), bases[v]);
          }
        } else {
          sums[v] = scaled_sum(dots[l][0].sums(), w.scale(line + l, 0, v), splat_int(x[l].exponent), sums[v]);
          if constexpr (Format::bases != 0) bases[v] = multiply_add(w.base(line + l, 0, v), splat(x[l].sum), bases[v]);
        }
      }
    }
  }
  INLAY_UNROLL
  for (std::size_t v = 0; v < panel_vectors; ++v) {
    if constexpr (Format::whole_scales) {
      sums[v] = hn::Mul(sums[v], w.factor(v));
      if constexpr (Format::bases != 0) sums[v] = multiply_add(bases[v], w.base_factor(v), sums[v]);
    } else if constexpr (Format::bases != 0) {
      sums[v] = hn::Add(sums[v], bases[v]);
    }
    store(multiply_add(sums[v], unit, load(to + v * lanes)), to + v * lanes);
  }
}

// ---- several rows ---------------------------------------------------------------------------------------------------

/// Where only sums of small codes are fast, unpacked codes stay small, and an offset becomes a base.
template <class Format>
struct unpacked_form {
  static constexpr bool small = has_pair_u8_i8 && Format::most != signed_codes;
  static constexpr int most = !small ? signed_codes : Format::most <= 15 ? 15 : Format::most <= 31 ? 31 : 63;
  static constexpr int change = small ? 0 : sign_offset - Format::offset;
  static constexpr bool offset_as_base = small && Format::offset != 0;
  static constexpr std::size_t bases = offset_as_base ? Format::scales : Format::bases;
};

template <class Format>
HWY_NOINLINE void unpack(const std::byte* group, std::size_t lines, unpacked_group& to) {
  using form = unpacked_form<Format>;
  constexpr std::size_t stride = Format::stride, loads = Format::loads;
  constexpr std::size_t codes_of_load = stride * line_steps / loads;
  const typename Format::group from(group, lines);
  const f32_tag d;
  for (std::size_t line = 0; line < lines; line += stride) {
    INLAY_UNROLL
    for (std::size_t v = 0; v < panel_vectors; ++v) {
      INLAY_UNROLL
      for (std::size_t i = 0; i < loads; ++i) {
        u8s codes[codes_of_load];
        from.codes(line, i, v, codes);
        INLAY_UNROLL
        for (std::size_t j = 0; j < codes_of_load; ++j) {
          const std::size_t step = stride == 1 ? line * line_steps + i + j * loads : (line + j) * line_steps + i;
          if constexpr (form::change != 0) codes[j] = hn::Add(codes[j], splat_byte(form::change));
          hn::StoreU(codes[j], u8_tag(), to.codes[step] + v * vector_bytes);
        }
      }
      INLAY_UNROLL
      for (std::size_t i = 0; i < stride * Format::scales; ++i) {
        f32s scale;
        if constexpr (Format::whole_scales)
          scale =
              hn::Mul(hn::ConvertTo(d, from.number(line + i / Format::scales, i % Format::scales, v)), from.factor(v));
        else
          scale = from.scale(line + i, 0, v);
        const std::size_t at = line * Format::scales + i;
        store(scale, to.scales[at] + v * lanes);
        if constexpr (form::offset_as_base) store(hn::Mul(scale, splat(-Format::offset)), to.bases[at] + v * lanes);
      }
      if constexpr (Format::bases != 0) {
        INLAY_UNROLL
        for (std::size_t i = 0; i < stride * Format::bases; ++i) {
          f32s base;
          if constexpr (Format::whole_scales)
            base = hn::Mul(hn::ConvertTo(d, from.base_number(line + i / Format::bases, i % Format::bases, v)),
                           from.base_factor(v));
          else
            base = from.base(line + i, 0, v);
          store(base, to.bases[line * Format::bases + i] + v * lanes);
        }
      }
    }
  }
}

template <int Most, std::size_t Scales>
HWY_NOINLINE void add_tile(const tile_work& work) {
  constexpr std::size_t steps = line_steps / Scales;
  constexpr int offset = Most == signed_codes ? sign_offset : 0;
  const quantized_line* x[block_tile_rows];
  x[0] = work.x;
  INLAY_UNROLL
  for (std::size_t m = 1; m < block_tile_rows; ++m) x[m] = m < work.rows ? x[m - 1] + work.row_lines : x[m - 1];
  f32s tile[block_tile_vectors][block_tile_rows];
  INLAY_UNROLL
  for (std::size_t m = 0; m < block_tile_rows; ++m) {
    INLAY_UNROLL
    for (std::size_t v = 0; v < block_tile_vectors; ++v) tile[v][m] = splat(work.zero);
  }
  f32s unit[block_tile_rows];
  INLAY_UNROLL
  for (std::size_t m = 0; m < block_tile_rows; ++m) unit[m] = splat(x[m]->unit);
  const std::uint8_t* codes = work.weights->codes[0];
  const float* scales = work.weights->scales[0];
  constexpr std::size_t panel_codes = sizeof(unpacked_group);
  constexpr std::size_t panel_floats = sizeof(unpacked_group) / sizeof(float);
  for (std::size_t line = 0; line < work.lines; ++line) {
    INLAY_UNROLL
    for (std::size_t part = 0; part < Scales; ++part) {
      step_sums<Most, steps> dots[block_tile_vectors][block_tile_rows];
      INLAY_UNROLL
      for (std::size_t m = 0; m < block_tile_rows; ++m) {
        const i32s first = start_of_sums<offset>(Scales == 1 ? x[m]->offset : x[m]->half_offsets[part]);
        INLAY_UNROLL
        for (std::size_t v = 0; v < block_tile_vectors; ++v) dots[v][m].start(first);
      }
      INLAY_UNROLL
      for (std::size_t s = 0; s < steps; ++s) {
        u8s w[block_tile_vectors];
        INLAY_UNROLL
        for (std::size_t v = 0; v < block_tile_vectors; ++v)
          w[v] = hn::LoadU(u8_tag(), codes + v / panel_vectors * panel_codes + v % panel_vectors * vector_bytes +
                                         (part * steps + s) * step_bytes);
        INLAY_UNROLL
        for (std::size_t m = 0; m < block_tile_rows; ++m) {
          const i8s quad = splat_quad(x[m]->q + 4 * (part * steps + s));
          INLAY_UNROLL
          for (std::size_t v = 0; v < block_tile_vectors; ++v) dots[v][m].add(s, w[v], quad);
        }
      }
      f32s scale[block_tile_vectors];
      INLAY_UNROLL
      for (std::size_t v = 0; v < block_tile_vectors; ++v)
        scale[v] = load(scales + v / panel_vectors * panel_floats + v % panel_vectors * lanes + part * panel_rows);
      INLAY_UNROLL
      for (std::size_t m = 0; m < block_tile_rows; ++m) {
        const i32s exponent = splat_int(x[m]->exponent);
        INLAY_UNROLL
        for (std::size_t v = 0; v < block_tile_vectors; ++v)
          tile[v][m] = scaled_sum(dots[v][m].sums(), scale[v], exponent, tile[v][m]);
      }
    }
    codes += line_steps * step_bytes;
    scales += Scales * panel_rows;
    INLAY_UNROLL
    for (std::size_t m = 0; m < block_tile_rows; ++m) ++x[m];
  }
  if (work.bases != 0) {
    INLAY_UNROLL
    for (std::size_t m = 0; m < block_tile_rows; ++m) x[m] -= work.lines;
    const float* bases = work.weights->bases[0];
    for (std::size_t line = 0; line < work.lines; ++line) {
      for (std::size_t part = 0; part < work.bases; ++part, bases += panel_rows) {
        f32s base[block_tile_vectors];
        INLAY_UNROLL
        for (std::size_t v = 0; v < block_tile_vectors; ++v)
          base[v] = load(bases + v / panel_vectors * panel_floats + v % panel_vectors * lanes);
        INLAY_UNROLL
        for (std::size_t m = 0; m < block_tile_rows; ++m) {
          const f32s sum = splat(work.bases == 1 ? x[m]->sum : x[m]->half_sums[part]);
          INLAY_UNROLL
          for (std::size_t v = 0; v < block_tile_vectors; ++v) tile[v][m] = multiply_add(base[v], sum, tile[v][m]);
        }
      }
      INLAY_UNROLL
      for (std::size_t m = 0; m < block_tile_rows; ++m) ++x[m];
    }
  }
  INLAY_UNROLL
  for (std::size_t m = 0; m < block_tile_rows; ++m) {
    INLAY_UNROLL
    for (std::size_t v = 0; v < block_tile_vectors; ++v) {
      float* to = work.sums + m * block_tile_width + v * lanes;
      store(multiply_add(tile[v][m], unit[m], load(to)), to);
    }
  }
}

template <class Format>
constexpr block_kernels kernels_of_format() {
  using form = unpacked_form<Format>;
  return {Format::line_bytes, form::bases,     &Format::pack,
          &add_row<Format>,   &unpack<Format>, &add_tile<form::most, Format::scales>};
}

/// Deals panels out to streams. Each stream is a contiguous run of panels; the up to Streams - 1 that are left make one
/// more turn, in which streams without a panel repeat the last one.
template <std::size_t Streams>
struct panel_walk {
  std::size_t first;
  std::size_t count;
  std::size_t turns() const { return (count + Streams - 1) / Streams; }
  std::size_t streams(std::size_t turn) const { return std::min(Streams, count - turn * Streams); }
  std::size_t panel(std::size_t turn, std::size_t stream) const {
    const std::size_t each = count / Streams;
    return first + (turn < each ? stream * each + turn : std::min(each * Streams + stream, count - 1));
  }
};

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

/// One activation row: out[r] = or += w[r] . x for r in [begin, end). Several streams, because they use more of the
/// memory's bandwidth than one.
inline void multiply_row(const block_kernels& format, const matrix_ref& w, const quantized_line* x, float* out,
                         std::size_t begin, std::size_t end, bool add) {
  constexpr std::size_t streams = 4;
  const std::size_t panel_bytes = packed_panel_bytes(format, w.columns);
  const detail::panel_walk<streams> walk{begin / panel_rows, (end - begin + panel_rows - 1) / panel_rows};
  for (std::size_t turn = 0; turn < walk.turns(); ++turn) {
    const std::size_t used = walk.streams(turn);
    const std::byte* p[streams];
    alignas(64) float sums[streams][panel_rows] = {};
    for (std::size_t s = 0; s < used; ++s) p[s] = w.data + walk.panel(turn, s) * panel_bytes;
    for (std::size_t c = 0; c < w.columns; c += group_columns) {
      const std::size_t lines = std::min(group_columns, w.columns - c) / line_columns;
      for (std::size_t s = 0; s < used; ++s) {
        format.add_row(p[s], lines, x + c / line_columns, sums[s]);
        p[s] += lines * format.line_bytes;
      }
    }
    for (std::size_t s = 0; s < used; ++s) {
      const std::size_t r = walk.panel(turn, s) * panel_rows;
      detail::store_rows(sums[s], std::min(panel_rows, end - r), out + r, add);
    }
  }
}

/// Several activation rows: out[i * stride + r] = or += w[r] . x[i].
inline void multiply_rows(const block_kernels& format, const matrix_ref& w, const quantized_line* x, std::size_t x_rows,
                          float* out, std::size_t stride, std::size_t begin, std::size_t end, bool add) {
  constexpr std::size_t batch = 256;  // rows that are multiplied with a group before the next one is unpacked
  const std::size_t panel_bytes = packed_panel_bytes(format, w.columns);
  const std::size_t row_lines = quantized_row_bytes(w.columns) / sizeof(quantized_line);
  const detail::panel_walk<block_tile_panels> walk{begin / panel_rows, (end - begin + panel_rows - 1) / panel_rows};
  alignas(64) float sums[batch * block_tile_width];
  alignas(64) unpacked_group unpacked[block_tile_panels];
  for (std::size_t i = 0; i < x_rows; i += batch) {
    const std::size_t rows = std::min(batch, x_rows - i);
    for (std::size_t turn = 0; turn < walk.turns(); ++turn) {
      const std::byte* p[block_tile_panels];
      for (std::size_t s = 0; s < block_tile_panels; ++s) p[s] = w.data + walk.panel(turn, s) * panel_bytes;
      std::fill_n(sums, rows * block_tile_width, 0.0f);
      for (std::size_t c = 0; c < w.columns; c += group_columns) {
        const std::size_t lines = std::min(group_columns, w.columns - c) / line_columns;
        for (std::size_t s = 0; s < block_tile_panels; ++s) {
          format.unpack(p[s], lines, unpacked[s]);
          p[s] += lines * format.line_bytes;
        }
        const std::size_t tiles = (rows + block_tile_rows - 1) / block_tile_rows;
        const std::size_t share = (lines * format.line_bytes / 64 + tiles - 1) / tiles * 64;
        tile_work work{unpacked,  lines, format.bases, x + i * row_lines + c / line_columns,
                       row_lines, rows,  sums,         0.0f};
        for (std::size_t t = 0; t < tiles; ++t) {
          for (std::size_t s = 0; s < block_tile_panels; ++s)
            detail::prefetch(p[s] + prefetch_distance + t * share, share);
          format.add_tile(work);
          work.x += block_tile_rows * row_lines;
          work.rows -= block_tile_rows;
          work.sums += block_tile_rows * block_tile_width;
        }
      }
      for (std::size_t s = 0; s < walk.streams(turn); ++s) {
        const std::size_t r = walk.panel(turn, s) * panel_rows;
        for (std::size_t m = 0; m < rows; ++m)
          detail::store_rows(sums + m * block_tile_width + s * panel_rows, std::min(panel_rows, end - r),
                             out + (i + m) * stride + r, add);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
