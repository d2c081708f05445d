// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/kernels/support.hpp"

namespace inlay::test {
namespace {

using kernels::attention_rows;
using kernels::attention_shape;
using kernels::kv_span;
using kernels::plain;

/// Queries and the keys and values of `positions`, as floats and in the cache's type, cut into spans.
struct problem {
  attention_shape shape;
  std::size_t first_query;
  std::size_t queries;
  std::size_t oldest;                  ///< first position in the cache
  std::vector<std::size_t> span_ends;  ///< positions

  std::size_t end() const { return span_ends.back(); }
  std::size_t width() const { return shape.heads * shape.head_dim; }
};

struct data {
  std::vector<float> queries;
  std::vector<float> keys, values;  ///< [kv_head][position][head_dim], after rounding to the cache's type
  std::vector<std::vector<std::byte>> stored;
  std::vector<kv_span> spans;

  /// Keys grow by a factor with every 64 positions, queries with every 5.
  explicit data(const problem& p, float size = 1.0f, float growth = 1.0f, float growth_of_queries = 1.0f) {
    const std::size_t dim = p.shape.head_dim;
    const std::size_t count = p.end() - p.oldest;
    queries = random_floats(p.queries * p.width(), 1, -size, size);
    for (std::size_t i = 0; i < queries.size(); ++i)
      queries[i] *= std::pow(growth_of_queries, static_cast<float>(i / p.width() / 5));
    keys = random_floats(p.shape.kv_heads * count * dim, 2, -size, size);
    for (std::size_t i = 0; i < keys.size(); ++i) keys[i] *= std::pow(growth, static_cast<float>(i / dim % count / 64));
    values = random_floats(p.shape.kv_heads * count * dim, 3);
    std::size_t begin = p.oldest;
    for (const std::size_t end : p.span_ends) {
      const std::size_t row = row_bytes(p.shape.cache, dim);
      const std::size_t head_stride = (end - begin) * row + 3 * row;  // spans of a cache have room for more
      kv_span span{nullptr, nullptr, head_stride, begin, end - begin};
      for (auto* numbers : {&keys, &values}) {
        std::vector<std::byte> bytes(p.shape.kv_heads * head_stride, std::byte{0xff});  // the room holds NaN
        for (std::size_t h = 0; h < p.shape.kv_heads; ++h) {
          float* from = numbers->data() + (h * count + begin - p.oldest) * dim;
          std::byte* to = bytes.data() + h * head_stride;
          plain::store(p.shape.cache, from, (end - begin) * dim, to);
          dequantize_row(p.shape.cache, to, (end - begin) * dim, from);
        }
        stored.push_back(std::move(bytes));
        (numbers == &keys ? span.keys : span.values) = stored.back().data();
      }
      spans.push_back(span);
      begin = end;
    }
  }
};

template <class K>
std::vector<float> attend(const problem& p, const data& d, std::size_t rows_a_call) {
  std::vector<float> out(p.queries * p.width(), NAN);
  const attention_rows rows{d.queries.data(), p.width(), out.data(), p.width(), p.queries, p.first_query, d.spans};
  for (std::size_t h = 0; h < p.shape.kv_heads; ++h)
    for (std::size_t i = 0; i < p.queries; i += rows_a_call)
      K::attention(p.shape, rows, h, i, std::min(i + rows_a_call, p.queries));
  return out;
}

/// For every output a bound on the rounding errors of one implementation. A score is a sum of head_dim products and a
/// few operations; an error of it is a relative error of its weight. The weights and their weighted sum of values are
/// sums over the visible positions, of which each block (at least 8 positions) may have been rescaled.
///
/// A weight is at least 2^-126 of the greatest, or 0.
///
/// With a cache of Q8_0, queries may be rounded to 8 bits for every 32 columns, powers of two be off by a relative
/// 2^-18.4 (in every weight and with every block's rescaling), the weights of a block be rounded to 13 bits of the
/// greatest, and the values of 32 columns to 12 bits of the greatest: 127 codes of 8 bits make 32 units each, of which
/// a half and a little for the rounded ratio of scales is lost.
///
/// By matrix units, factors are bf16, whose rounding errors are up to a relative 2^-8. With a cache of Q8_0 all are,
/// weights are rounded, exponents to 128ths and mantissas to 7 bits (by up to 2^-7.1 together, and divided by a sum of
/// such). With others there are two parts of each, or the numbers are bf16 already, and 2^-16 is left, or the product
/// of two second parts.
std::vector<double> error_bounds(const problem& p, const data& d, bool in_bf16) {
  const std::size_t dim = p.shape.head_dim;
  const std::size_t count = p.end() - p.oldest;
  const std::size_t group = p.shape.heads / p.shape.kv_heads;
  const bool bytes = p.shape.cache == dtype::q8_0;
  const bool in_integers = bytes && !in_bf16;
  const double factor_error = !in_bf16 ? 0.0 : bytes ? 2.01 * 0x1p-8 : 2 * 0x1p-16;
  constexpr std::size_t line = 32;
  std::vector<double> bounds(p.queries * p.width());
  for (std::size_t i = 0; i < p.queries; ++i)
    for (std::size_t h = 0; h < p.shape.heads; ++h) {
      const float* q = d.queries.data() + i * p.width() + h * dim;
      const std::size_t kv = h / group;
      std::vector<double> scores;
      std::vector<const float*> visible;
      std::vector<std::size_t> block;  // of the visible positions
      std::vector<double> query_errors(dim);
      for (std::size_t c = 0; in_integers && c < dim; ++c)
        for (std::size_t other = c / line * line; other < c / line * line + line; ++other)
          query_errors[c] = std::max(query_errors[c], 0.5 * 1.01 / 127 * std::fabs(q[other]));
      double score_error = 0.0;
      for (std::size_t j = p.oldest; j < p.end(); ++j) {
        const std::size_t position = p.first_query + i;
        if (p.shape.causal && j > position) continue;
        if (p.shape.window != 0 && j + p.shape.window <= position) continue;
        const float* k = d.keys.data() + (kv * count + j - p.oldest) * dim;
        double score = 0.0;
        double magnitude = 0.0;
        double lost = 0.0;
        for (std::size_t c = 0; c < dim; ++c) {
          lost += query_errors[c] * std::fabs(k[c]);
          score += static_cast<double>(q[c]) * k[c];
          magnitude += std::fabs(static_cast<double>(q[c]) * k[c]);
        }
        score *= p.shape.scale;
        magnitude *= p.shape.scale;
        if (p.shape.soft_cap != 0.0f) score = p.shape.soft_cap * std::tanh(score / p.shape.soft_cap);
        scores.push_back(score);
        block.push_back(j / 64);
        visible.push_back(d.values.data() + (kv * count + j - p.oldest) * dim);
        score_error =
            std::max(score_error, lost * p.shape.scale + factor_error * magnitude +
                                      rounding * ((static_cast<double>(dim) + 8) * magnitude + 8 * std::fabs(score)));
      }
      const double highest = *std::max_element(scores.begin(), scores.end());
      double total = 0.0;
      for (double& s : scores) total += s = std::exp(s - highest);
      const double power_error = in_bf16 || in_integers ? 0x1p-18 : 0.0;
      const double weight_rounding = in_bf16 && bytes ? 0.0073 : 0.0;
      const double relative =
          std::expm1(2 * score_error) + weight_rounding +
          power_error * static_cast<double>(block.back() - block.front() + 3) +
          rounding * (static_cast<double>(scores.size()) + 4 * static_cast<double>(scores.size()) / 8 + 16);
      for (std::size_t c = 0; c < dim; ++c) {
        double magnitude = 0.0, least = 0.0;
        for (std::size_t j = 0; j < scores.size(); ++j) {
          magnitude += scores[j] / total * std::fabs(visible[j][c]);
          least += 0x1p-126 * std::fabs(visible[j][c]);
        }
        bounds[i * p.width() + h * dim + c] =
            (2 * relative + factor_error) * magnitude + least;  // 2: weights and their sum
      }
      if (!in_integers) continue;
      double weight_error = 0.0;
      double greatest_value = 0.0;
      for (std::size_t j = 0; j < scores.size(); ++j) {
        double top = 0.0;
        for (std::size_t other = 0; other < scores.size(); ++other)
          if (block[other] == block[j]) top = std::max(top, scores[other]);
        weight_error += 1.01 * 0x1p-14 * top / total;
        for (std::size_t c = 0; c < dim; ++c)
          greatest_value = std::max(greatest_value, static_cast<double>(std::fabs(visible[j][c])));
      }
      const double value_error = 0.57 / 32 / 127;
      for (std::size_t c = 0; c < dim; ++c)
        bounds[i * p.width() + h * dim + c] += (weight_error + value_error) * greatest_value;
    }
  return bounds;
}

/// Whether K has matrix units, and uses them here.
template <class K>
bool in_bf16(const problem& p) {
  const attention_shape& s = p.shape;
  if (K::form_for(1024) != kernels::activation_form::bf16) return false;
  return s.cache != dtype::f32 && s.head_dim % 32 == 0 && s.head_dim <= 256 && p.queries * s.heads >= 16 * s.kv_heads;
}

template <class K>
void check(const problem& p, float size = 1.0f, float growth = 1.0f, float growth_of_queries = 1.0f) {
  if (p.shape.head_dim % geometry(p.shape.cache).weights != 0) return;
  CAPTURE(p.shape.heads);
  CAPTURE(p.shape.kv_heads);
  CAPTURE(p.shape.head_dim);
  CAPTURE(std::string(name(p.shape.cache)));
  CAPTURE(p.first_query);
  CAPTURE(p.queries);
  const data d(p, size, growth, growth_of_queries);
  const auto expected = attend<plain>(p, d, p.queries);
  const auto bounds = error_bounds(p, d, in_bf16<K>(p));
  const auto got = attend<K>(p, d, p.queries);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < got.size(); ++i) wrong += !within(got[i], expected[i], 2 * bounds[i]);  // both err
  CHECK(wrong == 0);
  for (const std::size_t rows : {std::size_t{1}, std::size_t{3}, std::size_t{8}})
    if (rows < p.queries) CHECK(attend<K>(p, d, rows) == got);
}

constexpr dtype caches[] = {dtype::f32, dtype::f16, dtype::bf16, dtype::q8_0};

attention_shape shape_of(std::size_t heads, std::size_t kv_heads, std::size_t dim, dtype cache) {
  return {heads, kv_heads, dim, 1.0f / std::sqrt(static_cast<float>(dim)), 0.0f, 0, true, cache};
}

TEST_CASE("one query, as in decoding") {
  for_each_policy([]<class K>(K) {
    for (const dtype cache : caches)
      for (const std::size_t dim : {64, 80, 128})
        for (const std::size_t group : {1, 2, 3, 4, 7, 8}) {
          const auto shape = shape_of(2 * group, 2, dim, cache);
          for (const std::size_t position : {0, 1, 62, 63, 64, 130}) check<K>({shape, position, 1, 0, {position + 1}});
        }
  });
}

TEST_CASE("many queries, as in reading a prompt") {
  for_each_policy([]<class K>(K) {
    for (const dtype cache : caches)
      for (const std::size_t dim : {64, 96})
        for (const std::size_t group : {1, 3, 4}) {
          const auto shape = shape_of(2 * group, 2, dim, cache);
          check<K>({shape, 0, 70, 0, {70}});
          check<K>({shape, 37, 5, 0, {42}});
        }
  });
}

TEST_CASE("every head_dim") {
  for_each_policy([]<class K>(K) {
    for (std::size_t dim = 1; dim <= 3 * K::vector_floats + 1; ++dim)
      for (const std::size_t queries : {1, 9})
        check<K>({shape_of(2, 1, dim, dtype::f16), 30, queries, 0, {30 + queries}});
    for (const std::size_t dim : {65, 72, 112, 192, 256, 500, 512})
      for (const std::size_t queries : {1, 9})
        for (const dtype cache : caches) check<K>({shape_of(2, 2, dim, cache), 70, queries, 0, {70 + queries}});
  });
}

TEST_CASE("windows, caps, without causality") {
  for_each_policy([]<class K>(K) {
    for (const std::size_t queries : {1, 2, 33})
      for (const dtype cache : {dtype::f32, dtype::bf16}) {
        auto shape = shape_of(4, 2, 64, cache);
        for (const std::size_t window : {1, 2, 15, 64, 100, 1000}) {
          shape.window = window;
          check<K>({shape, 150, queries, 0, {150 + queries}});
        }
        shape.causal = false;
        shape.window = 40;
        check<K>({shape, 50, queries, 0, {130}});
        shape.window = 0;
        check<K>({shape, 0, queries, 0, {130}});
        shape.soft_cap = 2.0f;
        check<K>({shape, 0, queries, 0, {130}}, 3.0f);
        shape.causal = true;
        check<K>({shape, 97, queries, 0, {97 + queries}}, 3.0f);
      }
  });
}

TEST_CASE("windows, caps and scores far apart over a cache of bytes") {
  for_each_policy([]<class K>(K) {
    for (const std::size_t dim : {64, 128})
      for (const std::size_t queries : {2, 33, 130}) {
        auto shape = shape_of(8, 2, dim, dtype::q8_0);
        for (const std::size_t window : {1, 15, 64, 100}) {
          shape.window = window;
          check<K>({shape, 150, queries, 0, {150 + queries}});
        }
        shape.window = 0;
        shape.soft_cap = 2.0f;
        check<K>({shape, 97, queries, 0, {97 + queries}}, 3.0f);
        shape.soft_cap = 0.0f;
        check<K>({shape, 97, queries, 0, {97 + queries}}, 10.0f);
        check<K>({shape, 97, queries, 0, {97 + queries}}, 0.0f);
        shape.causal = false;
        check<K>({shape, 0, queries, 0, {200}});
      }
  });
}

TEST_CASE("rows of one tile that do not see the same blocks") {
  for_each_policy([]<class K>(K) {
    for (const dtype cache : caches) {
      auto shape = shape_of(8, 2, 64, cache);
      // Bytes are read for up to 1024 query vectors at once.
      const std::size_t queries = cache == dtype::q8_0 ? 270 : 140;
      shape.window = 50;  // the first rows are past the last blocks, and the last ones past the first
      check<K>({shape, 200, queries, 0, {200 + queries}});
      shape.window = 0;
      check<K>({shape, 0, 140, 0, {140}});
    }
  });
}

TEST_CASE("errors of bf16 over a cache of bytes are those of independent roundings") {
  kernels::for_each_target([]<class K>(K) {
    for (const std::size_t dim : {64, 96, 256}) {
      const problem p{shape_of(8, 2, dim, dtype::q8_0), 300, 40, 0, {340}};
      if (!in_bf16<K>(p)) continue;
      CAPTURE(dim);
      const data d(p, 1.0f);
      const auto expected = attend<plain>(p, d, p.queries), got = attend<K>(p, d, p.queries);
      double errors = 0, squares = 0;
      for (std::size_t i = 0; i < got.size(); ++i) {
        errors += std::pow(double{got[i]} - double{expected[i]}, 2);
        squares += std::pow(double{expected[i]}, 2);
      }
      // Scores of about 1 are off by 2^-9 and less, and weights and values by 2^-8 at most, each on its own.
      CHECK(errors <= 0x1p-16 * squares);
    }
  });
}

TEST_CASE("a cache in pieces") {
  for_each_policy([]<class K>(K) {
    for (const std::size_t queries : {1, 20})
      for (const dtype cache : caches) {
        auto shape = shape_of(6, 2, 64, cache);
        const std::size_t end = 500 + queries;
        check<K>({shape, 500, queries, 0, {10, 64, 65, 300, end}});
        shape.window = 100;  // a ring that has forgotten all but the window
        check<K>({shape, 500, queries, 401, {448, 500, end}});
        check<K>({shape, 500, queries, 401, {401, 500, end}});  // an empty piece
      }
  });
}

TEST_CASE("what parts of a cache give, weighed, is what the whole gives") {
  for_each_policy([]<class K>(K) {
    for (const dtype cache : caches)
      for (const std::size_t heads : {1, 6, 16})
        for (const float soft_cap : {0.0f, 3.0f}) {
          auto shape = shape_of(heads, heads == 1 ? 1 : 2, 64, cache);
          shape.soft_cap = soft_cap;
          const problem p{shape, 299, 1, 0, {64, 256, 300}};
          const data d(p);
          const auto expected = attend<plain>(p, d, 1);
          const auto bounds = error_bounds(p, d, in_bf16<K>(p));
          std::vector<std::vector<float>> outs;
          std::vector<std::vector<kernels::attention_weight>> weights;
          for (const kv_span& span : d.spans) {
            outs.emplace_back(p.width());
            weights.emplace_back(heads);
            const attention_rows rows{d.queries.data(), p.width(),  outs.back().data(),   p.width(), 1,
                                      p.first_query,    {&span, 1}, weights.back().data()};
            for (std::size_t h = 0; h < shape.kv_heads; ++h) K::attention(shape, rows, h, 0, 1);
          }
          std::size_t wrong = 0;
          for (std::size_t i = 0; i < p.width(); ++i) {
            double sum = 0.0;
            double total = 0.0;
            const double highest = weights.back()[i / 64].highest;
            for (std::size_t part = 0; part < outs.size(); ++part) {
              const auto& w = weights[part][i / 64];
              const double weight = w.total * std::exp(static_cast<double>(w.highest) - highest);
              sum += weight * outs[part][i];
              total += weight;
            }
            wrong +=
                !within(static_cast<float>(sum / total), expected[i], 4 * bounds[i]);  // parts err, and their weights
          }
          CHECK(wrong == 0);
        }
  });
}

TEST_CASE("scores far apart and equal scores") {
  for_each_policy([]<class K>(K) {
    for (const std::size_t queries : {1, 12}) {
      auto shape = shape_of(4, 2, 64, dtype::f32);
      check<K>({shape, 200, queries, 0, {200 + queries}}, 30.0f);
      check<K>({shape, 200, queries, 0, {200 + queries}}, 0.0f);
    }
  });
}

TEST_CASE("scores whose range changes from block to block") {
  for_each_policy([]<class K>(K) {
    for (const dtype cache : caches)
      for (const float growth : {4.0f, 0.25f}) {
        const problem p{shape_of(8, 2, 64, cache), 310, 10, 0, {320}};
        check<K>(p, growth > 1.0f ? 1.0f : 16.0f, growth);
      }
    // Of a tile, some vectors have scores far from those before, and some do not.
    for (const dtype cache : caches) {
      problem p{shape_of(8, 2, 64, cache), 0, 10, 0, {192}};
      p.shape.causal = false;
      check<K>(p, 1.0f, 4.0f, 3.0f);
    }
  });
}

TEST_CASE("the output may take the place of the queries") {
  for_each_policy([]<class K>(K) {
    for (const std::size_t queries : {1, 40}) {
      const problem p{shape_of(6, 2, 64, dtype::f16), 10, queries, 0, {10 + queries}};
      data d(p);
      const auto expected = attend<K>(p, d, p.queries);
      auto in_place = d.queries;
      const attention_rows rows{in_place.data(), p.width(), in_place.data(), p.width(), queries, 10, d.spans};
      for (std::size_t h = 0; h < 2; ++h) K::attention(p.shape, rows, h, 0, queries);
      CHECK(in_place == expected);
    }
  });
}

TEST_CASE("nothing is read past the cache") {
  for_each_policy([]<class K>(K) {
    for (const dtype cache : caches)
      for (const std::size_t dim : {64, 72})
        for (const std::size_t queries : {1, 10}) {
          if (dim % geometry(cache).weights != 0) continue;
          const problem p{shape_of(2, 1, dim, cache), 20, queries, 0, {20 + queries}};
          data d(p);
          const auto expected = attend<K>(p, d, p.queries);
          const std::size_t bytes = p.end() * row_bytes(cache, dim);
          guarded<std::byte> keys(bytes);
          guarded<std::byte> values(bytes);
          std::memcpy(keys.data(), d.spans[0].keys, bytes);
          std::memcpy(values.data(), d.spans[0].values, bytes);
          guarded<float> in(d.queries.size(), 0, d.queries);
          guarded<float> out(d.queries.size());
          const kv_span span{keys.data(), values.data(), bytes, 0, p.end()};
          K::attention(p.shape, {in.data(), p.width(), out.data(), p.width(), queries, 20, {&span, 1}}, 0, 0, queries);
          CHECK(out.values() == expected);
        }
  });
}

}  // namespace
}  // namespace inlay::test
