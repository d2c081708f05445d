// SPDX-License-Identifier: Apache-2.0
// What the kernels of attention share: tiles of query vectors, blocks of keys.
//
// The query heads that share a kv head, of several rows at once, make a tile of query vectors: a block of keys and
// values is read once for all of them. What a query vector gets does not depend on its tile: blocks are cut at
// multiples of `key_block` positions, and the kernel is chosen by the whole batch.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

using inlay::kernels::key_block;

/// Two stretches of memory that will be read soon, asked for line by line while other work is done: many requests at
/// once would wait for each other.
struct read_queue {
  const std::byte* at = nullptr;
  const std::byte* end = nullptr;
  const std::byte* second = nullptr;
  const std::byte* second_end = nullptr;

  HWY_INLINE void step(std::size_t lines) {
    for (std::size_t i = 0; i < lines; ++i, at += 64) {
      if (at >= end) {
        if (second == nullptr) return;
        at = second;
        end = second_end;
        second = nullptr;
      }
      hwy::Prefetch(at);
    }
  }
};

/// Keys or values of consecutive positions, as they lie in the cache.
struct cache_block {
  const std::byte* data;
  std::size_t stride;  ///< bytes
  std::size_t count;   ///< 1 to key_block
  /// With a position, what lies so many bytes behind it is asked for; 0: nothing.
  std::size_t ahead = 0;
};

/// As many keys and values behind these, which begin at position `first`, if the span has so many.
inline read_queue following(const cache_block& keys, const cache_block& values, const kv_span& span,
                            std::size_t first) {
  if (first + 2 * keys.count > span.first_position + span.count) return {};
  const std::size_t bytes = keys.count * keys.stride;
  return {keys.data + bytes, keys.data + 2 * bytes, values.data + bytes, values.data + 2 * bytes};
}

inline constexpr std::size_t q8_0_bytes = geometry(dtype::q8_0).bytes;

/// Of rows of Q8_0: the scales of 32 columns of all positions, from byte `at` of the rows on; zeros behind the last
/// one.
inline void load_scales(const cache_block& block, std::size_t at, float* scales) {
  const hn::Rebind<hwy::float16_t, f32_tag> half_tag;
  alignas(64) std::uint16_t halves[key_block] = {};
  for (std::size_t t = 0; t < block.count; ++t) hwy::CopyBytes<2>(block.data + t * block.stride + at, halves + t);
  for (std::size_t t = 0; t < key_block; t += lanes)
    store(hn::PromoteTo(f32_tag(), hn::LoadU(half_tag, reinterpret_cast<const hwy::float16_t*>(halves + t))),
          scales + t);
}

/// Transposes a square of lanes x lanes numbers.
HWY_INLINE void transpose(f32s (&v)[lanes]) {
  const f32_tag d;
  INLAY_UNROLL
  for (std::size_t stage = 1; stage < lanes; stage *= 2) {
    f32s next[lanes];
    INLAY_UNROLL
    for (std::size_t i = 0; i < lanes / 2; ++i) {
      next[2 * i] = hn::InterleaveWholeLower(d, v[i], v[i + lanes / 2]);
      next[2 * i + 1] = hn::InterleaveWholeUpper(d, v[i], v[i + lanes / 2]);
    }
    INLAY_UNROLL
    for (std::size_t i = 0; i < lanes; ++i) v[i] = next[i];
  }
}

/// What the vectors of a tile see: positions from the least `from` of any to the greatest `to`. All of them see those
/// from the greatest `from` to the least `to`.
struct visible_range {
  std::size_t oldest_from = static_cast<std::size_t>(-1), newest_from = 0;
  std::size_t oldest_to = static_cast<std::size_t>(-1), newest_to = 0;

  void include(std::size_t from, std::size_t to) {
    oldest_from = std::min(oldest_from, from);
    newest_from = std::max(newest_from, from);
    oldest_to = std::min(oldest_to, to);
    newest_to = std::max(newest_to, to);
  }
};

/// Sets queries, from and to of a tile's `real` vectors, those of the batch from `first` on, and of those that fill it
/// up to tile.count, which see nothing.
template <class Tile>
visible_range place_vectors(const attention_shape& shape, const attention_rows& rows, std::size_t kv_head,
                            std::size_t first, std::size_t real, Tile& tile) {
  const std::size_t group = shape.heads / shape.kv_heads;
  visible_range visible;
  for (std::size_t m = 0; m < real; ++m) {
    const std::size_t i = (first + m) / group;
    const std::size_t position = rows.first_position + i;
    tile.queries[m] = rows.queries + i * rows.query_stride + (kv_head * group + (first + m) % group) * shape.head_dim;
    tile.from[m] = shape.window != 0 && position + 1 > shape.window ? position + 1 - shape.window : 0;
    tile.to[m] = shape.causal ? position + 1 : static_cast<std::size_t>(-1);
    visible.include(tile.from[m], tile.to[m]);
  }
  for (std::size_t m = real; m < tile.count; ++m) {
    tile.queries[m] = tile.queries[0];
    tile.from[m] = tile.to[m] = 0;
  }
  return visible;
}

/// f(span, first position, count) for every block with visible positions, up to the last of these or, of whole blocks,
/// of the cache.
template <bool Whole, class F>
void for_each_block(std::span<const kv_span> cache, const visible_range& visible, const F& f) {
  for (const kv_span& span : cache) {
    const std::size_t end = std::min(span.first_position + span.count, visible.newest_to);
    std::size_t next = 0;
    for (std::size_t p = std::max(span.first_position, visible.oldest_from); p < end; p = next) {
      const std::size_t block = p - p % key_block;
      next = std::min(block + key_block, Whole ? span.first_position + span.count : end);
      const std::size_t first = std::max(block, span.first_position);
      f(span, first, next - first);
    }
  }
}

/// Divides the sums of a tile's `real` vectors by the totals of their weights; sums(m, j) is where those of a vector
/// from column j on are, highest(m) its highest score.
template <class Tile, class Sums, class Highest>
void store_vectors(const attention_shape& shape, const attention_rows& rows, std::size_t kv_head, std::size_t first,
                   std::size_t real, const Tile& tile, const Sums& sums, const Highest& highest) {
  const std::size_t group = shape.heads / shape.kv_heads;
  const std::size_t dim = shape.head_dim;
  for (std::size_t m = 0; m < real; ++m) {
    const std::size_t i = (first + m) / group;
    const std::size_t head = kv_head * group + (first + m) % group;
    float* out = rows.out + i * rows.out_stride + head * dim;
    if (rows.weights != nullptr) rows.weights[i * shape.heads + head] = {highest(m), tile.total[m]};
    const f32s scale = splat(1.0f / tile.total[m]);
    std::size_t j = 0;
    for (; j + lanes <= dim; j += lanes) store(hn::Mul(load(sums(m, j)), scale), out + j);
    if (j < dim) store_tail(hn::Mul(load(sums(m, j)), scale), out + j, dim - j);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
