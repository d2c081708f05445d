// SPDX-License-Identifier: Apache-2.0
// What attention by matrix units is made of: tiles, and keys and values on their way into them.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

namespace amx = inlay::kernels::amx;

namespace detail {

/// Rows of a tile, as floats or pairs of bf16.
template <class T>
struct tile_of {
  T rows[amx::tile_rows][lanes];
};
using pair_tile = tile_of<std::uint32_t>;
using sum_tile = tile_of<float>;

/// Two vectors as pairs of bf16, to the nearest. Written by hand, as amx.hpp is.
HWY_INLINE hn::Vec<u32_tag> round_to_pairs(f32s low, f32s high) {
  hn::Vec<u32_tag> halves;
  asm("{vcvtne2ps2bf16\t%1, %2, %0|vcvtne2ps2bf16\t%0, %2, %1}" : "=v"(halves.raw) : "v"(low.raw), "v"(high.raw));
  alignas(64) static constexpr auto places = [] {
    std::array<std::uint8_t, 64> from{};
    for (std::size_t i = 0; i < 64; ++i) from[i] = static_cast<std::uint8_t>(i / 4 * 2 + i % 2 + i / 2 % 2 * 32);
    return from;
  }();
  const hn::Repartition<std::uint8_t, u32_tag> d;
  return decltype(halves)(_mm512_permutexvar_epi8(hn::Load(d, places.data()).raw, halves.raw));
}

/// Two vectors as pairs of bf16; what this leaves of them is the second part.
template <std::size_t Parts>
struct bf16_pairs {
  hn::Vec<u32_tag> part[Parts];

  HWY_INLINE bf16_pairs(f32s low, f32s high) {
    const u32_tag d;
    part[0] = round_to_pairs(low, high);
    if constexpr (Parts == 2) {
      const auto upper = hn::Set(d, 0xffff0000u);
      part[1] = round_to_pairs(hn::Sub(low, hn::BitCast(f32_tag(), hn::ShiftLeft<16>(part[0]))),
                               hn::Sub(high, hn::BitCast(f32_tag(), hn::And(part[0], upper))));
    }
  }
};

/// Keys or values of a block. Those behind the last position are any finite numbers.
template <dtype Cache, std::size_t MostDim>
class cache_rows {
 public:
  HWY_INLINE cache_rows(const cache_block& block, std::size_t dim) {
    for (std::size_t t = 0; t < key_block; ++t) rows_[t] = block.data + std::min(t, block.count - 1) * block.stride;
    if constexpr (Cache == dtype::q8_0)
      for (std::size_t b = 0; b < dim / 32; ++b) load_scales(block, b * q8_0_bytes, scales_[b]);
  }
  /// The floats of the t-th position from column i on.
  HWY_INLINE f32s load(std::size_t t, std::size_t i) const {
    if constexpr (Cache == dtype::q8_0) {
      const hn::Rebind<std::int8_t, f32_tag> byte_tag;
      const auto of = hn::PromoteTo(i32_tag(), hn::LoadU(byte_tag, codes(t, i / 32) + i % 32));
      return hn::Mul(hn::ConvertTo(f32_tag(), of), splat(scales_[i / 32][t]));
    } else {
      return inlay::HWY_NAMESPACE::load<Cache>(rows_[t], i);
    }
  }
  /// Of Q8_0: 32 columns of the t-th position.
  HWY_INLINE const std::int8_t* codes(std::size_t t, std::size_t block) const {
    return reinterpret_cast<const std::int8_t*>(rows_[t] + block * q8_0_bytes + 2);
  }
  /// Their scale, and those of the positions behind it.
  HWY_INLINE f32s scales(std::size_t t, std::size_t block) const { return hn::LoadU(f32_tag(), scales_[block] + t); }

 private:
  const std::byte* rows_[key_block];
  float scales_[Cache == dtype::q8_0 ? MostDim / 32 : 1][key_block];
};

/// The parts of 16 vectors of pairs, vector(j), as columns of tiles.
template <std::size_t Parts, class F>
HWY_INLINE void store_columns(pair_tile* const (&to)[Parts], const F& vector) {
  f32s words[Parts][lanes];
  INLAY_UNROLL
  for (std::size_t j = 0; j < lanes; ++j) {
    const bf16_pairs<Parts> of = vector(j);
    INLAY_UNROLL
    for (std::size_t p = 0; p < Parts; ++p) words[p][j] = hn::BitCast(f32_tag(), of.part[p]);
  }
  INLAY_UNROLL
  for (std::size_t p = 0; p < Parts; ++p) {
    transpose(words[p]);
    INLAY_UNROLL
    for (std::size_t j = 0; j < lanes; ++j) hn::StoreU(hn::BitCast(u32_tag(), words[p][j]), u32_tag(), to[p]->rows[j]);
  }
}

/// 32 columns of 32 keys to two tiles. Four codes are transposed as one number.
template <std::size_t MostDim>
void place_codes(const cache_rows<dtype::q8_0, MostDim>& rows, std::size_t t, std::size_t block, pair_tile* to) {
  const u32_tag d;
  const hn::Repartition<std::int8_t, u32_tag> bytes;
  f32s words[lanes];
  INLAY_UNROLL
  for (std::size_t j = 0; j < lanes; ++j) {
    const auto low = hn::LoadU(hn::Half<decltype(bytes)>(), rows.codes(t + j, block));
    const auto high = hn::LoadU(hn::Half<decltype(bytes)>(), rows.codes(t + lanes + j, block));
    words[j] = hn::BitCast(f32_tag(), hn::Combine(bytes, high, low));
  }
  transpose(words);
  // A code at the top of its lane is 2^24 times as much.
  const f32s low = hn::Mul(rows.scales(t, block), splat(0x1p-24f));
  const f32s high = hn::Mul(rows.scales(t + lanes, block), splat(0x1p-24f));
  const auto lane = hn::ShiftLeft<26>(hn::And(hn::Iota(d, 0), hn::Set(d, 3)));
  INLAY_UNROLL
  for (std::uint32_t k = 0; k < 4; ++k) {
    const auto top = hn::BitCast(bytes, hn::Add(lane, hn::Set(d, 0x00808080u | k << 24)));
    const auto codes = [&](std::size_t c) {
      const auto moved = hn::TableLookupBytesOr0(hn::BitCast(bytes, words[c]), top);
      return hn::ConvertTo(f32_tag(), hn::BitCast(i32_tag(), moved));
    };
    INLAY_UNROLL
    for (std::size_t c = 0; c < lanes / 2; ++c) {
      const auto pairs = round_to_pairs(hn::Mul(codes(c), low), hn::Mul(codes(c + lanes / 2), high));
      hn::StoreU(pairs, d, to[c / 4].rows[c % 4 * 4 + k]);
    }
  }
}

/// sums[2 i + j] += a[i] b[j], for two tiles of so many parts each. Sums are tiles 0 to 3.
template <std::size_t PartsA, std::size_t PartsB>
HWY_INLINE void add_tile_products(const pair_tile* const (&a)[PartsA], std::size_t a_step,
                                  const pair_tile* const (&b)[PartsB], std::size_t b_step) {
  constexpr std::size_t row = amx::tile_row_bytes;
  const auto load_b = [&](std::size_t part) {
    amx::load<6>(b[part], row);
    amx::load<7>(b[part] + b_step, row);
  };
  const auto multiply = [] {
    amx::multiply_add<0, 4, 6>();
    amx::multiply_add<1, 4, 7>();
    amx::multiply_add<2, 5, 6>();
    amx::multiply_add<3, 5, 7>();
  };
  amx::load<4>(a[0], row);
  load_b(0);
  amx::load<5>(a[0] + a_step, row);
  multiply();
  if constexpr (PartsB == 2) {
    load_b(1);
    multiply();
    if constexpr (PartsA == 2) load_b(0);
  }
  if constexpr (PartsA == 2) {
    amx::load<4>(a[1], row);
    amx::load<5>(a[1] + a_step, row);
    multiply();
  }
}

/// sums + both numbers of each pair of bf16. Written by hand, as amx.hpp is.
HWY_INLINE f32s add_bf16_pairs(f32s sums, hn::Vec<u32_tag> pairs) {
  const auto ones = hn::Set(u32_tag(), 0x3f803f80u);
  asm("{vdpbf16ps\t%2, %1, %0|vdpbf16ps\t%0, %1, %2}" : "+v"(sums.raw) : "v"(pairs.raw), "v"(ones.raw));
  return sums;
}

/// 128 (k / 64 + 1 / 128 - (2^(k / 64 + 1 / 128) - 1)): what the mantissa of a power of two is below its fraction.
alignas(64) inline constexpr auto mantissa_deficits = [] {
  std::array<std::uint8_t, 64> deficits{};
  constexpr double step = 1.0054299011128027;  // 2^(1 / 128)
  double power = 1.0;
  for (std::size_t i = 0; i < 64; ++i, power *= step * step) {
    const double fraction = static_cast<double>(2 * i);
    const double first = fraction - 128 * (power - 1), second = fraction + 1 - 128 * (power * step - 1);
    deficits[i] = static_cast<std::uint8_t>((first + second + 1) / 2);  // rounded
  }
  return deficits;
}();

}  // namespace detail
}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
