// SPDX-License-Identifier: Apache-2.0
// Packed forms of the four-bit formats whose codes index a table. The lookup is part of unpacking.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

/// iq4_nl and mxfp4, laid out as q4_0 is; mxfp4's scales are bytes. iq4_xs: d; eight scales of six bits, in two parts:
/// low four bits of number i and, above them, of i + 4, for i < 4; then high two bits of i, i + 2, i + 4, i + 6, for i
/// < 2.
template <dtype Type>
struct table_format {
  static constexpr bool is_mx = Type == dtype::mxfp4;
  static constexpr bool is_k = Type == dtype::iq4_xs;

  static constexpr std::size_t block_lines = geometry(Type).weights / line_columns;
  static constexpr std::size_t line_bytes = panel_rows * geometry(Type).bytes / block_lines;
  static constexpr std::size_t stride = 1;
  static constexpr std::size_t loads = line_steps / 2;
  // The values of mxfp4 are small enough for sums in 16 bits.
  static constexpr int most = is_mx ? 12 + 16 : signed_codes;
  static constexpr int offset = is_mx ? 16 : sign_offset;
  static constexpr std::size_t scales = 1;
  static constexpr std::size_t bases = 0;
  static constexpr bool whole_scales = is_k;
  static constexpr int fold = 0;

  static constexpr std::size_t code_bytes = loads * step_bytes;
  static constexpr std::size_t scale_bytes = (is_mx ? 1 : 2) * panel_rows;  // of a line, or of a group of iq4_xs
  static constexpr std::size_t low_bits_at = scale_bytes;
  static constexpr std::size_t high_bits_at = low_bits_at + 4 * panel_rows;
  static constexpr std::size_t k_codes_at = high_bits_at + 2 * panel_rows;
  static_assert(is_k ? k_codes_at + group_lines * code_bytes == line_bytes * group_lines
                     : scale_bytes + code_bytes == line_bytes);

  alignas(16) static constexpr auto table = [] {
    std::array<std::uint8_t, 16> values{};
    for (std::size_t i = 0; i < 16; ++i)
      values[i] = static_cast<std::uint8_t>((is_mx ? mxfp4_values[i] : iq4_values[i]) + offset);
    return values;
  }();

  struct group {
    const std::byte* data;
    const std::byte* code_at;
    std::uint8_t numbers[is_k ? group_lines * panel_rows : 1];  ///< of iq4_xs: scales + 32

    group() = default;
    HWY_INLINE group(const std::byte* p, std::size_t lines)
        : data(p), code_at(p + (is_k ? k_codes_at : lines * scale_bytes)) {
      if constexpr (is_k) {
        INLAY_UNROLL
        for (std::size_t i = 0; i < 2 * panel_rows; i += half_vector) {
          const auto low0 = half_load(low_bits_at + i);
          const auto low1 = half_load(low_bits_at + 2 * panel_rows + i);
          const auto high = half_load(high_bits_at + i);
          const half_tag d;
          const auto fifteen = hn::Set(d, std::uint8_t{15});
          const auto above = hn::Set(d, std::uint8_t{0x30});
          std::uint8_t* to = numbers + i;
          hn::StoreU(hn::OrAnd(hn::And(low0, fifteen), hn::ShiftLeft<4>(high), above), d, to);
          hn::StoreU(hn::OrAnd(hn::And(low1, fifteen), hn::ShiftLeft<2>(high), above), d, to + 2 * panel_rows);
          hn::StoreU(hn::OrAnd(hn::ShiftRight<4>(low0), high, above), d, to + 4 * panel_rows);
          hn::StoreU(hn::OrAnd(hn::ShiftRight<4>(low1), hn::ShiftRight<2>(high), above), d, to + 6 * panel_rows);
        }
      }
    }

    HWY_INLINE void codes(std::size_t line, std::size_t i, std::size_t v, u8s (&out)[line_steps / loads]) const {
      const u8s pair = load_bytes(code_at + line * code_bytes + i * step_bytes + v * vector_bytes);
      const u8s values = hn::LoadDup128(u8_tag(), table.data());
      out[0] = hn::TableLookupBytes(values, field(pair, 0, 15));
      out[1] = hn::TableLookupBytes(values, field(pair, 4, 15));
    }
    HWY_INLINE f32s scale(std::size_t line, std::size_t, std::size_t v) const {
      if constexpr (is_mx) {
        // 2^(e - 128), from its exponent's bits; the two smallest, which are subnormal, as zero.
        const hn::Rebind<std::uint8_t, i32_tag> byte_tag;
        const auto* e = reinterpret_cast<const std::uint8_t*>(data) + line * scale_bytes + v * lanes;
        const auto exponent = hn::SaturatedSub(hn::LoadU(byte_tag, e), hn::Set(byte_tag, std::uint8_t{1}));
        return hn::BitCast(f32_tag(), hn::ShiftLeft<23>(hn::PromoteTo(i32_tag(), exponent)));
      } else {
        return load_halves(data + line * scale_bytes, v);
      }
    }

    HWY_INLINE i32s number(std::size_t line, std::size_t, std::size_t v) const {
      return hn::Sub(load_numbers(numbers + line * panel_rows, v), splat_int(32));
    }
    HWY_INLINE f32s factor(std::size_t v) const { return load_halves(data, v); }

   private:
    static constexpr std::size_t half_vector = std::min(vector_bytes, 2 * panel_rows);
    using half_tag = hn::CappedTag<std::uint8_t, half_vector>;
    HWY_INLINE hn::Vec<half_tag> half_load(std::size_t at) const {
      return hn::LoadU(half_tag(), reinterpret_cast<const std::uint8_t*>(data + at));
    }
  };

  static void pack(const std::byte* const* rows, std::size_t count, std::size_t columns, std::byte* out) {
    for (std::size_t c = 0; c < columns; c += group_columns) {
      const std::size_t lines = std::min(group_columns, columns - c) / line_columns;
      std::byte* code_at = out + (is_k ? k_codes_at : lines * scale_bytes);
      if constexpr (is_k) {
        const block_column<Type> blocks(rows, count, c / group_columns);
        blocks.halves(0, out);
        pack_numbers(blocks, out);
        for (std::size_t line = 0; line < lines; ++line)
          blocks.template steps<loads>(8 + 16 * line, code_at + line * code_bytes);
      } else {
        for (std::size_t line = 0; line < lines; ++line) {
          const block_column<Type> blocks(rows, count, c / line_columns + line);
          if constexpr (is_mx)
            blocks.bytes_of(0, 1, out + line * scale_bytes);
          else
            blocks.halves(0, out + line * scale_bytes);
          blocks.template steps<loads>(is_mx ? 1 : 2, code_at + line * code_bytes);
        }
      }
      out += lines * line_bytes;
    }
  }

 private:
  static void pack_numbers(const block_column<Type>& blocks, std::byte* out) {
    for (std::size_t r = 0; r < panel_rows; ++r) {
      block<dtype::iq4_xs> from;
      hwy::CopyBytes<sizeof from>(blocks.rows[r], &from);
      unsigned numbers[8];
      for (int i = 0; i < 8; ++i) numbers[i] = static_cast<unsigned>(iq4_xs_scale(from, i) + 32);
      for (std::size_t i = 0; i < 4; ++i)
        out[low_bits_at + i * panel_rows + r] =
            static_cast<std::byte>((numbers[i] & 15) | (numbers[i + 4] << 4 & 0xf0));
      for (std::size_t i = 0; i < 2; ++i)
        out[high_bits_at + i * panel_rows + r] = static_cast<std::byte>(
            (numbers[i] >> 4) | (numbers[i + 2] >> 4 << 2) | (numbers[i + 4] >> 4 << 4) | (numbers[i + 6] >> 4 << 6));
    }
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
