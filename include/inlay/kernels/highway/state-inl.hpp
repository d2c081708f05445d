// SPDX-License-Identifier: Apache-2.0
// A head of a recurrent layer, a few positions at a time (the chunkwise form of Yang et al. 2024 and of Dao & Gu 2024,
// with chunks as short as the registers ask for). With g_i the decay from the chunk's begin to position i and L_ij that
// from j to i, the state S at the chunk's begin gives
//   learned_i = rate_i (v_i - g_i S^T k_i - sum over j < i of L_ij (k_i . k_j) learned_j)       delta rule
//   learned_i = rate_i v_i                                                                       else
//   y_i       = g_i S^T q_i + sum over j <= i of L_ij (q_i . k_j) learned_j + skip v_i
//   S         = g_C S + sum of k_j (L_Cj learned_j)^T
// so the state is read and written once a chunk instead of once or twice a position: the pass that writes a strip of
// its columns also does the products that the next chunk begins with. A strip stays in the first-level cache.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

using inlay::kernels::recurrence;

#if INLAY_SMALL_KERNELS
inline constexpr std::size_t chunk_steps = 1, strip_vectors = 1;
#elif HWY_ARCH_X86 && HWY_MAX_BYTES < 64  // 16 registers
inline constexpr std::size_t chunk_steps = 2, strip_vectors = 2;
#else
inline constexpr std::size_t chunk_steps = 4, strip_vectors = 2;
#endif
inline constexpr std::size_t piece_chunks = 16;  ///< whose numbers are computed at once, for all strips

/// What the positions of a chunk have to do with each other: the same for all columns.
template <std::size_t Steps>
struct chunk_numbers {
  float decay[Steps];           ///< g_i
  float rest[Steps];            ///< L_Cj
  float keys[Steps][Steps];     ///< L_ij (k_i . k_j), j < i
  float queries[Steps][Steps];  ///< L_ij (q_i . k_j), j <= i
};

template <std::size_t Steps, bool Delta>
HWY_INLINE void relate(const recurrence& r, std::size_t first, chunk_numbers<Steps>& c) {
  float decays[Steps];
  for (std::size_t i = 0; i < Steps; ++i) decays[i] = r.decays[(first + i) * r.factor_stride];
  float all = 1.0f;
  for (std::size_t i = 0; i < Steps; ++i) c.decay[i] = all *= decays[i];
  float rest = 1.0f;
  for (std::size_t j = Steps; j-- > 0; rest *= decays[j]) c.rest[j] = rest;
  for (std::size_t i = 0; i < Steps; ++i) {
    const float* k = r.keys + (first + i) * r.key_stride;
    const float* q = r.queries + (first + i) * r.key_stride;
    float between = 1.0f;
    for (std::size_t j = i + 1; j-- > 0; between *= decays[j]) {
      const float* other = r.keys + (first + j) * r.key_stride;
      c.queries[i][j] = between * dot(q, other, r.rows);
      if (Delta && j < i) c.keys[i][j] = between * dot(k, other, r.rows);
    }
  }
}

/// A strip of columns: whole vectors, or less than one.
template <bool Tail>
struct strip_columns {
  std::size_t tail;  ///< columns, if Tail
  HWY_INLINE f32s get(const float* x, std::size_t v) const {
    if constexpr (Tail) return load_tail(x, tail);
    return load(x + v * lanes);
  }
  HWY_INLINE void put(f32s x, float* to, std::size_t v) const {
    if constexpr (Tail) return store_tail(x, to, tail);
    store(x, to + v * lanes);
  }
};

/// Some columns of a state, and what a chunk works out for them.
template <std::size_t Steps, std::size_t Vectors, bool Delta, bool Tail>
struct state_strip : strip_columns<Tail> {
  using strip_columns<Tail>::get, strip_columns<Tail>::put;
  float* state;
  f32s given[Steps][Vectors];    // S^T q
  f32s read[Steps][Vectors];     // S^T k
  f32s learned[Steps][Vectors];  // times L_Cj

  // Written out: clang gives the implicit one no CPU target.
  HWY_INLINE state_strip(float* first, std::size_t rest) : strip_columns<Tail>{rest}, state(first) {}

  /// Once over the state: takes up what was learned from the chunk at `first`, if Write, and begins the chunk at
  /// `next`, if Read.
  template <bool Write, bool Read>
  HWY_INLINE void pass(const recurrence& r, std::size_t first, std::size_t next, float decay) {
    const float* keys = r.keys + first * r.key_stride;
    const float* next_keys = r.keys + next * r.key_stride;
    const float* next_queries = r.queries + next * r.key_stride;
    f32s given_sum[Steps][Vectors], read_sum[Steps][Vectors], add[Steps][Vectors];
    INLAY_UNROLL for (std::size_t i = 0; i < Steps; ++i) INLAY_UNROLL for (std::size_t v = 0; v < Vectors; ++v) {
      given_sum[i][v] = read_sum[i][v] = zero();
      if constexpr (Write) add[i][v] = learned[i][v];
    }
    const f32s keep = splat(decay);
    float* s = state;
    for (std::size_t row = 0; row < r.rows; ++row, s += r.columns) {
      f32s x[Vectors];
      INLAY_UNROLL for (std::size_t v = 0; v < Vectors; ++v) x[v] = get(s, v);
      if constexpr (Write) {
        INLAY_UNROLL for (std::size_t v = 0; v < Vectors; ++v) x[v] = hn::Mul(x[v], keep);
        INLAY_UNROLL for (std::size_t i = 0; i < Steps; ++i) {
          const f32s k = splat(keys[i * r.key_stride + row]);
          INLAY_UNROLL for (std::size_t v = 0; v < Vectors; ++v) x[v] = multiply_add(k, add[i][v], x[v]);
        }
        INLAY_UNROLL for (std::size_t v = 0; v < Vectors; ++v) put(x[v], s, v);
      }
      if constexpr (Read) {
        INLAY_UNROLL for (std::size_t i = 0; i < Steps; ++i) {
          const f32s q = splat(next_queries[i * r.key_stride + row]);
          INLAY_UNROLL for (std::size_t v = 0; v < Vectors; ++v) given_sum[i][v] =
              multiply_add(q, x[v], given_sum[i][v]);
          if constexpr (Delta) {
            const f32s k = splat(next_keys[i * r.key_stride + row]);
            INLAY_UNROLL for (std::size_t v = 0; v < Vectors; ++v) read_sum[i][v] =
                multiply_add(k, x[v], read_sum[i][v]);
          }
        }
      }
    }
    if constexpr (Read)
      INLAY_UNROLL for (std::size_t i = 0; i < Steps; ++i) INLAY_UNROLL for (std::size_t v = 0; v < Vectors; ++v) {
        given[i][v] = given_sum[i][v];
        read[i][v] = read_sum[i][v];
      }
  }

  /// What the chunk learns and what it puts out. `column` is the strip's.
  HWY_INLINE void settle(const recurrence& r, std::size_t column, std::size_t first, const chunk_numbers<Steps>& c) {
    for (std::size_t i = 0; i < Steps; ++i) {
      const f32s rate = splat(r.rates[(first + i) * r.factor_stride]);
      for (std::size_t v = 0; v < Vectors; ++v) {
        const f32s value = get(r.values + (first + i) * r.value_stride + column, v);
        f32s y = multiply_add(splat(c.decay[i]), given[i][v], hn::Mul(splat(r.skip), value));
        f32s error = value;
        if constexpr (Delta) {
          error = hn::Sub(error, hn::Mul(splat(c.decay[i]), read[i][v]));
          for (std::size_t j = 0; j < i; ++j) error = hn::NegMulAdd(splat(c.keys[i][j]), learned[j][v], error);
        }
        learned[i][v] = hn::Mul(rate, error);
        for (std::size_t j = 0; j <= i; ++j) y = multiply_add(splat(c.queries[i][j]), learned[j][v], y);
        put(y, r.out + (first + i) * r.out_stride + column, v);
      }
    }
    for (std::size_t i = 0; i < Steps; ++i)
      for (std::size_t v = 0; v < Vectors; ++v) learned[i][v] = hn::Mul(splat(c.rest[i]), learned[i][v]);
  }
};

template <std::size_t Steps, std::size_t Vectors, bool Delta, bool Tail>
HWY_INLINE void scan_strip(float* state, const recurrence& r, std::size_t column, std::size_t tail, std::size_t first,
                           const chunk_numbers<Steps>* chunks, std::size_t count) {
  state_strip<Steps, Vectors, Delta, Tail> strip(state + column, tail);
  strip.template pass<false, true>(r, first, first, 0.0f);
  for (std::size_t c = 0; c < count; ++c, first += Steps) {
    strip.settle(r, column, first, chunks[c]);
    const float decay = chunks[c].decay[Steps - 1];
    if (c + 1 < count)
      strip.template pass<true, true>(r, first, first + Steps, decay);
    else
      strip.template pass<true, false>(r, first, first, decay);
  }
}

/// Positions [first, first + Steps * count).
template <std::size_t Steps, bool Delta>
void scan_chunks(float* state, const recurrence& r, std::size_t first, std::size_t count) {
  chunk_numbers<Steps> chunks[piece_chunks];
  while (count != 0) {
    const std::size_t n = count < piece_chunks ? count : piece_chunks;
    for (std::size_t c = 0; c < n; ++c) relate<Steps, Delta>(r, first + c * Steps, chunks[c]);
    std::size_t i = 0;
    for (; i + strip_vectors * lanes <= r.columns; i += strip_vectors * lanes)
      scan_strip<Steps, strip_vectors, Delta, false>(state, r, i, 0, first, chunks, n);
    for (; i + lanes <= r.columns; i += lanes) scan_strip<Steps, 1, Delta, false>(state, r, i, 0, first, chunks, n);
    if (i < r.columns) scan_strip<Steps, 1, Delta, true>(state, r, i, r.columns - i, first, chunks, n);
    first += n * Steps;
    count -= n;
  }
}

/// Some columns, one position: as it is written in types.hpp.
template <std::size_t Vectors, bool Delta, bool Tail>
HWY_INLINE void step_strip(float* state, const recurrence& r, std::size_t t, std::size_t column, std::size_t tail) {
  const strip_columns<Tail> columns{tail};
  const float* key = r.keys + t * r.key_stride;
  const float* query = r.queries + t * r.key_stride;
  const float* value = r.values + t * r.value_stride + column;
  const f32s keep = splat(r.decays[t * r.factor_stride]);
  f32s learned[Vectors], y[Vectors];
  INLAY_UNROLL for (std::size_t v = 0; v < Vectors; ++v) learned[v] = y[v] = zero();
  if constexpr (Delta) {
    const float* s = state + column;
    for (std::size_t row = 0; row < r.rows; ++row, s += r.columns) {
      const f32s k = splat(key[row]);
      INLAY_UNROLL for (std::size_t v = 0; v < Vectors; ++v) learned[v] =
          multiply_add(k, columns.get(s, v), learned[v]);
    }
  }
  const f32s rate = splat(r.rates[t * r.factor_stride]);
  INLAY_UNROLL for (std::size_t v = 0; v < Vectors; ++v) learned[v] =
      hn::Mul(rate, hn::NegMulAdd(keep, learned[v], columns.get(value, v)));
  float* s = state + column;
  for (std::size_t row = 0; row < r.rows; ++row, s += r.columns) {
    const f32s k = splat(key[row]);
    const f32s q = splat(query[row]);
    INLAY_UNROLL for (std::size_t v = 0; v < Vectors; ++v) {
      const f32s x = multiply_add(keep, columns.get(s, v), hn::Mul(k, learned[v]));
      columns.put(x, s, v);
      y[v] = multiply_add(q, x, y[v]);
    }
  }
  float* out = r.out + t * r.out_stride + column;
  INLAY_UNROLL for (std::size_t v = 0; v < Vectors; ++v)
      columns.put(multiply_add(splat(r.skip), columns.get(value, v), y[v]), out, v);
}

/// As many strips of so many vectors as there are columns for from `column` on, which is moved on.
template <bool Delta, std::size_t Vectors>
HWY_INLINE void step_strips(float* state, const recurrence& r, std::size_t t, std::size_t& column) {
  for (; column + Vectors * lanes <= r.columns; column += Vectors * lanes)
    step_strip<Vectors, Delta, false>(state, r, t, column, 0);
}

/// One position. The state may not be in any cache: wide strips let it be read in order.
template <bool Delta>
void scan_step(float* state, const recurrence& r, std::size_t t) {
  std::size_t i = 0;
#if !INLAY_SMALL_KERNELS
  step_strips<Delta, 8>(state, r, t, i);
  step_strips<Delta, 5>(state, r, t, i);
  step_strips<Delta, 4>(state, r, t, i);
  step_strips<Delta, 2>(state, r, t, i);
#endif
  step_strips<Delta, 1>(state, r, t, i);
  if (i < r.columns) step_strip<1, Delta, true>(state, r, t, i, r.columns - i);
}

template <bool Delta>
void scan_all(float* state, const recurrence& r) {
  std::size_t whole = 0;
  if constexpr (chunk_steps > 1) {
    whole = r.count / chunk_steps;
    scan_chunks<chunk_steps, Delta>(state, r, 0, whole);
  }
  for (std::size_t t = whole * chunk_steps; t < r.count; ++t) scan_step<Delta>(state, r, t);
}

inline void scan(float* state, const recurrence& r) {
  r.delta_rule ? scan_all<true>(state, r) : scan_all<false>(state, r);
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
