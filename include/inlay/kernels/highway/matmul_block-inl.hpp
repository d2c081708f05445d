// SPDX-License-Identifier: Apache-2.0
// Products of packed block formats with quantized activations.
//
// One register tile serves everything: panels x activation rows, a group of columns at a time. Codes are unpacked in
// registers (few rows), or once per group into bytes and float scales that then serve all rows.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

template <class Format>
std::size_t panel_bytes_of(std::size_t columns) {
  return (columns / line_columns * Format::line_bytes + 63) / 64 * 64;
}

/// Sums of a tile, in units of the group: panel vectors x activation rows.
template <std::size_t Vectors, std::size_t Rows>
struct tile_sums {
  f32s at[Vectors][Rows];
};

/// How far ahead of their use weights are asked for, in bytes.
inline constexpr std::size_t prefetch_distance = 2048;

namespace detail {

HWY_INLINE void prefetch(const std::byte* p, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += 64) hwy::Prefetch(p + i);
}

/// How many steps are summed in 16 bits before they are widened; 0: every step is summed in 32 bits. Divides the steps
/// that share a scale.
template <class Format>
inline constexpr std::size_t narrow_steps = [] {
  if (!has_pair_u8_i8 || Format::most == signed_codes) return std::size_t{0};
  const std::size_t fit = std::size_t{32767} / (2 * 127 * Format::most);  // pairs of products
  std::size_t steps = line_steps / Format::scales;
  while (steps > fit) steps /= 2;
  return steps;
}();

/// What sums start from so that codes count as code - offset.
template <int Offset>
HWY_INLINE i32s start(std::int32_t minus_128_sums) {
  if constexpr (Offset == 0) return hn::Zero(i32_tag());
  constexpr int shift = Offset == 128  ? 0
                        : Offset == 64 ? 1
                        : Offset == 32 ? 2
                        : Offset == 16 ? 3
                        : Offset == 8  ? 4
                                       : 5;
  static_assert(Offset == 0 || Offset << shift == 128);
  return splat_int(minus_128_sums / (1 << shift));
}

template <class Format, std::size_t Panels, std::size_t Rows>
struct line_tile {
  static constexpr std::size_t vectors = Panels * panel_vectors;
  using group = typename Format::group;

  i32s sums[vectors][Rows];
  i16s narrow[vectors][Rows];

  /// Adds the products of one step of 4 columns.
  template <std::size_t L, std::size_t Step>
  HWY_INLINE void step(const group (&w)[Panels], std::size_t line, const quantized_line* const (&x)[Rows]) {
    constexpr std::size_t fit = narrow_steps<Format>;
    i8s quads[Rows];
    INLAY_UNROLL
    for (std::size_t m = 0; m < Rows; ++m) quads[m] = splat_quad(x[m]->q + 4 * Step);
    INLAY_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) {
      const u8s codes = w[v / panel_vectors].template codes<L, Step>(line, v % panel_vectors);
      INLAY_UNROLL
      for (std::size_t m = 0; m < Rows; ++m) {
        if constexpr (fit == 0) {
          sums[v][m] = dot_quads<Format::most>(codes, quads[m], sums[v][m]);
        } else {
          const i16s pairs = hn::SatWidenMulPairwiseAdd(i16_tag(), codes, quads[m]);
          narrow[v][m] = Step % fit == 0 ? pairs : hn::Add(narrow[v][m], pairs);
          if constexpr (Step % fit == fit - 1)
            sums[v][m] = hn::Add(sums[v][m],
                                 hn::WidenMulPairwiseAdd(i32_tag(), narrow[v][m], hn::Set(i16_tag(), std::int16_t{1})));
        }
      }
    }
  }

  template <std::size_t L, std::size_t First, std::size_t... Steps>
  HWY_INLINE void steps(const group (&w)[Panels], std::size_t line, const quantized_line* const (&x)[Rows],
                        std::index_sequence<Steps...>) {
    (step<L, First + Steps>(w, line, x), ...);
  }

  /// Adds scale * (sums of the steps of one scale) to the tile.
  template <std::size_t L, std::size_t Part>
  HWY_INLINE void part(const group (&w)[Panels], std::size_t line, const quantized_line* const (&x)[Rows],
                       tile_sums<vectors, Rows>& tile) {
    constexpr std::size_t count = line_steps / Format::scales;
    INLAY_UNROLL
    for (std::size_t m = 0; m < Rows; ++m) {
      const i32s first = start<Format::offset>(Format::scales == 1 ? x[m]->offset : x[m]->half_offsets[Part]);
      INLAY_UNROLL
      for (std::size_t v = 0; v < vectors; ++v) sums[v][m] = first;
    }
    steps<L, Part * count>(w, line, x, std::make_index_sequence<count>());
    i32s exponents[Rows];
    INLAY_UNROLL
    for (std::size_t m = 0; m < Rows; ++m) exponents[m] = splat_int(x[m]->exponent);
    INLAY_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) {
      const i32s scale = hn::BitCast(i32_tag(), w[v / panel_vectors].scale(line, Part, v % panel_vectors));
      INLAY_UNROLL
      for (std::size_t m = 0; m < Rows; ++m)
        tile.at[v][m] = multiply_add(hn::ConvertTo(f32_tag(), sums[v][m]),
                                     hn::BitCast(f32_tag(), hn::Add(scale, exponents[m])), tile.at[v][m]);
    }
  }
};

/// Lines `line` + L ... of a stride, and the others after it.
template <class Format, std::size_t L, std::size_t Panels, std::size_t Rows>
HWY_INLINE void add_lines(const typename Format::group (&w)[Panels], std::size_t line,
                          const quantized_line* const (&x)[Rows], tile_sums<Panels * panel_vectors, Rows>& tile) {
  constexpr std::size_t vectors = Panels * panel_vectors;
  line_tile<Format, Panels, Rows> sums;
  sums.template part<L, 0>(w, line + L, x, tile);
  if constexpr (Format::scales == 2) sums.template part<L, 1>(w, line + L, x, tile);
  if constexpr (Format::bases != 0) {
    INLAY_UNROLL
    for (std::size_t part = 0; part < Format::bases; ++part) {
      f32s x_sums[Rows];
      INLAY_UNROLL
      for (std::size_t m = 0; m < Rows; ++m) x_sums[m] = splat(Format::bases == 1 ? x[m]->sum : x[m]->half_sums[part]);
      INLAY_UNROLL
      for (std::size_t v = 0; v < vectors; ++v) {
        const f32s base = w[v / panel_vectors].base(line + L, part, v % panel_vectors);
        INLAY_UNROLL
        for (std::size_t m = 0; m < Rows; ++m) tile.at[v][m] = multiply_add(base, x_sums[m], tile.at[v][m]);
      }
    }
  }
  if constexpr (L + 1 < Format::stride) {
    const quantized_line* next[Rows];
    INLAY_UNROLL
    for (std::size_t m = 0; m < Rows; ++m) next[m] = x[m] + 1;
    add_lines<Format, L + 1>(w, line, next, tile);
  }
}

/// The tile of one group, in its units.
template <class Format, std::size_t Panels, std::size_t Rows, bool Prefetch>
HWY_INLINE tile_sums<Panels * panel_vectors, Rows> multiply_group(const typename Format::group (&w)[Panels],
                                                                  std::size_t lines,
                                                                  const quantized_line* const (&x)[Rows]) {
  constexpr std::size_t vectors = Panels * panel_vectors;
  tile_sums<vectors, Rows> tile;
  INLAY_UNROLL
  for (std::size_t v = 0; v < vectors; ++v) INLAY_UNROLL
  for (std::size_t m = 0; m < Rows; ++m) tile.at[v][m] = zero();
  const quantized_line* at[Rows];
  INLAY_UNROLL
  for (std::size_t m = 0; m < Rows; ++m) at[m] = x[m];
  for (std::size_t line = 0; line < lines; line += Format::stride) {
    if constexpr (Prefetch) {
      INLAY_UNROLL
      for (std::size_t s = 0; s < Panels; ++s)
        prefetch(w[s].data + prefetch_distance + line * Format::line_bytes, Format::stride * Format::line_bytes);
    }
    add_lines<Format, 0>(w, line, at, tile);
    INLAY_UNROLL
    for (std::size_t m = 0; m < Rows; ++m) at[m] += Format::stride;
  }
  return tile;
}

/// The first `count` of 16 floats.
HWY_INLINE void store_rows(const f32s* v, std::size_t count, float* out, bool add) {
  for (std::size_t i = 0; i < panel_vectors && i * lanes < count; ++i) {
    float* to = out + i * lanes;
    const std::size_t n = count - i * lanes;
    if (n >= lanes) {
      store(add ? hn::Add(v[i], load(to)) : v[i], to);
    } else {
      store_tail(add ? hn::Add(v[i], load_tail(to, n)) : v[i], to, n);
    }
  }
}

/// Deals panels out to streams. Each stream is a contiguous run of panels; the up to Streams - 1 that are left make one
/// more turn, in which streams without a panel repeat the last one.
template <std::size_t Streams>
struct panel_walk {
  std::size_t first;
  std::size_t count;
  std::size_t turns() const { return (count + Streams - 1) / Streams; }
  std::size_t panel(std::size_t turn, std::size_t stream) const {
    const std::size_t each = count / Streams;
    return first + (turn < each ? stream * each + turn : std::min(each * Streams + stream, count - 1));
  }
  std::size_t streams(std::size_t turn) const { return std::min(Streams, count - turn * Streams); }
};

HWY_INLINE const quantized_line* row_of(const activations& x, std::size_t i) {
  return reinterpret_cast<const quantized_line*>(x.quantized + i * quantized_row_bytes(x.columns));
}

}  // namespace detail

/// One activation row: out[r] = or += w[r] . x for r in [begin, end). Several streams: they use more of the memory's
/// bandwidth than one.
template <class Format>
void multiply_row(const matrix_ref& w, const activations& x, float* out, std::size_t begin, std::size_t end, bool add) {
  constexpr std::size_t streams = HWY_MAX_BYTES >= 64 ? 4 : 2;
  constexpr std::size_t vectors = streams * panel_vectors;
  using group = typename Format::group;
  const detail::panel_walk<streams> walk{begin / panel_rows, (end - begin + panel_rows - 1) / panel_rows};
  for (std::size_t turn = 0; turn < walk.turns(); ++turn) {
    const std::byte* p[streams];
    f32s total[vectors];
    INLAY_UNROLL
    for (std::size_t s = 0; s < streams; ++s) p[s] = w.data + walk.panel(turn, s) * panel_bytes_of<Format>(w.columns);
    INLAY_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) total[v] = zero();
    const quantized_line* at = detail::row_of(x, 0);
    for (std::size_t c = 0; c < w.columns; c += group_columns, at += group_lines) {
      const std::size_t lines = std::min(group_columns, w.columns - c) / line_columns;
      group groups[streams];
      INLAY_UNROLL
      for (std::size_t s = 0; s < streams; ++s) {
        groups[s] = group(p[s], lines);
        p[s] += lines * Format::line_bytes;
      }
      const quantized_line* const rows[1] = {at};
      const auto tile = detail::multiply_group<Format, streams, 1, true>(groups, lines, rows);
      const f32s unit = splat(at->unit);
      INLAY_UNROLL
      for (std::size_t v = 0; v < vectors; ++v) total[v] = multiply_add(tile.at[v][0], unit, total[v]);
    }
    for (std::size_t s = 0; s < walk.streams(turn); ++s) {
      const std::size_t r = walk.panel(turn, s) * panel_rows;
      detail::store_rows(total + s * panel_vectors, std::min(panel_rows, end - r), out + r, add);
    }
  }
}

// ---- several rows ---------------------------------------------------------------------------------------------------

inline constexpr std::size_t tile_panels = HWY_MAX_BYTES >= 64 ? 2 : 1;
inline constexpr std::size_t tile_rows = 4;
inline constexpr std::size_t tile_width = tile_panels * panel_rows;
/// Rows that are multiplied with a group of weights before the next group is unpacked.
inline constexpr std::size_t batch_rows = 256;

/// A group of a panel in a form that costs nothing to read: codes in bytes, scales in floats.
struct unpacked_group {
  std::uint8_t codes[group_columns / 4][step_bytes];
  float scales[2 * group_lines][panel_rows];
  float bases[2 * group_lines][panel_rows];
};

/// The format of unpacked groups. Bases are added apart, because few formats have them.
template <int Most, std::size_t Scales>
struct unpacked_format {
  static constexpr std::size_t stride = 1;
  static constexpr int most = Most;
  static constexpr int offset = Most == signed_codes ? sign_offset : 0;
  static constexpr std::size_t scales = Scales;
  static constexpr std::size_t bases = 0;
  static constexpr std::size_t line_bytes = 0;

  struct group {
    const unpacked_group* from;
    template <std::size_t, std::size_t Step>
    HWY_INLINE u8s codes(std::size_t line, std::size_t v) const {
      return hn::LoadU(u8_tag(), from->codes[line * line_steps + Step] + v * vector_bytes);
    }
    HWY_INLINE f32s scale(std::size_t line, std::size_t part, std::size_t v) const {
      return load(from->scales[line * Scales + part] + v * lanes);
    }
  };
};

namespace detail {

/// The format's unpacked form. Where only sums of small codes are fast, codes keep their offset, as a base.
template <class Format>
struct unpacked_form {
  static constexpr bool narrow = narrow_steps<Format> != 0;
  static constexpr int most = !narrow ? signed_codes : Format::most <= 15 ? 15 : Format::most <= 31 ? 31 : 63;
  static constexpr std::size_t bases = narrow && Format::offset != 0 ? Format::scales : Format::bases;
  using type = unpacked_format<most, Format::scales>;
};

template <class Format, std::size_t L, std::size_t... Steps>
HWY_INLINE void unpack_line(const typename Format::group& from, std::size_t line, unpacked_group& to,
                            std::index_sequence<Steps...>) {
  using form = unpacked_form<Format>;
  constexpr int change = form::narrow ? 0 : form::type::offset - Format::offset;
  INLAY_UNROLL
  for (std::size_t v = 0; v < panel_vectors; ++v) {
    const auto keep = [&](u8s codes, std::size_t step) HWY_ATTR {
      if constexpr (change != 0) codes = hn::Add(codes, splat_byte(change));
      hn::StoreU(codes, u8_tag(), to.codes[line * line_steps + step] + v * vector_bytes);
    };
    (keep(from.template codes<L, Steps>(line, v), Steps), ...);
    INLAY_UNROLL
    for (std::size_t part = 0; part < Format::scales; ++part) {
      const f32s scale = from.scale(line, part, v);
      store(scale, to.scales[line * Format::scales + part] + v * lanes);
      if constexpr (form::narrow && Format::offset != 0)
        store(hn::Mul(scale, splat(-Format::offset)), to.bases[line * form::bases + part] + v * lanes);
    }
    if constexpr (Format::bases != 0) {
      INLAY_UNROLL
      for (std::size_t part = 0; part < Format::bases; ++part)
        store(from.base(line, part, v), to.bases[line * Format::bases + part] + v * lanes);
    }
  }
}

template <class Format, std::size_t... L>
HWY_INLINE void unpack_lines(const typename Format::group& from, std::size_t line, unpacked_group& to,
                             std::index_sequence<L...>) {
  (unpack_line<Format, L>(from, line + L, to, std::make_index_sequence<line_steps>()), ...);
}

template <class Format>
HWY_NOINLINE void unpack_group(const std::byte* p, std::size_t lines, unpacked_group& to) {
  const typename Format::group from(p, lines);
  for (std::size_t line = 0; line < lines; line += Format::stride)
    unpack_lines<Format>(from, line, to, std::make_index_sequence<Format::stride>());
}

/// sums[m * tile_width + r] = or += the group's products, for `count` <= Rows rows; those up to Rows get copies.
template <class Format, std::size_t Rows>
HWY_NOINLINE void add_tile(const typename Format::group (&w)[tile_panels], std::size_t lines, const quantized_line* x,
                           std::size_t row_lines, std::size_t count, std::size_t bases, const unpacked_group* unpacked,
                           float* sums, bool first) {
  const quantized_line* rows[Rows];
  INLAY_UNROLL
  for (std::size_t m = 0; m < Rows; ++m) rows[m] = x + std::min(m, count - 1) * row_lines;
  auto tile = multiply_group<Format, tile_panels, Rows, false>(w, lines, rows);
  if (bases != 0) {
    for (std::size_t i = 0; i < lines * bases; ++i) {
      const std::size_t line = bases == 1 ? i : i / 2;
      f32s x_sums[Rows];
      INLAY_UNROLL
      for (std::size_t m = 0; m < Rows; ++m)
        x_sums[m] = splat(bases == 1 ? rows[m][line].sum : rows[m][line].half_sums[i % 2]);
      INLAY_UNROLL
      for (std::size_t v = 0; v < tile_panels * panel_vectors; ++v) {
        const f32s base = load(unpacked[v / panel_vectors].bases[i] + v % panel_vectors * lanes);
        INLAY_UNROLL
        for (std::size_t m = 0; m < Rows; ++m) tile.at[v][m] = multiply_add(base, x_sums[m], tile.at[v][m]);
      }
    }
  }
  INLAY_UNROLL
  for (std::size_t m = 0; m < Rows; ++m) {
    const f32s unit = splat(rows[m]->unit);
    INLAY_UNROLL
    for (std::size_t v = 0; v < tile_panels * panel_vectors; ++v) {
      float* to = sums + m * tile_width + v * lanes;
      store(first ? hn::Mul(tile.at[v][m], unit) : multiply_add(tile.at[v][m], unit, load(to)), to);
    }
  }
}

}  // namespace detail

/// out[i * stride + r] = or += w[r] . x[i] for r in [begin, end) and all rows of x.
template <class Format>
void multiply_rows(const matrix_ref& w, const activations& x, float* out, std::size_t stride, std::size_t begin,
                   std::size_t end, bool add) {
  using form = detail::unpacked_form<Format>;
  const detail::panel_walk<tile_panels> walk{begin / panel_rows, (end - begin + panel_rows - 1) / panel_rows};
  const std::size_t row_lines = quantized_row_bytes(x.columns) / sizeof(quantized_line);
  alignas(64) float sums[batch_rows * tile_width];
  alignas(64) unpacked_group unpacked[tile_panels];
  for (std::size_t i = 0; i < x.count; i += batch_rows) {
    const std::size_t count = std::min(batch_rows, x.count - i);
    for (std::size_t turn = 0; turn < walk.turns(); ++turn) {
      const std::byte* p[tile_panels];
      for (std::size_t s = 0; s < tile_panels; ++s)
        p[s] = w.data + walk.panel(turn, s) * panel_bytes_of<Format>(w.columns);
      const quantized_line* at = detail::row_of(x, i);
      for (std::size_t c = 0; c < w.columns; c += group_columns, at += group_lines) {
        const std::size_t lines = std::min(group_columns, w.columns - c) / line_columns;
        const std::size_t group_bytes = lines * Format::line_bytes;
        typename form::type::group groups[tile_panels];
        for (std::size_t s = 0; s < tile_panels; ++s) {
          detail::unpack_group<Format>(p[s], lines, unpacked[s]);
          groups[s].from = &unpacked[s];
          p[s] += group_bytes;
        }
        const std::size_t tiles = (count + tile_rows - 1) / tile_rows;
        const std::size_t share = (group_bytes / 64 + tiles - 1) / tiles * 64;
        for (std::size_t t = 0; t < tiles; ++t) {
          for (std::size_t s = 0; s < tile_panels; ++s) detail::prefetch(p[s] + t * share, share);
          const std::size_t m = t * tile_rows;
          detail::add_tile<typename form::type, tile_rows>(groups, lines, at + m * row_lines, row_lines,
                                                           std::min(tile_rows, count - m), form::bases, unpacked,
                                                           sums + m * tile_width, c == 0);
        }
      }
      for (std::size_t s = 0; s < walk.streams(turn); ++s) {
        const std::size_t r = walk.panel(turn, s) * panel_rows;
        for (std::size_t m = 0; m < count; ++m) {
          f32s v[panel_vectors];
          INLAY_UNROLL
          for (std::size_t j = 0; j < panel_vectors; ++j)
            v[j] = load(sums + m * tile_width + s * panel_rows + j * lanes);
          detail::store_rows(v, std::min(panel_rows, end - r), out + (i + m) * stride + r, add);
        }
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
