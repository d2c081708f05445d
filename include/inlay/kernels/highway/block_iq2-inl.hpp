// SPDX-License-Identifier: Apache-2.0
// The packed form of iq2_xxs. The file's indices, of eight weights each, are resolved to codes of three bits a weight,
// which are quick to look up: a panel takes 1.55 times the bytes of the file.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

/// d; eight scales of four bits, number i and, above it, i + 4 for i < 4; then as q3_k, sign bits before magnitudes:
/// for each half of 128 columns 4 steps of four lines' signs, two steps in a byte; for each half 8 steps of two bits of
/// four lines.
struct iq2_format {
  static constexpr std::size_t stride = 4;
  static constexpr std::size_t loads = line_steps;
  static constexpr int most = signed_codes;
  static constexpr int offset = sign_offset;
  static constexpr std::size_t scales = 1;
  static constexpr std::size_t bases = 0;
  static constexpr bool whole_scales = true;
  static constexpr int fold = 0;

  static constexpr std::size_t scale_at = 2 * panel_rows;
  static constexpr std::size_t high_at = scale_at + 4 * panel_rows;
  static constexpr std::size_t high_bytes = line_steps / 2 * step_bytes;
  static constexpr std::size_t code_at = high_at + 2 * high_bytes;
  static constexpr std::size_t code_bytes = line_steps * step_bytes;
  static constexpr std::size_t group_bytes = code_at + 2 * code_bytes;
  static constexpr std::size_t line_bytes = group_bytes / group_lines;
  static_assert(group_bytes % group_lines == 0);

  /// Weights by their codes: two bits of a magnitude, and a sign above them.
  alignas(16) static constexpr auto table = [] {
    std::array<std::uint8_t, 16> values{};
    for (std::size_t i = 0; i < 3; ++i) {
      values[i] = static_cast<std::uint8_t>(iq2_magnitudes[i] + offset);
      values[i + 4] = static_cast<std::uint8_t>(offset - iq2_magnitudes[i]);
    }
    return values;
  }();

  struct group {
    const std::byte* data;
    std::uint8_t numbers[group_lines * panel_rows];  ///< 2 * scale + 1

    group() = default;
    HWY_INLINE group(const std::byte* p, std::size_t) : data(p) {
      constexpr std::size_t half = group_lines / 2 * panel_rows;
      INLAY_UNROLL
      for (std::size_t i = 0; i < half; i += vector_bytes) {
        const u8s bytes = load_bytes(data + scale_at + i);
        hn::StoreU(with_field(splat_byte(1), bytes, -1, 30), u8_tag(), numbers + i);
        hn::StoreU(with_field(splat_byte(1), bytes, 3, 30), u8_tag(), numbers + half + i);
      }
    }

    HWY_INLINE void codes(std::size_t line, std::size_t i, std::size_t v, u8s (&out)[stride]) const {
      const std::size_t half = line / stride;
      const u8s low = load_bytes(data + code_at + half * code_bytes + i * step_bytes + v * vector_bytes);
      const u8s high = load_bytes(data + high_at + half * high_bytes + i / 2 * step_bytes + v * vector_bytes);
      const u8s values = hn::LoadDup128(u8_tag(), table.data());
      INLAY_UNROLL
      for (std::size_t j = 0; j < stride; ++j) {
        const u8s magnitude = field(low, static_cast<int>(2 * j), 3);
        const u8s code = with_field(magnitude, high, static_cast<int>(i % 2 * 4 + j) - 2, 4);
        out[j] = hn::TableLookupBytes(values, code);
      }
    }
    HWY_INLINE i32s number(std::size_t line, std::size_t, std::size_t v) const {
      return load_numbers(numbers + line * panel_rows, v);
    }
    HWY_INLINE f32s factor(std::size_t v) const { return hn::Mul(load_halves(data, v), splat(0.125f)); }
  };

  static void pack(const std::byte* const* rows, std::size_t count, std::size_t columns, std::byte* out) {
    for (std::size_t i = 0; i < columns / group_columns; ++i, out += group_bytes) {
      const block_column<dtype::iq2_xxs> blocks(rows, count, i);
      blocks.halves(0, out);
      for (std::size_t r = 0; r < panel_rows; ++r) pack_row(blocks.rows[r], r, out);
    }
  }

 private:
  static void pack_row(const std::byte* from, std::size_t r, std::byte* out) {
    block<dtype::iq2_xxs> file;
    hwy::CopyBytes<sizeof file>(from, &file);
    std::uint32_t scale_bits = 0, codes[2][line_steps] = {}, signs[2][line_steps / 2] = {};
    for (std::size_t line = 0; line < group_lines; ++line) {
      const iq2_xxs_line sub_block(file.qs, static_cast<int>(line));
      const std::size_t half = line / 4, at = line % 4;
      scale_bits |= static_cast<std::uint32_t>(sub_block.scale >> 1) << (8 * at + 4 * half);
      for (std::size_t step = 0; step < line_steps; ++step) {
        const std::uint32_t magnitudes = sub_block.codes[step / 2] >> (step % 2 * 8) & 255u;
        const std::uint32_t negative = static_cast<std::uint32_t>(sub_block.signs[step / 2] >> (step % 2 * 4)) & 15u;
        codes[half][step] |= spread_pairs(magnitudes) << (2 * at);
        signs[half][step / 2] |= spread_bits(negative) << (step % 2 * 4 + at);
      }
    }
    for (std::size_t i = 0; i < 4; ++i)
      out[scale_at + i * panel_rows + r] = static_cast<std::byte>(scale_bits >> (8 * i));
    for (std::size_t half = 0; half < 2; ++half) {
      for (std::size_t i = 0; i < line_steps / 2; ++i)
        hwy::CopyBytes<4>(&signs[half][i], out + high_at + half * high_bytes + i * step_bytes + 4 * r);
      for (std::size_t i = 0; i < line_steps; ++i)
        hwy::CopyBytes<4>(&codes[half][i], out + code_at + half * code_bytes + i * step_bytes + 4 * r);
    }
  }
  /// Four times two bits to the lowest of four bytes.
  static constexpr std::uint32_t spread_pairs(std::uint32_t bits) {
    return (bits & 3) | (bits & 12) << 6 | (bits & 48) << 12 | (bits & 192) << 18;
  }
  /// Four bits to the lowest of four bytes.
  static constexpr std::uint32_t spread_bits(std::uint32_t bits) { return bits * 0x00204081u & 0x01010101u; }
};

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
