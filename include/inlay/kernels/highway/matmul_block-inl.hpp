// SPDX-License-Identifier: Apache-2.0
// Products of packed block formats with quantized activations.
//
// One activation row is bound by memory: codes are unpacked in registers. More of them are multiplied tile by tile with
// a group of weights that was unpacked once, to bytes and float scales, which is the same for all formats. The code
// that depends on a format, a panel and a group of columns at a time, is reached through `block_kernels`.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

/// A group of a panel in a form that costs nothing to read. Formats whose packed codes are bytes leave theirs in place.
struct unpacked_group {
  std::uint8_t codes[group_columns / 4][step_bytes];
  union {
    /// Bits of a line's scale times each mantissa, minus the mantissa's: those of an activation scale with this
    /// mantissa are added, and give the product of both. Such additions run beside multiply-adds, where multiplications
    /// do not.
    std::int32_t scales[group_lines][mantissa_count][panel_rows];
    float part_scales[2 * group_lines][panel_rows];  ///< or where a line has two
  };
  union {
    float bases[group_lines][panel_rows];              ///< one of a line,
    std::int32_t base_pairs[group_lines][panel_rows];  ///< or two numbers of one or two lines
  };
  float base_factor[panel_rows];  ///< of base_pairs, times 2^sum_exponent
};

/// The bases of a format in its unpacked groups.
enum class tile_bases { none, floats, of_lines, of_halves };

/// Panels and activation rows of a tile: its sums and what they are made of fit the registers.
inline constexpr std::size_t block_tile_panels = HWY_MAX_BYTES >= 64 ? 2 : 1;
inline constexpr std::size_t block_tile_rows = 4;
/// Rows of a tile where that leaves few of them unused: a little faster where there are registers for it. (Lines with
/// two scales need more of them.)
inline constexpr std::size_t long_tile_rows = HWY_MAX_BYTES >= 64 ? 5 : block_tile_rows;
inline constexpr std::size_t block_tile_vectors = block_tile_panels * panel_vectors;
inline constexpr std::size_t block_tile_width = block_tile_panels * panel_rows;
/// Groups that are multiplied in one go, between which sums stay in registers.
inline constexpr std::size_t block_tile_groups = 2;

/// Asks for memory that will be read after some ten thousand bytes more: it need not crowd the first cache.
HWY_INLINE void prefetch_far(const std::byte* p) {
#if HWY_ARCH_X86
  _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T1);
#else
  hwy::Prefetch(p);
#endif
}

/// Weights that will be read next: with every line that is worked on, some of them are asked for.
struct read_ahead {
  const std::byte* next;
  std::size_t bytes;  ///< a line's, a multiple of 64

  HWY_INLINE void step(std::size_t lines = 1) {
    for (std::size_t i = 0; i < lines * bytes; i += 64) hwy::Prefetch(next + i);
    next += lines * bytes;
  }
};

/// Some groups of the panels of a tile, times rows of activations, a tile of rows after the other.
struct tile_work {
  const std::uint8_t* codes[block_tile_groups][block_tile_panels];
  const unpacked_group* unpacked[block_tile_groups];  ///< [block_tile_panels]: scales and bases
  std::size_t lines[block_tile_groups];
  std::size_t groups;
  const quantized_line* x;  ///< the first group's first line
  std::size_t row_lines, rows;
  const float* from;  ///< sums so far, [rows][block_tile_width]; null: none
  float* to;
  std::size_t to_stride;
  read_ahead ahead[block_tile_panels];
  float zero;  ///< 0: g++ makes a memset of an array of vectors that starts from a constant
};

/// The most activation rows that are multiplied with codes which were not unpacked to memory.
inline constexpr std::size_t most_few_rows = 2 * block_tile_rows;

/// A group of the panels of a tile, times a few rows of activations.
struct few_rows_work {
  const std::byte* groups[block_tile_panels];
  std::size_t lines;
  const quantized_line* x;
  std::size_t row_lines, rows;
  float* sums;  ///< [block_tile_rows][block_tile_width], added to
  read_ahead ahead;
  float zero;  ///< 0, as in tile_work
};

/// What depends on a format.
struct block_kernels {
  std::size_t line_bytes = 0;  ///< 0: the type is not packed
  void (*pack)(const std::byte* const* rows, std::size_t count, std::size_t columns, std::byte* out) = nullptr;
  /// sums[r] += w[r] . x, for the 16 rows and the `lines` lines of a group; asks for as many bytes from `ahead` on.
  void (*add_row)(const std::byte* group, std::size_t lines, const quantized_line* x, float* sums,
                  const std::byte* ahead) = nullptr;
  /// Returns where the codes are.
  const std::uint8_t* (*unpack)(const std::byte* group, std::size_t lines, unpacked_group& to,
                                read_ahead& ahead) = nullptr;
  void (*multiply_tiles)(const tile_work& work) = nullptr;       ///< of block_tile_rows
  void (*multiply_long_tiles)(const tile_work& work) = nullptr;  ///< of long_rows
  std::size_t long_rows = 0;
  /// As add_row, for up to block_tile_rows rows of activations and the panels of a tile.
  void (*add_few_rows)(const few_rows_work& work) = nullptr;
  /// How many rows of activations are still better multiplied so: every block_tile_rows of them unpack the codes.
  std::size_t few_rows = 0;
};

/// How far ahead of their use weights are asked for, in bytes.
inline constexpr std::size_t prefetch_distance = 6144;

namespace detail {

HWY_INLINE void prefetch(const std::byte* p, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += 64) hwy::Prefetch(p + i);
}

// ---- one activation row ---------------------------------------------------------------------------------------------

/// Formats whose bases are pairs of whole numbers, and how many lines have a pair.
template <class Format>
inline constexpr bool has_base_pairs = Format::whole_scales && Format::bases != 0;
template <class Format>
inline constexpr std::size_t base_pair_lines = Format::bases == 1 ? 2 : 1;

template <class Group>
HWY_INLINE f32s whole_base_factor(const Group& group, std::size_t v) {
  return hn::Mul(group.base_factor(v), splat(power_of_two(sum_exponent)));
}

template <class Format>
HWY_NOINLINE void add_row(const std::byte* group, std::size_t lines, const quantized_line* x, float* to,
                          const std::byte* ahead) {
  constexpr std::size_t stride = Format::stride, loads = Format::loads, scales = Format::scales;
  constexpr std::size_t steps = line_steps / scales;
  constexpr std::size_t codes_of_load = stride * line_steps / loads;
  const typename Format::group w(group, lines);
  const f32_tag d;
  const f32s unit = splat(x->unit);
  f32s sums[panel_vectors];
  f32s bases[panel_vectors];
  i32s base_sums[panel_vectors];
  INLAY_UNROLL
  for (std::size_t v = 0; v < panel_vectors; ++v) {
    sums[v] = bases[v] = zero();
    base_sums[v] = hn::Zero(i32_tag());
  }
  for (std::size_t line = 0; line < lines; line += stride, x += stride) {
    prefetch(ahead + line * Format::line_bytes, stride * Format::line_bytes);
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
          dots[l][step / steps].add(turn, codes[j], splat_quad_of(x[l].q, step));
        }
      }
      INLAY_UNROLL
      for (std::size_t l = 0; l < stride; ++l) {
        if constexpr (Format::whole_scales) {
          i32s sum = hn::Mul(w.number(line + l, 0, v), dots[l][0].sums());
          if constexpr (scales == 2) sum = hn::Add(sum, hn::Mul(w.number(line + l, 1, v), dots[l][1].sums()));
          sums[v] = multiply_add(hn::ConvertTo(d, sum), splat(x[l].scale), sums[v]);
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

/// Codes are unpacked in registers, and multiplied with a tile's rows.
template <class Format>
HWY_NOINLINE void add_few_rows(const few_rows_work& work) {
  constexpr std::size_t stride = Format::stride, loads = Format::loads;
  constexpr std::size_t tile_panels = block_tile_panels, rows = block_tile_rows;
  constexpr std::size_t codes_of_load = stride * line_steps / loads;
  constexpr bool folded = Format::fold > 0;
  static_assert(folded || Format::scales == 1);
  const f32_tag d;
  const typename Format::group w[tile_panels] = {{work.groups[0], work.lines}, {work.groups[1], work.lines}};
  const std::byte* ahead = work.ahead.next;
  const quantized_line* x[rows];
  x[0] = work.x;
  INLAY_UNROLL
  for (std::size_t m = 1; m < rows; ++m) x[m] = m < work.rows ? x[m - 1] + work.row_lines : x[m - 1];
  f32s tile[tile_panels][rows];
  i32s base_sums[tile_panels][rows];
  INLAY_UNROLL
  for (std::size_t m = 0; m < rows; ++m) {
    INLAY_UNROLL
    for (std::size_t p = 0; p < tile_panels; ++p) {
      tile[p][m] = splat(work.zero);
      base_sums[p][m] = hn::BitCast(i32_tag(), tile[p][m]);
    }
  }
  for (std::size_t first = 0; first < work.lines; first += stride) {
    for (std::size_t i = 0; i < stride * work.ahead.bytes; i += 64) prefetch_far(ahead + i);
    ahead += stride * work.ahead.bytes;
    INLAY_UNROLL
    for (std::size_t l = 0; l < stride; ++l) {
      const std::size_t line = first + l;
      step_sums<Format::most, line_steps> dots[tile_panels][rows];
      INLAY_UNROLL
      for (std::size_t m = 0; m < rows; ++m) {
        const i32s start = start_of_sums<Format::offset>(x[m]->offset);
        INLAY_UNROLL
        for (std::size_t p = 0; p < tile_panels; ++p) dots[p][m].start(start);
      }
      INLAY_UNROLL
      for (std::size_t i = 0; i < loads; ++i) {
        u8s codes[tile_panels][codes_of_load];
        INLAY_UNROLL
        for (std::size_t p = 0; p < tile_panels; ++p) {
          w[p].codes(stride == 1 ? line : first, i, 0, codes[p]);
          if constexpr (folded)
            codes[p][l] = fold_small_scale(codes[p][l], w[p].number(line, i / (line_steps / Format::scales), 0));
        }
        INLAY_UNROLL
        for (std::size_t j = 0; j < codes_of_load / stride; ++j) {
          const std::size_t step = i + j * loads;
          INLAY_UNROLL
          for (std::size_t m = 0; m < rows; ++m) {
            const i8s quad = splat_quad(x[m]->q + 4 * step);
            INLAY_UNROLL
            for (std::size_t p = 0; p < tile_panels; ++p) dots[p][m].add(i, codes[p][stride == 1 ? j : l], quad);
          }
        }
      }
      INLAY_UNROLL
      for (std::size_t p = 0; p < tile_panels; ++p) {
        f32s scale;
        i32s number;
        if constexpr (!Format::whole_scales)
          scale = w[p].scale(line, 0, 0);
        else if constexpr (!folded)
          number = w[p].number(line, 0, 0);
        INLAY_UNROLL
        for (std::size_t m = 0; m < rows; ++m) {
          const f32s of_x = splat(x[m]->scale);
          if constexpr (folded)
            tile[p][m] = multiply_add(hn::ConvertTo(d, dots[p][m].sums()), of_x, tile[p][m]);
          else if constexpr (Format::whole_scales)
            tile[p][m] = multiply_add(hn::ConvertTo(d, hn::Mul(dots[p][m].sums(), number)), of_x, tile[p][m]);
          else
            tile[p][m] = multiply_add(hn::ConvertTo(d, dots[p][m].sums()), hn::Mul(scale, of_x), tile[p][m]);
          if constexpr (has_base_pairs<Format>) {
            if (l % base_pair_lines<Format> == 0)
              base_sums[p][m] = add_pairs(base_sums[p][m], w[p].base_pair(line, 0), splat_sums<Format::bases>(*x[m]));
          } else if constexpr (Format::bases != 0) {
            tile[p][m] = multiply_add(w[p].base(line, 0, 0), splat(x[m]->sum), tile[p][m]);
          }
        }
      }
      INLAY_UNROLL
      for (std::size_t m = 0; m < rows; ++m) ++x[m];
    }
  }
  INLAY_UNROLL
  for (std::size_t m = 0; m < rows; ++m) {
    const f32s unit = splat(x[m][-1].unit);
    INLAY_UNROLL
    for (std::size_t p = 0; p < tile_panels; ++p) {
      float* to = work.sums + m * block_tile_width + p * panel_rows;
      if constexpr (Format::whole_scales) tile[p][m] = hn::Mul(tile[p][m], w[p].factor(0));
      if constexpr (has_base_pairs<Format>)
        tile[p][m] = multiply_add(hn::ConvertTo(d, base_sums[p][m]), whole_base_factor(w[p], 0), tile[p][m]);
      store(multiply_add(tile[p][m], unit, load(to)), to);
    }
  }
}

// ---- several rows ---------------------------------------------------------------------------------------------------

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
  if constexpr (multiplies_few_rows && (Format::scales == 1 || Format::fold > 0)) {
    kernels.add_few_rows = &add_few_rows<Format>;
    kernels.few_rows = Format::bases == 0 || Format::most == 15 ? most_few_rows : block_tile_rows;
  }
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
  const auto ahead_of = [&](const std::byte* group) {
    const std::ptrdiff_t behind = group + prefetch_distance - panels_end;
    return w.then != nullptr && behind >= 0 ? w.then + behind : panels_end + behind;
  };
  detail::prefetch(panel, prefetch_distance);
  for (std::size_t r = begin; r < end; r += panel_rows, panel += panel_bytes) {
    const std::byte* group = panel;
    alignas(64) float sums[panel_rows] = {};
    for (std::size_t c = 0; c < w.columns; c += group_columns) {
      const std::size_t lines = std::min(group_columns, w.columns - c) / line_columns;
      format.add_row(group, lines, x + c / line_columns, sums, ahead_of(group));
      group += lines * format.line_bytes;
    }
    detail::store_rows(sums, std::min(panel_rows, end - r), out + r, add);
  }
}

/// At most most_few_rows activation rows: out[i * stride + r] = or += w[r] . x[i]. While a tile is worked on, the next
/// one is asked for in the order of its memory: one stream is read faster than one of each panel.
inline void multiply_few_rows(const block_kernels& format, const matrix_ref& w, const quantized_line* x,
                              std::size_t x_rows, float* out, std::size_t stride, std::size_t begin, std::size_t end,
                              bool add) {
  const std::size_t panel_bytes = packed_panel_bytes(format, w.columns);
  alignas(64) float sums[most_few_rows * block_tile_width];
  few_rows_work work;
  work.row_lines = quantized_row_bytes(w.columns) / sizeof(quantized_line);
  work.zero = 0.0f;
  const std::size_t tiles = (x_rows + block_tile_rows - 1) / block_tile_rows;
  const std::size_t ahead_bytes = (block_tile_panels * format.line_bytes + 64 * tiles - 1) / (64 * tiles) * 64;
  const std::byte* const first = w.data + begin / panel_rows * panel_bytes;
  for (std::size_t p = 0; p < block_tile_panels; ++p) detail::prefetch(first + p * panel_bytes, prefetch_distance);
  for (std::size_t r = begin; r < end; r += block_tile_width) {
    std::fill(sums, sums + (x_rows + block_tile_rows - 1) / block_tile_rows * block_tile_rows * block_tile_width, 0.0f);
    const std::byte* const panel = w.data + r / panel_rows * panel_bytes;
    std::size_t done = 0;  // bytes of each panel
    work.ahead = {panel + block_tile_panels * panel_bytes, ahead_bytes};
    for (std::size_t c = 0; c < w.columns; c += group_columns) {
      work.lines = std::min(group_columns, w.columns - c) / line_columns;
      for (std::size_t p = 0; p < block_tile_panels; ++p) {  // an absent panel repeats the first one
        const std::size_t at = r + p * panel_rows < end ? p * panel_bytes : 0;
        work.groups[p] = panel + at + done;
      }
      for (std::size_t i = 0; i < x_rows; i += block_tile_rows) {
        work.rows = std::min(block_tile_rows, x_rows - i);
        work.x = x + i * work.row_lines + c / line_columns;
        work.sums = sums + i * block_tile_width;
        format.add_few_rows(work);
        work.ahead.next += work.lines * ahead_bytes;
      }
      done += work.lines * format.line_bytes;
    }
    for (std::size_t p = 0; p < block_tile_panels && r + p * panel_rows < end; ++p)
      for (std::size_t i = 0; i < x_rows; ++i)
        detail::store_rows(sums + i * block_tile_width + p * panel_rows, std::min(panel_rows, end - r - p * panel_rows),
                           out + i * stride + r + p * panel_rows, add);
  }
}

/// Several activation rows: out[i * stride + r] = or += w[r] . x[i].
inline void multiply_rows(const block_kernels& format, const matrix_ref& w, const quantized_line* x, std::size_t x_rows,
                          float* out, std::size_t stride, std::size_t begin, std::size_t end, bool add) {
  if (x_rows <= format.few_rows) return multiply_few_rows(format, w, x, x_rows, out, stride, begin, end, add);
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
