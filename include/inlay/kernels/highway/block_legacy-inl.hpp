// SPDX-License-Identifier: Apache-2.0
// Packed forms of the formats whose blocks are a line: 32 weights, a scale and perhaps a minimum.
// A group is: the lines' scales, 16 half floats each; their minima likewise; their fifth bits, 64 bytes each; codes.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

template <dtype Type>
struct legacy_format {
  static constexpr bool has_base = Type == dtype::q4_1 || Type == dtype::q5_1;
  static constexpr bool has_fifth_bits = Type == dtype::q5_0 || Type == dtype::q5_1;
  static constexpr bool is_byte = Type == dtype::q8_0;

  static constexpr std::size_t line_bytes = panel_rows * geometry(Type).bytes;
  static constexpr std::size_t stride = 1;
  static constexpr std::size_t loads = is_byte ? line_steps : line_steps / 2;
  static constexpr int most = is_byte ? signed_codes : has_fifth_bits ? 31 : 15;
  static constexpr int offset = is_byte ? sign_offset : has_base ? 0 : has_fifth_bits ? 16 : 8;
  static constexpr std::size_t scales = 1;
  static constexpr std::size_t bases = has_base ? 1 : 0;
  static constexpr bool whole_scales = false;
  static constexpr int fold = 0;

  static constexpr std::size_t scale_bytes = 2 * panel_rows;
  static constexpr std::size_t high_bytes = has_fifth_bits ? step_bytes : 0;
  static constexpr std::size_t code_bytes = loads * step_bytes;
  static_assert(line_bytes == (1 + bases) * scale_bytes + high_bytes + code_bytes);

  struct group {
    const std::byte* data;
    const std::byte* base_at;
    const std::byte* high_at;
    const std::byte* code_at;

    group() = default;
    HWY_INLINE group(const std::byte* p, std::size_t lines)
        : data(p),
          base_at(data + lines * scale_bytes),
          high_at(base_at + lines * bases * scale_bytes),
          code_at(high_at + lines * high_bytes) {}

    HWY_INLINE void codes(std::size_t line, std::size_t i, std::size_t v, u8s (&out)[line_steps / loads]) const {
      const u8s bytes = load_bytes(code_at + line * code_bytes + i * step_bytes + v * vector_bytes);
      if constexpr (is_byte) {
        out[0] = bytes;
      } else {
        INLAY_UNROLL
        for (std::size_t j = 0; j < 2; ++j) {
          out[j] = field(bytes, static_cast<int>(4 * j), 15);
          if constexpr (has_fifth_bits) {
            const u8s high = load_bytes(high_at + line * high_bytes + v * vector_bytes);
            out[j] = with_field(out[j], high, static_cast<int>(i + j * loads) - 4, 16);
          }
        }
      }
    }
    static constexpr int place(std::size_t)
      requires(Type == dtype::q4_0)
    {
      return 4;
    }
    HWY_INLINE void placed_codes(std::size_t line, std::size_t i, std::size_t v, u8s (&out)[2]) const
      requires(Type == dtype::q4_0)
    {
      const u8s bytes = load_bytes(code_at + line * code_bytes + i * step_bytes + v * vector_bytes);
      out[0] = field(bytes, -4, 0xf0);
      out[1] = field(bytes, 0, 0xf0);
    }
    HWY_INLINE f32s scale(std::size_t line, std::size_t, std::size_t v) const {
      return load_halves(data + line * scale_bytes, v);
    }
    HWY_INLINE f32s base(std::size_t line, std::size_t, std::size_t v) const {
      return load_halves(base_at + line * scale_bytes, v);
    }
  };

  static void pack(const std::byte* const* rows, std::size_t count, std::size_t columns, std::byte* out) {
    for (std::size_t c = 0; c < columns; c += group_columns) {
      const std::size_t lines = std::min(group_columns, columns - c) / line_columns;
      std::byte* scale_at = out;
      std::byte* base_at = scale_at + lines * scale_bytes;
      std::byte* high_at = base_at + lines * bases * scale_bytes;
      std::byte* code_at = high_at + lines * high_bytes;
      for (std::size_t line = 0; line < lines; ++line) {
        const block_column<Type> blocks(rows, count, c / line_columns + line);
        blocks.halves(0, scale_at + line * scale_bytes);
        if constexpr (has_base) blocks.halves(2, base_at + line * scale_bytes);
        constexpr std::size_t after_scales = 2 + 2 * bases;
        if constexpr (has_fifth_bits) fifth_bits(blocks, after_scales, high_at + line * high_bytes);
        std::byte* codes = code_at + line * code_bytes;
        blocks.template steps<code_bytes / step_bytes>(after_scales + (has_fifth_bits ? 4 : 0), codes);
        if constexpr (is_byte && sign_offset != 0)
          for (std::size_t i = 0; i < code_bytes; ++i) codes[i] ^= std::byte{0x80};
      }
      out += lines * line_bytes;
    }
  }

 private:
  /// Bit j of a row's 32 belongs to column j; packed, bit k of byte i to column 4 k + i.
  static void fifth_bits(const block_column<Type>& blocks, std::size_t at, std::byte* out) {
    for (std::size_t r = 0; r < panel_rows; ++r) {
      std::uint32_t bits;
      hwy::CopyBytes<4>(blocks.rows[r] + at, &bits);
      bits = swap_bits(bits, 0x22222222u, 1);  // the five bits of an index are rotated by two: four exchanges
      bits = swap_bits(bits, 0x0a0a0a0au, 3);
      bits = swap_bits(bits, 0x00cc00ccu, 6);
      bits = swap_bits(bits, 0x0000f0f0u, 12);
      hwy::CopyBytes<4>(&bits, out + 4 * r);
    }
  }
  /// Exchanges the bits of `mask` with those `distance` above.
  static constexpr std::uint32_t swap_bits(std::uint32_t bits, std::uint32_t mask, int distance) {
    const std::uint32_t difference = ((bits >> distance) ^ bits) & mask;
    return bits ^ difference ^ (difference << distance);
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
