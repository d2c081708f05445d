// SPDX-License-Identifier: Apache-2.0
// Packed forms of the K formats. A block of the file is a group; its bytes keep their order, transposed to steps,
// except that bits are moved where a line would otherwise have to know its number to find them.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

namespace detail {

/// 16 six-bit numbers of 16 rows. In memory: low four bits of number i and, above them, of number i + 8, for i < 8;
/// then high two bits of numbers i, i + 4, i + 8, i + 12, for i < 4.
inline constexpr std::size_t six_bits_bytes = (8 + 4) * panel_rows;

HWY_INLINE void unpack_six_bits(const std::byte* from, std::uint8_t (&to)[16 * panel_rows]) {
  constexpr std::size_t quarter = 4 * panel_rows;
  INLAY_UNROLL
  for (std::size_t i = 0; i < quarter; i += vector_bytes) {
    const u8s first = load_bytes(from + i);
    const u8s second = load_bytes(from + quarter + i);
    const u8s high = load_bytes(from + 2 * quarter + i);
    const u8_tag d;
    hn::StoreU(with_field(field(first, 0, 15), high, -4, 0x30), d, to + i);
    hn::StoreU(with_field(field(second, 0, 15), high, -2, 0x30), d, to + quarter + i);
    hn::StoreU(with_field(field(first, 4, 15), high, 0, 0x30), d, to + 2 * quarter + i);
    hn::StoreU(with_field(field(second, 4, 15), high, 2, 0x30), d, to + 3 * quarter + i);
  }
}

/// numbers to the above.
inline void pack_six_bits(const std::uint8_t (&numbers)[16 * panel_rows], std::byte* to) {
  constexpr std::size_t quarter = 4 * panel_rows;
  for (std::size_t i = 0; i < 2 * quarter; ++i)
    to[i] = static_cast<std::byte>((numbers[i] & 15) | (numbers[i + 2 * quarter] << 4));
  for (std::size_t i = 0; i < quarter; ++i) {
    unsigned high = 0;
    for (std::size_t q = 0; q < 4; ++q) high |= static_cast<unsigned>(numbers[i + q * quarter] >> 4) << (2 * q);
    to[2 * quarter + i] = static_cast<std::byte>(high);
  }
}

/// What they have in common.
template <dtype Type>
struct k_format_base {
  static constexpr std::size_t block_bytes = panel_rows * geometry(Type).bytes;
  static constexpr std::size_t line_bytes = block_bytes / group_lines;
  static_assert(block_bytes % group_lines == 0);
  static constexpr std::size_t loads = line_steps;
  static constexpr bool whole_scales = true;
  static constexpr int fold = 0;
  static constexpr std::size_t half_bytes = 2 * panel_rows;  ///< a half float of every row
};

/// Packs block after block.
template <class Format, dtype Type>
void pack_blocks(const std::byte* const* rows, std::size_t count, std::size_t columns, std::byte* out) {
  for (std::size_t i = 0; i < columns / group_columns; ++i)
    Format::pack_block(block_column<Type>(rows, count, i), out + i * Format::block_bytes);
}

}  // namespace detail

/// q4_k and q5_k: d, dmin; eight scales and eight minima of six bits; [fifth bits;] 4 x 8 steps of codes, of which the
/// low nibbles are a line and the high ones the next.
template <dtype Type>
struct k_format_45 : detail::k_format_base<Type> {
  using base_type = detail::k_format_base<Type>;
  static constexpr bool has_fifth_bits = Type == dtype::q5_k;
  static constexpr std::size_t stride = 2;
  static constexpr int most = has_fifth_bits ? 31 : 15;
  static constexpr int offset = 0;
  static constexpr std::size_t scales = 1;
  static constexpr std::size_t bases = 1;

  static constexpr std::size_t six_bits_at = 2 * base_type::half_bytes;
  static constexpr std::size_t high_at = six_bits_at + detail::six_bits_bytes;
  static constexpr std::size_t high_bytes = 2 * step_bytes;  // of two lines
  static constexpr std::size_t code_at = high_at + (has_fifth_bits ? 4 * high_bytes : 0);
  static constexpr std::size_t code_bytes = line_steps * step_bytes;  // of two lines
  static_assert(code_at + 4 * code_bytes == base_type::block_bytes);

  struct group {
    const std::byte* data;
    std::uint8_t numbers[16 * panel_rows];

    group() = default;
    HWY_INLINE group(const std::byte* p, std::size_t) : data(p) { detail::unpack_six_bits(p + six_bits_at, numbers); }

    HWY_INLINE void codes(std::size_t line, std::size_t i, std::size_t v, u8s (&out)[stride]) const {
      const std::size_t pair = line / 2;
      const u8s bytes = load_bytes(data + code_at + pair * code_bytes + i * step_bytes + v * vector_bytes);
      INLAY_UNROLL
      for (std::size_t j = 0; j < stride; ++j) {
        out[j] = field(bytes, static_cast<int>(4 * j), 15);
        if constexpr (has_fifth_bits) {
          const u8s high = load_bytes(data + high_at + pair * high_bytes + i / 4 * step_bytes + v * vector_bytes);
          out[j] = with_field(out[j], high, static_cast<int>(i % 4 * 2 + j) - 4, 16);
        }
      }
    }
    static constexpr int place(std::size_t j)
      requires(!has_fifth_bits)
    {
      return j == 0 ? 0 : 4;
    }
    HWY_INLINE void placed_codes(std::size_t line, std::size_t i, std::size_t v, u8s (&out)[stride]) const
      requires(!has_fifth_bits)
    {
      const u8s bytes = load_bytes(data + code_at + line / 2 * code_bytes + i * step_bytes + v * vector_bytes);
      out[1] = field(bytes, 0, 0xf0);
      out[0] = hn::Xor(bytes, out[1]);
    }
    HWY_INLINE i32s number(std::size_t line, std::size_t, std::size_t v) const {
      return load_numbers(numbers + line * panel_rows, v);
    }
    HWY_INLINE f32s factor(std::size_t v) const { return load_halves(data, v); }
    HWY_INLINE i32s base_pair(std::size_t line, std::size_t v) const {
      const std::uint8_t* at = numbers + (8 + line) * panel_rows;
      return pair_of(load_numbers(at, v), load_numbers(at + panel_rows, v));
    }
    HWY_INLINE f32s base_factor(std::size_t v) const { return hn::Neg(load_halves(data + base_type::half_bytes, v)); }
  };

  static void pack_block(const block_column<Type>& blocks, std::byte* out) {
    blocks.halves(0, out);
    blocks.halves(2, out + base_type::half_bytes);
    std::uint8_t numbers[16 * panel_rows];
    for (std::size_t r = 0; r < panel_rows; ++r) {
      std::uint8_t packed[12];
      hwy::CopyBytes<12>(blocks.rows[r] + 4, packed);
      for (std::size_t i = 0; i < 8; ++i) {
        const auto [scale, min] = k_scale_min(packed, static_cast<int>(i));
        numbers[i * panel_rows + r] = scale;
        numbers[(8 + i) * panel_rows + r] = min;
      }
    }
    detail::pack_six_bits(numbers, out + six_bits_at);
    if constexpr (has_fifth_bits) {
      // A step of the file has a bit of each line: bring those of two lines, from four steps, together.
      std::byte steps[line_steps * step_bytes];
      blocks.template steps<line_steps>(16, steps);
      std::byte* high = out + high_at;
      for (int pair = 0; pair < 4; ++pair)
        for (std::size_t half = 0; half < 2; ++half, high += step_bytes)
          for (std::size_t i = 0; i < step_bytes; ++i) {
            unsigned bits = 0;
            for (std::size_t s = 0; s < 4; ++s)
              bits |= (static_cast<unsigned>(steps[(4 * half + s) * step_bytes + i]) >> (2 * pair) & 3u) << (2 * s);
            high[i] = static_cast<std::byte>(bits);
          }
    }
    blocks.template steps<4 * line_steps>(has_fifth_bits ? 48 : 16, out + code_at);
  }

  static void pack(const std::byte* const* rows, std::size_t count, std::size_t columns, std::byte* out) {
    detail::pack_blocks<k_format_45, Type>(rows, count, columns, out);
  }
};

/// q6_k: d; 16 scales, bytes; for each half of 128 columns 8 times three steps: the codes of the first three lines, and
/// in their upper bits two bits each of the fourth line's.
struct k_format_6 : detail::k_format_base<dtype::q6_k> {
  static constexpr std::size_t stride = 4;
  static constexpr int most = 63;
  static constexpr int offset = 32;
  static constexpr std::size_t scales = 2;
  static constexpr std::size_t bases = 0;

  static constexpr std::size_t scale_at = half_bytes;
  static constexpr std::size_t code_at = scale_at + 16 * panel_rows;
  static constexpr std::size_t code_bytes = 3 * step_bytes;  // of a step of four lines
  static_assert(code_at + 2 * line_steps * code_bytes == block_bytes);

  struct group {
    const std::byte* data;

    group() = default;
    HWY_INLINE group(const std::byte* p, std::size_t) : data(p) {}

    HWY_INLINE void codes(std::size_t line, std::size_t i, std::size_t v, u8s (&out)[stride]) const {
      const std::byte* at = data + code_at + (line / 4 * line_steps + i) * code_bytes + v * vector_bytes;
      u8s bytes[3];
      INLAY_UNROLL
      for (std::size_t j = 0; j < 3; ++j) {
        bytes[j] = load_bytes(at + j * step_bytes);
        out[j] = field(bytes[j], 0, most);
      }
      out[3] = with_field(with_field(field(bytes[0], 2, 0x30), bytes[1], 4, 0x0c), bytes[2], 6, 3);
    }
    HWY_INLINE i32s number(std::size_t line, std::size_t part, std::size_t v) const {
      return load_numbers(reinterpret_cast<const std::int8_t*>(data + scale_at + (2 * line + part) * panel_rows), v);
    }
    HWY_INLINE f32s factor(std::size_t v) const { return load_halves(data, v); }
  };

  static void pack_block(const block_column<dtype::q6_k>& blocks, std::byte* out) {
    blocks.halves(208, out);
    blocks.bytes_of(192, 16, out + scale_at);
    // In the file: low nibbles of the first and third line, of the second and fourth; two high bits of each line.
    alignas(64) std::byte low[4 * line_steps * step_bytes], high[2 * line_steps * step_bytes];
    blocks.steps<4 * line_steps>(0, low);
    blocks.steps<2 * line_steps>(128, high);
    for (std::size_t half = 0; half < 2; ++half)
      for (std::size_t i = 0; i < line_steps * step_bytes; i += vector_bytes) {
        const u8s nibbles[2] = {load_bytes(low + 2 * half * line_steps * step_bytes + i),
                                load_bytes(low + (2 * half + 1) * line_steps * step_bytes + i)};
        const u8s bits = load_bytes(high + half * line_steps * step_bytes + i);
        const u8s last = with_field(field(nibbles[1], 4, 15), bits, 2, 0x30);
        std::byte* const to = out + code_at + (half * line_steps + i / step_bytes) * code_bytes + i % step_bytes;
        for (int j = 0; j < 3; ++j) {
          const u8s code = with_field(field(nibbles[j % 2], j / 2 * 4, 15), bits, 2 * j - 4, 0x30);
          hn::StoreU(with_field(code, last, -2 * (j + 1), 0xc0), u8_tag(),
                     reinterpret_cast<std::uint8_t*>(to + static_cast<std::size_t>(j) * step_bytes));
        }
      }
  }
  static void pack(const std::byte* const* rows, std::size_t count, std::size_t columns, std::byte* out) {
    detail::pack_blocks<k_format_6, dtype::q6_k>(rows, count, columns, out);
  }
};

/// q2_k: d, dmin; for each line and row two bytes, scale and minimum in nibbles; for each half of 128 columns 8 steps
/// of two bits of four lines.
struct k_format_2 : detail::k_format_base<dtype::q2_k> {
  static constexpr int fold = 1;
  static constexpr std::size_t stride = 4;
  static constexpr int most = 3;
  static constexpr int offset = 0;
  static constexpr std::size_t scales = 2;
  static constexpr std::size_t bases = 2;

  static constexpr std::size_t scale_at = 2 * half_bytes;
  static constexpr std::size_t code_at = scale_at + 16 * panel_rows;
  static constexpr std::size_t code_bytes = line_steps * step_bytes;
  static_assert(code_at + 2 * code_bytes == block_bytes);

  struct group {
    const std::byte* data;

    group() = default;
    HWY_INLINE group(const std::byte* p, std::size_t) : data(p) {}

    HWY_INLINE void codes(std::size_t line, std::size_t i, std::size_t v, u8s (&out)[stride]) const {
      const u8s bytes = load_codes(line, i, v);
      INLAY_UNROLL
      for (std::size_t j = 0; j < stride; ++j) out[j] = field(bytes, place(j), 3);
    }
    static constexpr int place(std::size_t j) { return static_cast<int>(2 * j); }
    HWY_INLINE void placed_codes(std::size_t line, std::size_t i, std::size_t v, u8s (&out)[stride]) const {
      const u8s bytes = load_codes(line, i, v);
      INLAY_UNROLL
      for (std::size_t j = 0; j < stride; ++j) out[j] = field(bytes, 0, 3 << place(j));
    }
    HWY_INLINE i32s number(std::size_t line, std::size_t part, std::size_t v) const {
      return half_of_pair(number_pair(line, v), part);
    }
    HWY_INLINE i32s number_pair(std::size_t line, std::size_t v) const {
      return hn::And(load_scales(line, v), splat_int(0x000f000f));
    }
    HWY_INLINE f32s factor(std::size_t v) const { return load_halves(data, v); }
    HWY_INLINE i32s base_pair(std::size_t line, std::size_t v) const {
      return hn::And(hn::ShiftRight<4>(load_scales(line, v)), splat_int(0x000f000f));
    }
    HWY_INLINE f32s base_factor(std::size_t v) const { return hn::Neg(load_halves(data + half_bytes, v)); }

   private:
    HWY_INLINE u8s load_codes(std::size_t line, std::size_t i, std::size_t v) const {
      return load_bytes(data + code_at + line / 4 * code_bytes + i * step_bytes + v * vector_bytes);
    }
    HWY_INLINE i32s load_scales(std::size_t line, std::size_t v) const {
      return load_number_pairs(reinterpret_cast<const std::uint8_t*>(data + scale_at + 2 * line * panel_rows), v);
    }
  };

  static void pack_block(const block_column<dtype::q2_k>& blocks, std::byte* out) {
    blocks.halves(80, out);
    blocks.halves(82, out + half_bytes);
    for (std::size_t line = 0; line < group_lines; ++line)
      for (std::size_t r = 0; r < panel_rows; ++r)
        hwy::CopyBytes<2>(blocks.rows[r] + 2 * line, out + scale_at + 2 * (line * panel_rows + r));
    blocks.steps<2 * line_steps>(16, out + code_at);
  }
  static void pack(const std::byte* const* rows, std::size_t count, std::size_t columns, std::byte* out) {
    detail::pack_blocks<k_format_2, dtype::q2_k>(rows, count, columns, out);
  }
};

/// q3_k: d; 16 scales of six bits, two for each line and row; for each half of 128 columns 4 steps of the codes' third
/// bits, of four lines and two steps of theirs; for each half 8 steps of two bits of four lines.
struct k_format_3 : detail::k_format_base<dtype::q3_k> {
  static constexpr int fold = -1;
  static constexpr std::size_t stride = 4;
  static constexpr int most = 7;
  static constexpr int offset = 4;
  static constexpr std::size_t scales = 2;
  static constexpr std::size_t bases = 0;

  static constexpr std::size_t six_bits_at = half_bytes;
  static constexpr std::size_t high_at = six_bits_at + detail::six_bits_bytes;
  static constexpr std::size_t high_bytes = line_steps / 2 * step_bytes;
  static constexpr std::size_t code_at = high_at + 2 * high_bytes;
  static constexpr std::size_t code_bytes = line_steps * step_bytes;
  static_assert(code_at + 2 * code_bytes == block_bytes);

  /// Where a byte has the third bit of a step's code: it is shifted so that it stands above the code's other two in the
  /// first and third line, and so that it does in the others once these are shifted by two.
  static constexpr int high_bit(std::size_t line, std::size_t step) {
    return static_cast<int>(line / 2 * 4 + line % 2 + (step % 2 == 0 ? 2 : 0));
  }

  struct group {
    const std::byte* data;
    std::uint8_t numbers[16 * panel_rows];  ///< scales + 32

    group() = default;
    HWY_INLINE group(const std::byte* p, std::size_t) : data(p) { detail::unpack_six_bits(p + six_bits_at, numbers); }

    HWY_INLINE void codes(std::size_t line, std::size_t i, std::size_t v, u8s (&out)[stride]) const {
      u8s bytes[2];
      load_codes(line, i, v, bytes);
      INLAY_UNROLL
      for (std::size_t j = 0; j < stride; ++j) out[j] = field(bytes[j % 2], place(j), 7);
    }
    static constexpr int place(std::size_t j) { return j < 2 ? 0 : 4; }
    HWY_INLINE void placed_codes(std::size_t line, std::size_t i, std::size_t v, u8s (&out)[stride]) const {
      u8s bytes[2];
      load_codes(line, i, v, bytes);
      INLAY_UNROLL
      for (std::size_t j = 0; j < stride; ++j) out[j] = field(bytes[j % 2], 0, 7 << place(j));
    }
    HWY_INLINE i32s number(std::size_t line, std::size_t part, std::size_t v) const {
      return hn::Sub(half_of_pair(load_number_pairs(numbers + 2 * line * panel_rows, v), part), splat_int(32));
    }
    HWY_INLINE i32s number_pair(std::size_t line, std::size_t v) const {
      const i16_tag d;
      const auto pairs = hn::BitCast(d, load_number_pairs(numbers + 2 * line * panel_rows, v));
      return hn::BitCast(i32_tag(), hn::Sub(pairs, hn::Set(d, std::int16_t{32})));
    }
    HWY_INLINE f32s factor(std::size_t v) const { return load_halves(data, v); }

   private:
    /// Codes of the first and third line, and of the second and fourth, in nibbles.
    HWY_INLINE void load_codes(std::size_t line, std::size_t i, std::size_t v, u8s (&out)[2]) const {
      const std::size_t half = line / 4;
      const u8s low = load_bytes(data + code_at + half * code_bytes + i * step_bytes + v * vector_bytes);
      const u8s high = load_bytes(data + high_at + half * high_bytes + i / 2 * step_bytes + v * vector_bytes);
      INLAY_UNROLL
      for (std::size_t j = 0; j < 2; ++j)
        out[j] = hn::BitwiseIfThenElse(splat_byte(0x33), shift_right(low, static_cast<int>(2 * j)),
                                       shift_right(high, high_bit(j, i) - 2));
    }
  };

  static void pack_block(const block_column<dtype::q3_k>& blocks, std::byte* out) {
    blocks.halves(108, out);
    std::uint8_t numbers[16 * panel_rows];
    for (std::size_t r = 0; r < panel_rows; ++r) {
      std::uint8_t packed[12];
      hwy::CopyBytes<12>(blocks.rows[r] + 96, packed);
      for (std::size_t i = 0; i < 16; ++i)
        numbers[(i / 2 * panel_rows + r) * 2 + i % 2] =
            static_cast<std::uint8_t>(q3_k_scale(packed, static_cast<int>(i)) + 32);
    }
    detail::pack_six_bits(numbers, out + six_bits_at);
    std::byte steps[line_steps * step_bytes];
    blocks.steps<line_steps>(0, steps);
    std::byte* high = out + high_at;
    for (std::size_t half = 0; half < 2; ++half)
      for (std::size_t s = 0; s < line_steps; s += 2, high += step_bytes)
        for (std::size_t i = 0; i < step_bytes; ++i) {
          unsigned bits = 0;
          for (std::size_t step = s; step < s + 2; ++step)
            for (std::size_t line = 0; line < 4; ++line)
              bits |= (static_cast<unsigned>(steps[step * step_bytes + i]) >> (4 * half + line) & 1u)
                      << high_bit(line, step);
          high[i] = static_cast<std::byte>(bits);
        }
    blocks.steps<2 * line_steps>(32, out + code_at);
  }
  static void pack(const std::byte* const* rows, std::size_t count, std::size_t columns, std::byte* out) {
    detail::pack_blocks<k_format_3, dtype::q3_k>(rows, count, columns, out);
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
