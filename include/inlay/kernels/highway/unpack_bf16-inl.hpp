// SPDX-License-Identifier: Apache-2.0
// Weights of the packed formats, and activations, as bf16.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

namespace detail {

/// Codes become floats by standing in the mantissa of a number above them all, whose multiple is then taken off.
template <int Most>
struct code_as_float {
  static constexpr int shift = Most <= 127 ? 16 : 15;
  static constexpr std::int32_t mask = (Most <= 127 ? 127 : 255) << shift;
  static constexpr std::int32_t bits = Most <= 127 ? 0x43000000 : 0x43800000;
  static constexpr float value = Most <= 127 ? 128.0f : 256.0f;
};

/// Bits are cut off below a bf16's, which takes so much off a number on average: 2^-8 / ln 2 / 2 of it.
inline constexpr float cut_share = 1.0f + 0.0028177f;

/// Four columns of 16 rows: scale * code + base.
template <int Most>
HWY_INLINE void widen_step(u8s codes, f32s scale, f32s base, std::uint32_t (*to)[panel_rows]) {
  using as_float = code_as_float<Most>;
  const i32_tag d;
  const i32s four = hn::BitCast(d, codes);
  i32s numbers[4];
  INLAY_UNROLL
  for (int j = 0; j < 4; ++j) {
    i32s at = four;
    if (8 * j < as_float::shift) at = hn::ShiftLeftSame(four, as_float::shift - 8 * j);
    if (8 * j > as_float::shift) at = hn::ShiftRightSame(four, 8 * j - as_float::shift);
    const i32s bits = hn::OrAnd(splat_int(as_float::bits), at, splat_int(as_float::mask));
    numbers[j] = hn::BitCast(d, multiply_add(hn::BitCast(f32_tag(), bits), scale, base));
  }
  INLAY_UNROLL
  for (std::size_t j = 0; j < 2; ++j) {
    const auto low = hn::ShiftRight<16>(hn::BitCast(u32_tag(), numbers[2 * j]));
    const auto high = hn::BitCast(u32_tag(), numbers[2 * j + 1]);
    hn::StoreU(hn::OrAnd(low, high, hn::Set(u32_tag(), 0xffff0000u)), u32_tag(), to[j]);
  }
}

/// With every line, as many bytes are asked for from `ahead` on.
template <class Format>
HWY_NOINLINE void unpack_bf16(const std::byte* group, std::size_t lines, bf16_line* to, const std::byte* ahead) {
  static_assert(panel_vectors == 1);
  constexpr std::size_t stride = Format::stride, loads = Format::loads, scales = Format::scales;
  constexpr std::size_t codes_of_load = stride * line_steps / loads;
  const typename Format::group from(group, lines);
  const f32_tag d;
  const f32s share = splat(cut_share);
  f32s factor, base_factor;
  if constexpr (Format::whole_scales) factor = hn::Mul(from.factor(0), share);
  if constexpr (has_base_pairs<Format>) base_factor = hn::Mul(from.base_factor(0), share);
  for (std::size_t line = 0; line < lines; line += stride) {
    for (const std::byte* const until = ahead + stride * Format::line_bytes; ahead < until; ahead += 64)
      prefetch_far(ahead);
    f32s scale[stride][scales], base[stride][scales];
    INLAY_UNROLL
    for (std::size_t l = 0; l < stride; ++l) {
      INLAY_UNROLL
      for (std::size_t part = 0; part < scales; ++part) {
        if constexpr (Format::whole_scales)
          scale[l][part] = hn::Mul(hn::ConvertTo(d, from.number(line + l, part, 0)), factor);
        else
          scale[l][part] = hn::Mul(from.scale(line + l, part, 0), share);
        constexpr float above = code_as_float<Format::most>::value + static_cast<float>(Format::offset);
        base[l][part] = hn::Mul(scale[l][part], splat(-above));
        if constexpr (has_base_pairs<Format>) {
          // Pairs are of a line's halves, or of a line and the next.
          const std::size_t second = Format::bases == 2 ? part : l % 2;
          const i32s pair = from.base_pair(line + (Format::bases == 2 ? l : l - l % 2), 0);
          base[l][part] = multiply_add(hn::ConvertTo(d, half_of_pair(pair, second)), base_factor, base[l][part]);
        } else if constexpr (Format::bases != 0) {
          base[l][part] = multiply_add(from.base(line + l, part, 0), share, base[l][part]);
        }
      }
    }
    INLAY_UNROLL
    for (std::size_t i = 0; i < loads; ++i) {
      u8s codes[codes_of_load];
      from.codes(line, i, 0, codes);
      INLAY_UNROLL
      for (std::size_t j = 0; j < codes_of_load; ++j) {
        const std::size_t l = stride == 1 ? 0 : j;
        const std::size_t step = stride == 1 ? i + j * loads : i;
        const std::size_t part = step / (line_steps / scales);
        widen_step<Format::most>(codes[j], scale[l][part], base[l][part], to[line + l].pairs + 2 * step);
      }
    }
  }
}

}  // namespace detail

/// Rows of activations as bf16, to the nearest. Their rows take the bytes of quantized ones.
inline void round_rows(const activations& x, std::byte* out) {
  const hn::Repartition<hwy::bfloat16_t, f32_tag> d;
  for (std::size_t i = 0; i < x.count; ++i) {
    const float* const from = x.values + i * x.stride;
    auto* const to = reinterpret_cast<hwy::bfloat16_t*>(out + i * quantized_row_bytes(x.columns));
    for (std::size_t c = 0; c < x.columns; c += 2 * lanes)
      hn::StoreU(hn::OrderedDemote2To(d, load(from + c), load(from + c + lanes)), d, to + c);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
