// SPDX-License-Identifier: Apache-2.0
// Products of packed formats with one activation row, and with a few: codes are unpacked in registers.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

namespace detail {

/// Whether the sums of half a line fit 16 bits.
template <class Format>
inline constexpr bool sums_in_pairs =
    has_quad_u8_i8 && Format::whole_scales && Format::scales == 2 && line_columns / 2 * 127 * Format::most <= 32767;

/// number . dots of both halves of a line, which are times 2^place.
HWY_INLINE i32s multiply_number_pair(i32s first, i32s second, int place, i32s number_pair) {
  const i32s low = hn::ShiftRightSame(first, place), high = hn::ShiftLeftSame(second, 16 - place);
  return add_pairs(hn::Zero(i32_tag()), hn::OrAnd(high, low, splat_int(0xffff)), number_pair);
}

/// The codes of a load, and where they can be had for less, placed ones.
template <class Format, bool Placed, std::size_t N>
HWY_INLINE void read_codes(const typename Format::group& w, std::size_t line, std::size_t i, std::size_t v,
                           u8s (&codes)[N]) {
  if constexpr (Placed)
    w.placed_codes(line, i, v, codes);
  else
    w.codes(line, i, v, codes);
}

template <class Format>
HWY_NOINLINE void add_row(const std::byte* group, std::size_t lines, const quantized_line* x, float* to,
                          const read_points& ahead) {
  constexpr std::size_t stride = Format::stride, loads = Format::loads, scales = Format::scales;
  constexpr std::size_t steps = line_steps / scales;
  constexpr std::size_t codes_of_load = stride * line_steps / loads;
  const typename Format::group w(group, lines);
  const f32_tag d;
  const f32s unit = splat(stride == 1 ? x->unit * unplaced(place_of<Format>(0)) : x->unit);
  f32s sums[panel_vectors];
  f32s bases[panel_vectors];
  i32s base_sums[panel_vectors];
  INLAY_UNROLL
  for (std::size_t v = 0; v < panel_vectors; ++v) {
    sums[v] = bases[v] = zero();
    base_sums[v] = hn::Zero(i32_tag());
  }
  for (std::size_t line = 0; line < lines; line += stride, x += stride) {
    INLAY_UNROLL
    for (std::size_t v = 0; v < panel_vectors; ++v) {
      step_sums<Format::most, steps> dots[stride][scales];
      INLAY_UNROLL
      for (std::size_t l = 0; l < stride; ++l) INLAY_UNROLL
      for (std::size_t part = 0; part < scales; ++part) {
        const std::int32_t offset = scales == 1 ? x[l].offset : x[l].half_offsets[part];
        dots[l][part].start(start_of_sums<Format::offset>(offset, place_of<Format>(l)));
      }
      INLAY_UNROLL
      for (std::size_t i = 0; i < loads; ++i) {
        // Evenly: many requests at once would wait for each other.
        if (v == 0) {
          constexpr std::size_t all = (stride * Format::line_bytes + 63) / 64;
          const std::size_t done = all * i / loads, now = all * (i + 1) / loads - done;
          ahead.ask(line * Format::line_bytes + 64 * done, 64 * now);
        }
        u8s codes[codes_of_load];
        read_codes<Format, has_places<Format>>(w, line, i, v, codes);
        INLAY_UNROLL
        for (std::size_t j = 0; j < codes_of_load; ++j) {
          const std::size_t l = stride == 1 ? 0 : j;
          const std::size_t step = stride == 1 ? i + j * loads : i;
          const std::size_t turn = stride == 1 ? i * codes_of_load + j : i % steps;
          dots[l][step / steps].add(turn, codes[j], x[l].q, step);
        }
      }
      INLAY_UNROLL
      for (std::size_t l = 0; l < stride; ++l) {
        if constexpr (Format::whole_scales) {
          i32s sum;
          float scale = x[l].scale;
          if constexpr (sums_in_pairs<Format>) {
            const int place = place_of<Format>(l);
            sum = multiply_number_pair(dots[l][0].sums(), dots[l][1].sums(), place, w.number_pair(line + l, v));
          } else {
            sum = hn::Mul(w.number(line + l, 0, v), dots[l][0].sums());
            if constexpr (scales == 2) sum = hn::Add(sum, hn::Mul(w.number(line + l, 1, v), dots[l][1].sums()));
            if (place_of<Format>(l) != 0) scale *= unplaced(place_of<Format>(l));
          }
          sums[v] = multiply_add(hn::ConvertTo(d, sum), splat(scale), sums[v]);
          if constexpr (has_base_pairs<Format>)
            if (l % base_pair_lines<Format> == 0)
              base_sums[v] = add_pairs(base_sums[v], w.base_pair(line + l, v), splat_sums<Format::bases>(x[l]));
        } else {
          const f32s scaled = hn::Mul(hn::ConvertTo(d, dots[l][0].sums()), w.scale(line + l, 0, v));
          sums[v] = multiply_add(scaled, splat(x[l].scale), sums[v]);
          if constexpr (Format::bases != 0) bases[v] = multiply_add(w.base(line + l, 0, v), splat(x[l].sum), bases[v]);
        }
      }
    }
  }
  INLAY_UNROLL
  for (std::size_t v = 0; v < panel_vectors; ++v) {
    if constexpr (Format::whole_scales) {
      sums[v] = hn::Mul(sums[v], w.factor(v));
      if constexpr (Format::bases != 0)
        sums[v] = multiply_add(hn::ConvertTo(d, base_sums[v]), whole_base_factor(w, v), sums[v]);
    } else if constexpr (Format::bases != 0) {
      sums[v] = hn::Add(sums[v], bases[v]);
    }
    store(multiply_add(sums[v], unit, load(to + v * lanes)), to + v * lanes);
  }
}

// ---- a few rows -----------------------------------------------------------------------------------------------------

/// Where there are registers enough for the sums of a tile, its codes, and what unpacks them.
inline constexpr bool multiplies_few_rows = has_quad_u8_i8 && block_tile_vectors == 2;

/// The products of codes with the numbers of their lanes, where none of them is above 255.
HWY_INLINE u8s fold_small_scale(u8s codes, i32s number) {
  const u16_tag d;
  const auto factors = hn::BitCast(d, hn::Or(number, hn::ShiftLeft<16>(number)));
  return hn::BitCast(u8_tag(), hn::Mul(hn::BitCast(d, codes), factors));
}

/// Where little is done with a panel, it is best read as a stream of its own.
template <class Format>
inline constexpr bool reads_alone = Format::fold == 0;

/// Codes of Panels panels are unpacked in registers, and multiplied with Rows rows. A single panel is read as Intel's
/// cores want it.
template <class Format, std::size_t Panels, std::size_t Rows>
HWY_NOINLINE void add_few_rows(const few_rows_work& work) {
  constexpr std::size_t stride = Format::stride, loads = Format::loads;
  constexpr std::size_t codes_of_load = stride * line_steps / loads;
  constexpr bool folded = Format::fold > 0;
  constexpr bool placed = has_places<Format> && !folded;
  constexpr std::size_t parts = folded ? 1 : Format::scales;  // of a line, with sums of their own
  static_assert(parts == 1 || loads == line_steps);
  const f32_tag d;
  typename Format::group w[Panels];
  INLAY_UNROLL
  for (std::size_t p = 0; p < Panels; ++p) w[p] = typename Format::group(work.groups[p], work.lines);
  const std::byte* ahead = work.ahead.next;
  const quantized_line* x[Rows];
  x[0] = work.x;
  INLAY_UNROLL
  for (std::size_t m = 1; m < Rows; ++m) x[m] = m < work.rows ? x[m - 1] + work.row_lines : x[m - 1];
  f32s tile[Panels][Rows];
  i32s base_sums[Panels][Rows];
  INLAY_UNROLL
  for (std::size_t m = 0; m < Rows; ++m) {
    INLAY_UNROLL
    for (std::size_t p = 0; p < Panels; ++p) {
      tile[p][m] = splat(work.zero);
      base_sums[p][m] = hn::BitCast(i32_tag(), tile[p][m]);
    }
  }
  for (std::size_t first = 0; first < work.lines; first += stride) {
    INLAY_UNROLL
    for (std::size_t l = 0; l < stride; ++l) {
      const std::size_t line = first + l;
      INLAY_UNROLL
      for (std::size_t part = 0; part < parts; ++part) {
        step_sums<Format::most, line_steps / parts> dots[Panels][Rows];
        INLAY_UNROLL
        for (std::size_t m = 0; m < Rows; ++m) {
          const std::int32_t offset = parts == 1 ? x[m]->offset : x[m]->half_offsets[part];
          const i32s start = start_of_sums<Format::offset>(offset, placed ? place_of<Format>(l) : 0);
          INLAY_UNROLL
          for (std::size_t p = 0; p < Panels; ++p) dots[p][m].start(start);
        }
        INLAY_UNROLL
        for (std::size_t i = part * loads / parts; i < (part + 1) * loads / parts; ++i) {
          constexpr std::size_t turns = stride * loads, all = (stride * Format::line_bytes + 63) / 64;
          const std::size_t turn = l * loads + i, done = all * turn / turns, now = all * (turn + 1) / turns - done;
          const std::size_t from = first * Format::line_bytes + 64 * done;
          if constexpr (Panels == 1) {
            const std::byte* const group = work.groups[0];
            read_points{group + pace_of_intel.near, group + pace_of_intel.far}.ask(from, 64 * now);
          } else if (reads_alone<Format> && work.own_reads) {
            INLAY_UNROLL
            for (std::size_t p = 0; p < Panels; ++p) prefetch(work.own[p] + from, 64 * now);
          } else {
            for (const std::byte* const until = work.ahead.next + (line * loads + i + 1) * work.ahead.bytes / loads;
                 ahead < until; ahead += 64)
              prefetch_far(ahead);
          }
          u8s codes[Panels][codes_of_load];
          INLAY_UNROLL
          for (std::size_t p = 0; p < Panels; ++p) {
            read_codes<Format, placed>(w[p], stride == 1 ? line : first, i, 0, codes[p]);
            if constexpr (folded)
              codes[p][l] = fold_small_scale(codes[p][l], w[p].number(line, i / (line_steps / Format::scales), 0));
          }
          INLAY_UNROLL
          for (std::size_t j = 0; j < codes_of_load / stride; ++j) {
            const std::size_t step = i + j * loads;
            INLAY_UNROLL
            for (std::size_t m = 0; m < Rows; ++m) {
              if constexpr (Panels == 1) {
                dots[0][m].add(i, codes[0][stride == 1 ? j : l], x[m]->q, step);
              } else {
                const i8s quad = splat_quad(x[m]->q + 4 * step);
                INLAY_UNROLL
                for (std::size_t p = 0; p < Panels; ++p) dots[p][m].add(i, codes[p][stride == 1 ? j : l], quad);
              }
            }
          }
        }
        INLAY_UNROLL
        for (std::size_t p = 0; p < Panels; ++p) {
          f32s scale;
          if constexpr (!Format::whole_scales)
            scale = w[p].scale(line, part, 0);
          else if constexpr (!folded)
            scale = hn::ConvertTo(d, w[p].number(line, part, 0));
          if constexpr (placed && stride > 1)
            if (place_of<Format>(l) != 0) scale = hn::Mul(scale, splat(unplaced(place_of<Format>(l))));
          INLAY_UNROLL
          for (std::size_t m = 0; m < Rows; ++m) {
            const f32s of_x = splat(x[m]->scale);
            const f32s sums = hn::ConvertTo(d, dots[p][m].sums());
            if constexpr (folded)
              tile[p][m] = multiply_add(sums, of_x, tile[p][m]);
            else
              tile[p][m] = multiply_add(sums, hn::Mul(scale, of_x), tile[p][m]);
            if (part != 0) continue;
            if constexpr (has_base_pairs<Format>) {
              if (l % base_pair_lines<Format> == 0)
                base_sums[p][m] = add_pairs(base_sums[p][m], w[p].base_pair(line, 0), splat_sums<Format::bases>(*x[m]));
            } else if constexpr (Format::bases != 0) {
              tile[p][m] = multiply_add(w[p].base(line, 0, 0), splat(x[m]->sum), tile[p][m]);
            }
          }
        }
      }
      INLAY_UNROLL
      for (std::size_t m = 0; m < Rows; ++m) ++x[m];
    }
  }
  INLAY_UNROLL
  for (std::size_t m = 0; m < Rows; ++m) {
    const f32s unit = splat(placed && stride == 1 ? x[m][-1].unit * unplaced(place_of<Format>(0)) : x[m][-1].unit);
    INLAY_UNROLL
    for (std::size_t p = 0; p < Panels; ++p) {
      float* to = work.sums + m * block_tile_width + p * panel_rows;
      if constexpr (Format::whole_scales) tile[p][m] = hn::Mul(tile[p][m], w[p].factor(0));
      if constexpr (has_base_pairs<Format>)
        tile[p][m] = multiply_add(hn::ConvertTo(d, base_sums[p][m]), whole_base_factor(w[p], 0), tile[p][m]);
      store(multiply_add(tile[p][m], unit, load(to)), to);
    }
  }
}

}  // namespace detail

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
