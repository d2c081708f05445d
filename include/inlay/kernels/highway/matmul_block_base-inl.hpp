// SPDX-License-Identifier: Apache-2.0
// What products of packed block formats with quantized activations have in common.
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

/// The most activation rows that are multiplied with codes which were not unpacked to memory: two tiles of them, or
/// so many at once with a single panel.
inline constexpr std::size_t most_few_rows = 2 * block_tile_rows;

/// A group of the panels of a tile, or of one panel, times a few rows of activations.
struct few_rows_work {
  const std::byte* groups[block_tile_panels];
  std::size_t lines;
  const quantized_line* x;
  std::size_t row_lines, rows;
  float* sums;  ///< [rows][block_tile_width], added to
  read_ahead ahead;
  bool own_reads;  ///< where it reads_alone: instead of `ahead`, own
  const std::byte* own[block_tile_panels];
  float zero;  ///< 0, as in tile_work
};

/// A line of a panel as bf16, in the order of tile products: two columns of each row after the next two.
struct bf16_line {
  std::uint32_t pairs[line_columns / 2][panel_rows];
};

/// What depends on a format.
struct block_kernels {
  std::size_t line_bytes = 0;  ///< 0: the type is not packed
  void (*pack)(const std::byte* const* rows, std::size_t count, std::size_t columns, std::byte* out) = nullptr;
  /// sums[r] += w[r] . x, for the 16 rows and the `lines` lines of a group; asks for as many bytes from `ahead` on.
  void (*add_row)(const std::byte* group, std::size_t lines, const quantized_line* x, float* sums,
                  const read_points& ahead) = nullptr;
  /// Returns where the codes are.
  const std::uint8_t* (*unpack)(const std::byte* group, std::size_t lines, unpacked_group& to,
                                read_ahead& ahead) = nullptr;
  void (*multiply_tiles)(const tile_work& work) = nullptr;       ///< of block_tile_rows
  void (*multiply_long_tiles)(const tile_work& work) = nullptr;  ///< of long_rows
  std::size_t long_rows = 0;
  /// As add_row, for up to block_tile_rows rows of activations and the panels of a tile.
  void (*add_few_rows)(const few_rows_work& work) = nullptr;
  /// As add_row, for up to most_few_rows rows of activations and one panel; null: unpacking to memory is better.
  void (*add_more_rows)(const few_rows_work& work) = nullptr;
  /// How many rows of activations are still better multiplied by add_few_rows, all of which unpack the codes.
  std::size_t few_rows = 0;
  bool reads_alone = false;  ///< whether these few may be read panel by panel: few_rows_work::own
#if INLAY_AMX_HOST & HWY_TARGET
  void (*unpack_bf16)(const std::byte* group, std::size_t lines, bf16_line* to, const std::byte* ahead) = nullptr;
#endif
};

namespace detail {

/// Formats whose bases are pairs of whole numbers, and how many lines have a pair.
template <class Format>
inline constexpr bool has_base_pairs = Format::whole_scales && Format::bases != 0;
template <class Format>
inline constexpr std::size_t base_pair_lines = Format::bases == 1 ? 2 : 1;

template <class Group>
HWY_INLINE f32s whole_base_factor(const Group& group, std::size_t v) {
  return hn::Mul(group.base_factor(v), splat(power_of_two(sum_exponent)));
}

}  // namespace detail

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
