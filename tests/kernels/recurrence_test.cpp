// SPDX-License-Identifier: Apache-2.0
// Recurrent heads: against plain, in f32, for counts around the chunk and shapes around the strip; any split of the
// positions is the same within the same bound.
#include "tests/kernels/support.hpp"

namespace {

using namespace inlay;
using namespace inlay::test;

struct positions {
  std::size_t rows, columns, count, stride;
  bool delta;
  std::vector<float> keys, queries, values, decays, rates, start;

  positions(std::size_t r, std::size_t c, std::size_t n, bool d) : rows(r), columns(c), count(n), stride(2), delta(d) {
    std::mt19937 random(static_cast<unsigned>(r * 1000 + c * 10 + n));
    std::normal_distribution<float> normal;
    std::uniform_real_distribution<float> uniform(0.0f, 1.0f);
    const auto fill = [&](std::vector<float>& v, std::size_t size, float scale) {
      v.resize(size);
      for (float& x : v) x = scale * normal(random);
    };
    // Keys of length one, as layers make them: then the delta rule does not amplify.
    const float unit = 1.0f / std::sqrt(static_cast<float>(r));
    fill(keys, (n + 1) * (r + 3), unit);
    fill(queries, (n + 1) * (r + 3), unit);
    fill(values, (n + 1) * (c + 5), 1.0f);
    fill(start, r * c, 1.0f);
    for (std::size_t i = 0; i < stride * (n + 1); ++i) {
      decays.push_back(i % 7 == 3 ? 0.0f : uniform(random));
      rates.push_back(uniform(random));
    }
  }

  /// Positions [begin, end) with state and outputs in memory that ends before a page without access.
  template <class K>
  void run(std::size_t begin, std::size_t end, float* state, float* out) const {
    K::scan(state, {.rows = rows,
                    .columns = columns,
                    .count = end - begin,
                    .keys = keys.data() + begin * (rows + 3),
                    .queries = queries.data() + begin * (rows + 3),
                    .key_stride = rows + 3,
                    .values = values.data() + begin * (columns + 5),
                    .value_stride = columns + 5,
                    .out = out + begin * columns,
                    .out_stride = columns,
                    .decays = decays.data() + begin * stride,
                    .rates = rates.data() + begin * stride,
                    .factor_stride = stride,
                    .skip = 0.75f,
                    .delta_rule = delta});
  }
};

/// What one position adds to the error of its columns: a rounding of each product and sum over the rows (random signs:
/// their root), for numbers of the order of one times the root of the rows; some eight such steps stay in a state that
/// decays by a half on average.
double bound(const positions& p) { return 8 * rounding * (8 + std::sqrt(static_cast<double>(p.rows))) * 8; }

}  // namespace

TEST_CASE("scans of positions are plain's, whatever the shape and however they are split") {
  for_each_policy([]<class K>(K) {
    const std::size_t v = K::vector_floats;
    for (const bool delta : {false, true})
      for (const std::size_t rows : {std::size_t{1}, std::size_t{7}, std::size_t{128}})
        for (const std::size_t columns : {std::size_t{1}, v - 1, v, 2 * v + 1, 5 * v, 8 * v, 80ul})
          for (const std::size_t count : {0, 1, 2, 3, 4, 5, 9, 70}) {
            CAPTURE(delta);
            CAPTURE(rows);
            CAPTURE(columns);
            CAPTURE(count);
            const positions p(rows, columns, count, delta);
            std::vector<float> expected_state = p.start, expected(count * columns);
            p.run<kernels::plain>(0, count, expected_state.data(), expected.data());
            double worst = 0.0;
            for (const std::size_t step : {count + 1, std::size_t{1}, std::size_t{3}}) {
              guarded<float> state(rows * columns), out(count * columns);
              std::copy(p.start.begin(), p.start.end(), state.data());
              for (std::size_t t = 0; t < count; t += step)
                p.run<K>(t, std::min(count, t + step), state.data(), out.data());
              for (std::size_t i = 0; i < expected.size(); ++i)
                worst = std::max(worst, static_cast<double>(std::fabs(out.data()[i] - expected[i])));
              for (std::size_t i = 0; i < expected_state.size(); ++i)
                worst = std::max(worst, static_cast<double>(std::fabs(state.data()[i] - expected_state[i])));
            }
            CHECK(worst <= bound(p));
          }
  });
}

TEST_CASE("plain's scan is the equations") {
  // Two rows, one column, by hand. S = (1, 2); key (1, 0.5), query (2, 1), value 3, decay 0.5, rate 0.25.
  const float key[] = {1.0f, 0.5f}, query[] = {2.0f, 1.0f}, value = 3.0f, decay = 0.5f, rate = 0.25f;
  const auto run = [&](bool delta, float(&s)[2]) {
    float y = 0.0f;
    kernels::plain::scan(s, {.rows = 2,
                             .columns = 1,
                             .count = 1,
                             .keys = key,
                             .queries = query,
                             .values = &value,
                             .out = &y,
                             .decays = &decay,
                             .rates = &rate,
                             .skip = 2.0f,
                             .delta_rule = delta});
    return y;
  };
  float s[] = {1.0f, 2.0f};
  CHECK(run(false, s) == 2 * 1.25f + 1.375f + 6.0f);  // S = (0.5 + 0.75, 1 + 0.375)
  CHECK(s[0] == 1.25f);
  CHECK(s[1] == 1.375f);
  float d[] = {1.0f, 2.0f};
  CHECK(run(true, d) == 2 * 1.0f + 1.25f + 6.0f);  // reads 0.5 + 0.5 = 1; learns 0.25 * 2; S = (0.5 + 0.5, 1 + 0.25)
  CHECK(d[0] == 1.0f);
  CHECK(d[1] == 1.25f);
}
