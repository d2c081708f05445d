// SPDX-License-Identifier: Apache-2.0
// One position of a recurrent layer's head. The state is small enough to stay in the first-level cache from one
// position to the next.
HWY_BEFORE_NAMESPACE();
namespace inlay {
namespace HWY_NAMESPACE {

inline void state_step(float* state, std::size_t rows, std::size_t columns, float decay, float scale, const float* x,
                       const float* b, const float* c, float* y) {
  const f32s keep = splat(decay);
  for (std::size_t r = 0; r < rows; ++r) {
    float* s = state + r * columns;
    const f32s add = splat(scale * x[r]);
    f32s sum0 = zero();
    f32s sum1 = zero();
    std::size_t i = 0;
    for (; i + 2 * lanes <= columns; i += 2 * lanes) {
      const f32s s0 = multiply_add(load(s + i), keep, hn::Mul(add, load(b + i)));
      const f32s s1 = multiply_add(load(s + i + lanes), keep, hn::Mul(add, load(b + i + lanes)));
      store(s0, s + i);
      store(s1, s + i + lanes);
      sum0 = multiply_add(s0, load(c + i), sum0);
      sum1 = multiply_add(s1, load(c + i + lanes), sum1);
    }
    for (; i < columns; i += lanes) {
      const std::size_t n = columns - i < lanes ? columns - i : lanes;
      const f32s s0 = multiply_add(load_tail(s + i, n), keep, hn::Mul(add, load_tail(b + i, n)));
      store_tail(s0, s + i, n);
      sum0 = multiply_add(s0, load_tail(c + i, n), sum0);
    }
    y[r] = sum(hn::Add(sum0, sum1));
  }
}

inline void delta_step(float* state, std::size_t rows, std::size_t columns, float decay, float rate, const float* k,
                       const float* v, const float* q, float* y) {
  // A strip of columns at a time: what is read of it, what is learned, what is given.
  const f32s keep = splat(decay);
  for (std::size_t i = 0; i < columns; i += lanes) {
    const std::size_t n = columns - i < lanes ? columns - i : lanes;
    float* s = state + i;
    f32s read0 = zero();
    f32s read1 = zero();
    for (std::size_t r = 0; r < rows; r += 2) {
      read0 = multiply_add(splat(k[r]), load_tail(s + r * columns, n), read0);
      if (r + 1 < rows) read1 = multiply_add(splat(k[r + 1]), load_tail(s + (r + 1) * columns, n), read1);
    }
    const f32s read = hn::Mul(keep, hn::Add(read0, read1));
    const f32s delta = hn::Mul(splat(rate), hn::Sub(load_tail(v + i, n), read));
    f32s out = zero();
    for (std::size_t r = 0; r < rows; ++r) {
      const f32s next = multiply_add(load_tail(s + r * columns, n), keep, hn::Mul(splat(k[r]), delta));
      store_tail(next, s + r * columns, n);
      out = multiply_add(splat(q[r]), next, out);
    }
    store_tail(out, y + i, n);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace inlay
HWY_AFTER_NAMESPACE();
