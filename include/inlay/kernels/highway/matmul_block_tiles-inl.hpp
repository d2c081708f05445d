// SPDX-License-Identifier: Apache-2.0
// Products of packed formats with many activation rows, tile by tile: a group of weights is unpacked once, to bytes and
// scales, which is the same for all formats.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

namespace detail {

/// Where only sums of small codes are fast, unpacked codes stay small.
template <class Format>
struct unpacked_form {
  static constexpr bool small = has_pair_u8_i8 && Format::most != signed_codes;
  /// Codes are multiplied with their scales, and a group's float scales become one.
  static constexpr bool folded = has_quad_u8_i8 && Format::fold != 0;
  static constexpr std::size_t scales = folded ? 1 : Format::scales;
  static constexpr int most = !small ? signed_codes : Format::most <= 15 ? 15 : Format::most <= 31 ? 31 : 63;
  static constexpr int offset = small ? Format::offset : sign_offset;
  static constexpr int change = offset - Format::offset;
  static constexpr tile_bases bases = Format::bases == 0      ? tile_bases::none
                                      : !Format::whole_scales ? tile_bases::floats
                                      : Format::bases == 1    ? tile_bases::of_lines
                                                              : tile_bases::of_halves;
  /// Packed codes are steps in order already.
  static constexpr bool in_place = Format::stride == 1 && Format::loads == line_steps && change == 0;
};

/// The products of bytes with the numbers of their lanes, modulo 256.
HWY_INLINE u8s multiply_bytes(u8s bytes, i32s numbers) {
  const u16_tag d;
  const i32s low_halves = hn::And(numbers, splat_int(0xffff));
  const auto factors = hn::BitCast(d, hn::Or(low_halves, hn::ShiftLeft<16>(low_halves)));
  const auto pairs = hn::BitCast(d, bytes);
  const auto low_byte = hn::Set(d, std::uint16_t{0xff});
  const auto low = hn::And(hn::Mul(hn::And(pairs, low_byte), factors), low_byte);
  return hn::BitCast(u8_tag(), hn::Or(low, hn::Mul(hn::AndNot(low_byte, pairs), factors)));
}

/// fold * (code - offset) * number + 128.
template <class Format>
HWY_INLINE u8s fold_scale(u8s codes, i32s number) {
  if constexpr (Format::fold > 0) {
    static_assert(Format::offset == 0);
    return hn::Add(fold_small_scale(codes, number), splat_byte(128));
  } else {
    const u8s product = multiply_bytes(codes, number);
    const u8s base = multiply_bytes(splat_byte(Format::offset), number);
    return hn::Sub(hn::Add(base, splat_byte(128)), product);
  }
}

/// Vector v of a scale, for each mantissa of activations' scales.
HWY_INLINE void store_scale(f32s scale, std::size_t v, std::int32_t (&to)[mantissa_count][panel_rows]) {
  INLAY_UNROLL
  for (std::size_t k = 0; k < mantissa_count; ++k) {
    const i32s mantissa = splat_int(scale_mantissas[k]);
    const f32s product = k == 0 ? scale : hn::Mul(scale, hn::BitCast(f32_tag(), mantissa));
    hn::StoreU(hn::Sub(hn::BitCast(i32_tag(), product), mantissa), i32_tag(), to[k] + v * lanes);
  }
}

template <class Format>
HWY_NOINLINE const std::uint8_t* unpack(const std::byte* group, std::size_t lines, unpacked_group& to,
                                        read_ahead& more) {
  using form = unpacked_form<Format>;
  constexpr std::size_t stride = Format::stride, loads = Format::loads;
  constexpr std::size_t codes_of_load = stride * line_steps / loads;
  const typename Format::group from(group, lines);
  const f32_tag d;
  read_ahead ahead = more;
  for (std::size_t line = 0; line < lines; line += stride) {
    ahead.step(stride);
    INLAY_UNROLL
    for (std::size_t v = 0; v < panel_vectors; ++v) {
      INLAY_UNROLL
      for (std::size_t i = 0; i < (form::in_place ? 0 : loads); ++i) {
        u8s codes[codes_of_load];
        from.codes(line, i, v, codes);
        INLAY_UNROLL
        for (std::size_t j = 0; j < codes_of_load; ++j) {
          const std::size_t step = stride == 1 ? line * line_steps + i + j * loads : (line + j) * line_steps + i;
          if constexpr (form::folded)
            codes[j] = fold_scale<Format>(codes[j], from.number(line + j, i / (line_steps / Format::scales), v));
          else if constexpr (form::change != 0)
            codes[j] = hn::Add(codes[j], splat_byte(form::change));
          hn::StoreU(codes[j], u8_tag(), to.codes[step] + v * vector_bytes);
        }
      }
      INLAY_UNROLL
      for (std::size_t i = 0; i < (form::folded ? 0 : stride * form::scales); ++i) {
        f32s scale;
        if constexpr (Format::whole_scales)
          scale =
              hn::Mul(hn::ConvertTo(d, from.number(line + i / Format::scales, i % Format::scales, v)), from.factor(v));
        else
          scale = from.scale(line + i, 0, v);
        if constexpr (form::scales == 2)
          store(scale, to.part_scales[2 * line + i] + v * lanes);
        else
          store_scale(scale, v, to.scales[line + i]);
      }
      if constexpr (Format::bases != 0) {
        INLAY_UNROLL
        for (std::size_t l = 0; l < stride; ++l) {
          if constexpr (!Format::whole_scales)
            store(from.base(line + l, 0, v), to.bases[line + l] + v * lanes);
          else if (l % base_pair_lines<Format> == 0)
            hn::StoreU(from.base_pair(line + l, v), i32_tag(), to.base_pairs[line + l] + v * lanes);
        }
      }
    }
  }
  if constexpr (form::folded) {
    INLAY_UNROLL
    for (std::size_t v = 0; v < panel_vectors; ++v)
      store_scale(Format::fold > 0 ? from.factor(v) : hn::Neg(from.factor(v)), v, to.scales[0]);
  }
  if constexpr (has_base_pairs<Format>) {
    INLAY_UNROLL
    for (std::size_t v = 0; v < panel_vectors; ++v) store(whole_base_factor(from, v), to.base_factor + v * lanes);
  }
  more = ahead;
  if constexpr (form::in_place)
    return reinterpret_cast<const std::uint8_t*>(from.code_at);
  else
    return to.codes[0];
}

/// tile += bases times sums of activations, for the lines of an unpacked group.
template <tile_bases Bases, std::size_t Rows>
HWY_INLINE void add_bases(const unpacked_group* group, std::size_t lines, const quantized_line* const (&x)[Rows],
                          float zero, f32s (&tile)[block_tile_vectors][Rows]) {
  if constexpr (Bases == tile_bases::floats) {
    for (std::size_t line = 0; line < lines; ++line) {
      INLAY_UNROLL
      for (std::size_t v = 0; v < block_tile_vectors; ++v) {
        const f32s base = load(group[v / panel_vectors].bases[line] + v % panel_vectors * lanes);
        INLAY_UNROLL
        for (std::size_t m = 0; m < Rows; ++m) tile[v][m] = multiply_add(base, splat(x[m][line].sum), tile[v][m]);
      }
    }
  } else {
    constexpr std::size_t bases = Bases == tile_bases::of_lines ? 1 : 2;
    i32s sums[block_tile_vectors][Rows];
    INLAY_UNROLL
    for (std::size_t m = 0; m < Rows; ++m) {
      INLAY_UNROLL
      for (std::size_t v = 0; v < block_tile_vectors; ++v) sums[v][m] = hn::BitCast(i32_tag(), splat(zero));
    }
    // Unrolled whole, or g++ would store the sums at every turn.
    INLAY_UNROLL
    for (std::size_t line = 0; line < group_lines; line += 3 - bases) {
      i32s pairs[block_tile_vectors];
      INLAY_UNROLL
      for (std::size_t v = 0; v < block_tile_vectors; ++v)
        pairs[v] = hn::LoadU(i32_tag(), group[v / panel_vectors].base_pairs[line] + v % panel_vectors * lanes);
      INLAY_UNROLL
      for (std::size_t m = 0; m < Rows; ++m) {
        const i32s of_x = splat_sums<bases>(x[m][line]);
        INLAY_UNROLL
        for (std::size_t v = 0; v < block_tile_vectors; ++v) sums[v][m] = add_pairs(sums[v][m], pairs[v], of_x);
      }
    }
    INLAY_UNROLL
    for (std::size_t v = 0; v < block_tile_vectors; ++v) {
      const f32s factor = load(group[v / panel_vectors].base_factor + v % panel_vectors * lanes);
      INLAY_UNROLL
      for (std::size_t m = 0; m < Rows; ++m)
        tile[v][m] = multiply_add(hn::ConvertTo(f32_tag(), sums[v][m]), factor, tile[v][m]);
    }
  }
}

/// The products of a tile. Folded: its groups have a scale, the first line's.
template <int Most, int Offset, std::size_t Scales, bool Folded, tile_bases Bases, std::size_t Rows>
HWY_NOINLINE void multiply_tiles(const tile_work& work) {
  constexpr std::size_t steps = line_steps / Scales;
  constexpr std::size_t panel_numbers = sizeof(unpacked_group) / sizeof(std::int32_t);
  const f32_tag d;
  read_ahead ahead[block_tile_panels];
  for (std::size_t p = 0; p < block_tile_panels; ++p) ahead[p] = work.ahead[p];
  for (std::size_t row = 0; row < work.rows; row += Rows) {
    const quantized_line* x[Rows];
    x[0] = work.x + row * work.row_lines;
    INLAY_UNROLL
    for (std::size_t m = 1; m < Rows; ++m) x[m] = row + m < work.rows ? x[m - 1] + work.row_lines : x[m - 1];
    f32s sums[block_tile_vectors][Rows];
    INLAY_UNROLL
    for (std::size_t m = 0; m < Rows; ++m) {
      INLAY_UNROLL
      for (std::size_t v = 0; v < block_tile_vectors; ++v)
        sums[v][m] = work.from != nullptr ? load(work.from + (row + m) * block_tile_width + v * lanes) : zero();
    }
    for (std::size_t g = 0; g < work.groups; ++g) {
      f32s tile[block_tile_vectors][Rows];
      INLAY_UNROLL
      for (std::size_t m = 0; m < Rows; ++m) {
        INLAY_UNROLL
        for (std::size_t v = 0; v < block_tile_vectors; ++v) tile[v][m] = splat(work.zero);
      }
      const std::uint8_t* codes[block_tile_panels];
      INLAY_UNROLL
      for (std::size_t p = 0; p < block_tile_panels; ++p) codes[p] = work.codes[g][p];
      const unpacked_group* const group = work.unpacked[g];
      for (std::size_t line = 0; line < work.lines[g]; ++line) {
        INLAY_UNROLL
        for (std::size_t p = 0; p < block_tile_panels; ++p) ahead[p].step();
        f32s scaled[block_tile_vectors][Rows];  // where there are two scales
        INLAY_UNROLL
        for (std::size_t part = 0; part < Scales; ++part) {
          step_sums<Most, steps> dots[block_tile_vectors][Rows];
          INLAY_UNROLL
          for (std::size_t m = 0; m < Rows; ++m) {
            const i32s first = start_of_sums<Offset>(Scales == 1 ? x[m]->offset : x[m]->half_offsets[part]);
            INLAY_UNROLL
            for (std::size_t v = 0; v < block_tile_vectors; ++v) dots[v][m].start(first);
          }
          INLAY_UNROLL
          for (std::size_t s = 0; s < steps; ++s) {
            u8s w[block_tile_vectors];
            INLAY_UNROLL
            for (std::size_t v = 0; v < block_tile_vectors; ++v)
              w[v] = hn::LoadU(u8_tag(), codes[v / panel_vectors] + v % panel_vectors * vector_bytes +
                                             (part * steps + s) * step_bytes);
            INLAY_UNROLL
            for (std::size_t m = 0; m < Rows; ++m) {
              const i8s quad = splat_quad(x[m]->q + 4 * (part * steps + s));
              INLAY_UNROLL
              for (std::size_t v = 0; v < block_tile_vectors; ++v) dots[v][m].add(s, w[v], quad);
            }
          }
          if constexpr (Scales == 2) {
            INLAY_UNROLL
            for (std::size_t v = 0; v < block_tile_vectors; ++v) {
              const f32s scale =
                  load(group[v / panel_vectors].part_scales[2 * line + part] + v % panel_vectors * lanes);
              INLAY_UNROLL
              for (std::size_t m = 0; m < Rows; ++m) {
                const f32s dot = hn::ConvertTo(d, dots[v][m].sums());
                scaled[v][m] = part == 0 ? hn::Mul(dot, scale) : multiply_add(dot, scale, scaled[v][m]);
              }
            }
          } else {
            INLAY_UNROLL
            for (std::size_t m = 0; m < Rows; ++m) {
              const std::int32_t* scale = group->scales[Folded ? 0 : line][x[m]->mantissa()];
              const i32s of_x = hn::BitCast(i32_tag(), splat(x[m]->scale));
              INLAY_UNROLL
              for (std::size_t v = 0; v < block_tile_vectors; ++v) {
                const std::int32_t* at = scale + v / panel_vectors * panel_numbers + v % panel_vectors * lanes;
                const f32s both = hn::BitCast(d, hn::Add(hn::LoadU(i32_tag(), at), of_x));
                tile[v][m] = multiply_add(hn::ConvertTo(d, dots[v][m].sums()), both, tile[v][m]);
              }
            }
          }
        }
        if constexpr (Scales == 2) {
          INLAY_UNROLL
          for (std::size_t m = 0; m < Rows; ++m) {
            const f32s of_x = splat(x[m]->scale);
            INLAY_UNROLL
            for (std::size_t v = 0; v < block_tile_vectors; ++v)
              tile[v][m] = multiply_add(scaled[v][m], of_x, tile[v][m]);
          }
        }
        INLAY_UNROLL
        for (std::size_t p = 0; p < block_tile_panels; ++p) codes[p] += line_steps * step_bytes;
        INLAY_UNROLL
        for (std::size_t m = 0; m < Rows; ++m) ++x[m];
      }
      if constexpr (Bases != tile_bases::none) {
        const quantized_line* begin[Rows];
        INLAY_UNROLL
        for (std::size_t m = 0; m < Rows; ++m) begin[m] = x[m] - work.lines[g];
        add_bases<Bases>(work.unpacked[g], work.lines[g], begin, work.zero, tile);
      }
      INLAY_UNROLL
      for (std::size_t m = 0; m < Rows; ++m) {
        const f32s unit = splat(x[m][-1].unit);
        INLAY_UNROLL
        for (std::size_t v = 0; v < block_tile_vectors; ++v) sums[v][m] = multiply_add(tile[v][m], unit, sums[v][m]);
      }
    }
    INLAY_UNROLL
    for (std::size_t m = 0; m < Rows; ++m) {
      if (row + m >= work.rows) break;
      INLAY_UNROLL
      for (std::size_t v = 0; v < block_tile_vectors; ++v)
        store(sums[v][m], work.to + (row + m) * work.to_stride + v * lanes);
    }
  }
}

}  // namespace detail

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
