// SPDX-License-Identifier: Apache-2.0
// What packing the rows of a file into panels is made of.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

/// The same block of up to 16 rows, side by side; absent rows are zero.
template <dtype Type>
struct block_column {
  static constexpr std::size_t bytes = geometry(Type).bytes;
  std::byte rows[panel_rows][bytes];

  block_column(const std::byte* const* from, std::size_t count, std::size_t index) {
    for (std::size_t r = 0; r < panel_rows; ++r) {
      if (r < count)
        hwy::CopyBytes<bytes>(from[r] + index * bytes, rows[r]);
      else
        hwy::ZeroBytes<bytes>(rows[r]);
    }
  }

  /// Bytes [at, at + Steps * 4) of every row as steps: 4 bytes of a row after 4 bytes of the next.
  template <std::size_t Steps>
  void steps(std::size_t at, std::byte* out) const {
    for (std::size_t s = 0; s < Steps; ++s)
      for (std::size_t r = 0; r < panel_rows; ++r)
        hwy::CopyBytes<4>(rows[r] + at + 4 * s, out + s * step_bytes + 4 * r);
  }
  /// The half float at `at` of every row.
  void halves(std::size_t at, std::byte* out) const {
    for (std::size_t r = 0; r < panel_rows; ++r) hwy::CopyBytes<2>(rows[r] + at, out + 2 * r);
  }
  /// Bytes [at, at + count): the first of every row, then the second of every row ...
  void bytes_of(std::size_t at, std::size_t count, std::byte* out) const {
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t r = 0; r < panel_rows; ++r) out[i * panel_rows + r] = rows[r][at + i];
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
