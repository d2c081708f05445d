// SPDX-License-Identifier: Apache-2.0
// Layers by themselves, against their equations written out.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <vector>

#include "inlay/kernels/plain.hpp"
#include "inlay/layers/attention.hpp"
#include "inlay/layers/linear.hpp"
#include "inlay/layers/mlp.hpp"
#include "inlay/layers/moe.hpp"
#include "inlay/layers/residual.hpp"
#include "inlay/layers/stack.hpp"
#include "inlay/models/rotaries.hpp"

namespace {

using namespace inlay;

/// Numbers that look random and are the same everywhere.
float value(std::size_t i, float phase) { return std::sin(static_cast<float>(i) * 1.7f + phase) * 0.6f; }

/// A layer with made-up weights, run on one sequence.
template <class Layer>
struct bench {
  explicit bench(std::size_t context = 32) : options{context, dtype::f32} {
    float phase = 0.3f;
    const auto fill = [&]<class Tensor>(const std::string&, Tensor& t, const auto&) {
      auto& numbers = weights.emplace_back(Tensor::count);
      for (std::size_t i = 0; i < Tensor::count; ++i) numbers[i] = value(i, phase);
      phase += 0.7f;
      const auto* bytes = reinterpret_cast<const std::byte*>(numbers.data());
      if constexpr (requires { t.ref; }) {
        t.ref = {bytes, Tensor::rows, Tensor::columns, dtype::f32, kernels::layout::rows};
      } else if constexpr (requires { t.first; }) {
        t.first = {bytes, Tensor::rows, Tensor::columns, dtype::f32, kernels::layout::rows};
        t.bytes_each = Tensor::rows * Tensor::columns * sizeof(float);
      } else {
        t.data = numbers.data();
      }
    };
    for_each_parameter(layer, "", fill);
    state_memory.resize(state_of<Layer>::bytes(options) + 64);
    arena a(state_memory.data(), state_memory.size());
    state.place(a, options);
  }

  std::vector<float> run(const std::vector<float>& x, std::size_t threads = 1) {
    const std::size_t count = x.size() / Layer::in;
    using rotaries = models_rotaries;
    std::vector<std::byte> scratch(scratch_bytes<Layer>(count) + detail::rotation_bytes(rotaries{}, count) +
                                   count * quantized_room(256) + 4096);
    arena memory(scratch.data(), scratch.size());
    thread_pool pool(threads);
    const sequence_rows rows_of{reinterpret_cast<std::byte*>(&state), 0, count, position, options.context};
    auto ctx = detail::make_context<kernels::plain>(rotaries{}, workspace{memory, pool}, {&rows_of, 1}, count);
    detail::fill_rotations(ctx, detail::make_frequencies(rotaries{}));
    std::vector<float> y(count * Layer::out);
    inlay::forward(layer, ctx, state, const_rows<Layer::in>(x.data(), count), rows<Layer::out>{y.data(), count});
    position += count;
    return y;
  }

  using models_rotaries = detail::rotaries_of<Layer>;
  Layer layer{};
  std::vector<std::vector<float>> weights;
  state_options options;
  std::vector<std::byte> state_memory;
  state_of<Layer> state{};
  std::size_t position = 0;
};

std::vector<float> input(std::size_t n) {
  std::vector<float> x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = value(i, 2.0f);
  return x;
}

std::vector<double> times_vector(const std::vector<float>& w, const float* x, std::size_t rows, std::size_t columns) {
  std::vector<double> y(rows);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) y[r] += static_cast<double>(w[r * columns + c]) * x[c];
  return y;
}

// Sums of at most 64 products below 1, in f32: 64 * 2^-24 and some roundings.
constexpr double tolerance = 2e-5;

}  // namespace

TEST_CASE("linear, with and without bias") {
  bench<bound<linear<5, true>, 12>> b;
  const auto x = input(3 * 12);
  const auto y = b.run(x);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto expected = times_vector(b.weights[0], x.data() + i * 12, 5, 12);
    for (std::size_t r = 0; r < 5; ++r) CHECK(std::fabs(y[i * 5 + r] - expected[r] - b.weights[1][r]) < tolerance);
  }
  static_assert(parameter_count<bound<linear<5>, 12>> == 60);
  static_assert(parameter_count<bound<linear<5, true>, 12>> == 65);
}

TEST_CASE("layer norm and RMS norm") {
  bench<bound<layer_norm<>, 12>> b;
  const auto x = input(12);
  const auto y = b.run(x);
  double mean = 0.0;
  double variance = 0.0;
  for (const float v : x) mean += v / 12.0;
  for (const float v : x) variance += (v - mean) * (v - mean) / 12.0;
  for (std::size_t i = 0; i < 12; ++i)
    CHECK(std::fabs(y[i] - ((x[i] - mean) / std::sqrt(variance + 1e-5) * b.weights[0][i] + b.weights[1][i])) <
          tolerance);

  bench<bound<rms_norm<{.epsilon = 0.1f}>, 12>> r;
  const auto z = r.run(x);
  double square = 0.0;
  for (const float v : x) square += static_cast<double>(v) * v / 12.0;
  for (std::size_t i = 0; i < 12; ++i)
    CHECK(std::fabs(z[i] - x[i] / std::sqrt(square + 0.1) * r.weights[0][i]) < tolerance);
  static_assert(parameter_count<bound<rms_norm<{.scale = false}>, 12>> == 0);
}

TEST_CASE_TEMPLATE("plain and gated feed-forward", Activation, silu, gelu_tanh, gelu_erf, relu, relu_squared) {
  const auto act = [](double v) {
    if constexpr (std::is_same_v<Activation, silu>) return v / (1.0 + std::exp(-v));
    if constexpr (std::is_same_v<Activation, gelu_tanh>)
      return 0.5 * v * (1.0 + std::tanh(0.7978845608028654 * (v + 0.044715 * v * v * v)));
    if constexpr (std::is_same_v<Activation, gelu_erf>) return 0.5 * v * (1.0 + std::erf(v / std::sqrt(2.0)));
    if constexpr (std::is_same_v<Activation, relu>) return v > 0.0 ? v : 0.0;
    if constexpr (std::is_same_v<Activation, relu_squared>) return v > 0.0 ? v * v : 0.0;
  };
  const auto x = input(8);
  bench<bound<mlp<16, Activation, true>, 8>> b;  // up, its bias, down, its bias
  const auto y = b.run(x);
  auto up = times_vector(b.weights[0], x.data(), 16, 8);
  std::vector<float> hidden(16);
  for (std::size_t i = 0; i < 16; ++i) hidden[i] = static_cast<float>(act(up[i] + b.weights[1][i]));
  auto expected = times_vector(b.weights[2], hidden.data(), 8, 16);
  for (std::size_t i = 0; i < 8; ++i) CHECK(std::fabs(y[i] - expected[i] - b.weights[3][i]) < tolerance);

  bench<bound<gated_mlp<16, Activation>, 8>> g;  // gate, up, down
  const auto z = g.run(x);
  const auto gate = times_vector(g.weights[0], x.data(), 16, 8);
  up = times_vector(g.weights[1], x.data(), 16, 8);
  for (std::size_t i = 0; i < 16; ++i) hidden[i] = static_cast<float>(act(gate[i]) * up[i]);
  expected = times_vector(g.weights[2], hidden.data(), 8, 16);
  for (std::size_t i = 0; i < 8; ++i) CHECK(std::fabs(z[i] - expected[i]) < tolerance);
}

/// One position after another behind a long context, whose parts are looked at apart, gives what one batch gives.
template <std::size_t KvHeads, std::size_t Window>
void check_long_context() {
  CAPTURE(KvHeads);
  CAPTURE(Window);
  using layer = bound<attention<{.heads = 6, .kv_heads = KvHeads, .head_dim = 8, .window = Window}>, 16>;
  constexpr std::size_t positions = 1300, before = 240;
  const auto x = input(positions * 16);
  bench<layer> whole(positions);
  const auto expected = whole.run(x);
  std::vector<float> one_thread;
  for (const std::size_t threads : {1, 3}) {
    bench<layer> b(positions);
    b.run({x.begin(), x.begin() + before * 16});
    std::vector<float> all;
    for (std::size_t i = before; i < positions; ++i) {
      const auto y =
          b.run({x.begin() + static_cast<std::ptrdiff_t>(i) * 16, x.begin() + static_cast<std::ptrdiff_t>(i + 1) * 16},
                threads);
      all.insert(all.end(), y.begin(), y.end());
    }
    // Weighted means of at most `positions` numbers below 1, in f32, and sums of 48 products.
    constexpr double bound = (2 * positions + 64) * 0x1p-24;
    double worst = 0.0;
    for (std::size_t i = 0; i < all.size(); ++i)
      worst = std::max(worst, std::fabs(static_cast<double>(all[i]) - expected[before * 16 + i]));
    CHECK(worst < bound);
    if (threads == 1) {
      one_thread = all;
    } else {
      CHECK(all == one_thread);
    }
  }
}

TEST_CASE("attention over a long context, in parts and whole") {
  check_long_context<1, 0>();
  check_long_context<3, 0>();
  check_long_context<1, 700>();
  check_long_context<2, 300>();
}

TEST_CASE("attention with soft-capped scores, against its equation") {
  bench<bound<attention<{.heads = 2, .kv_heads = 1, .head_dim = 4, .soft_cap = 0.5f}>, 8>> b;  // q, k, v, o
  constexpr std::size_t count = 5;
  const auto x = input(count * 8);
  const auto y = b.run(x);
  std::vector<std::vector<double>> keys;
  std::vector<std::vector<double>> values;
  for (std::size_t i = 0; i < count; ++i) {
    keys.push_back(times_vector(b.weights[1], x.data() + i * 8, 4, 8));
    values.push_back(times_vector(b.weights[2], x.data() + i * 8, 4, 8));
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto q = times_vector(b.weights[0], x.data() + i * 8, 8, 8);
    std::vector<float> mixed(8);
    for (std::size_t h = 0; h < 2; ++h) {
      std::vector<double> weight(i + 1);
      double total = 0.0;
      for (std::size_t j = 0; j <= i; ++j) {
        double score = 0.0;
        for (std::size_t d = 0; d < 4; ++d) score += q[h * 4 + d] * keys[j][d];
        weight[j] = std::exp(0.5 * std::tanh(score / std::sqrt(4.0) / 0.5));
        total += weight[j];
      }
      for (std::size_t j = 0; j <= i; ++j)
        for (std::size_t d = 0; d < 4; ++d) mixed[h * 4 + d] += static_cast<float>(weight[j] / total * values[j][d]);
    }
    const auto expected = times_vector(b.weights[3], mixed.data(), 8, 8);
    for (std::size_t r = 0; r < 8; ++r) CHECK(std::fabs(y[i * 8 + r] - expected[r]) < tolerance);
  }
}

TEST_CASE("interleaved rope is half-split rope with the rows of heads reordered") {
  using half = bound<attention<{.heads = 2, .kv_heads = 2, .head_dim = 8}, rope<>>, 16>;
  using interleaved =
      bound<attention<{.heads = 2, .kv_heads = 2, .head_dim = 8}, rope<{.layout = rope_layout::interleaved}>>, 16>;
  bench<half> a;
  bench<interleaved> b;
  for (const std::size_t matrix : {0, 1})  // q and k
    for (std::size_t h = 0; h < 2; ++h)
      for (std::size_t i = 0; i < 8; ++i) {
        const std::size_t from = h * 8 + i;
        const std::size_t to = h * 8 + (i < 4 ? 2 * i : 2 * (i - 4) + 1);
        std::copy_n(a.weights[matrix].begin() + static_cast<std::ptrdiff_t>(from * 16), 16,
                    b.weights[matrix].begin() + static_cast<std::ptrdiff_t>(to * 16));
      }
  const auto x = input(6 * 16);
  const auto y = a.run(x);
  const auto z = b.run(x);
  bool turned = false;
  for (std::size_t i = 0; i < y.size(); ++i) CHECK(std::fabs(y[i] - z[i]) < tolerance);
  bench<bound<attention<{.heads = 2, .kv_heads = 2, .head_dim = 8}>, 16>> without;
  const auto w = without.run(x);
  for (std::size_t i = 16; i < y.size(); ++i) turned |= std::fabs(w[i] - y[i]) > 1e-2;
  CHECK(turned);
}

TEST_CASE("partial rope leaves the other components alone") {
  using partial = detail::rotary<rope_config{.dim = 4}, 8>;
  static_assert(partial::pairs == 2);
  const auto f = partial::make_frequencies();
  CHECK(f.usual[0] == 1.0f);
  CHECK(f.usual[1] == doctest::Approx(0.01f));  // 10000^(-2/4)
  float head[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  const float cosines[] = {0.0f, 1.0f};
  const float sines[] = {1.0f, 0.0f};
  partial::rotate<kernels::plain>(head, cosines, sines);
  CHECK(std::vector<float>(head, head + 8) == std::vector<float>{-3, 2, 1, 4, 5, 6, 7, 8});
}

TEST_CASE("linear scaling divides positions") {
  const auto plain = detail::rotary<rope_config{}, 8>::make_frequencies();
  const auto scaled = detail::rotary<rope_config{.linear_factor = 8.0f}, 8>::make_frequencies();
  for (std::size_t i = 0; i < 4; ++i) CHECK(scaled.usual[i] * 8.0f == doctest::Approx(plain.usual[i]));
}

TEST_CASE("blocks: pre-norm, sandwich and post-norm, and parts that are absent") {
  using inner = linear<6>;
  using norm = rms_norm<>;
  const auto x = input(6);
  const auto run = [&]<class Branch>(Branch*) {
    bench<Branch> b;
    std::vector<std::byte> scratch(scratch_bytes<Branch>(1) + 4096);
    arena memory(scratch.data(), scratch.size());
    thread_pool pool(1);
    no_state none;
    const sequence_rows s{reinterpret_cast<std::byte*>(&none), 0, 1, 0, 8};
    auto ctx = detail::make_context<kernels::plain>(detail::rotary_list<>{}, workspace{memory, pool}, {&s, 1}, 1);
    std::vector<float> h = x;
    b.layer.apply(ctx, none, rows<6>{h.data(), 1});
    return std::pair{h, b.weights};
  };
  const auto normed = [](const std::vector<float>& v, const std::vector<float>& w) {
    double square = 0.0;
    for (const float e : v) square += static_cast<double>(e) * e / 6.0;
    std::vector<float> out(6);
    for (std::size_t i = 0; i < 6; ++i) out[i] = static_cast<float>(v[i] / std::sqrt(square + 1e-5) * w[i]);
    return out;
  };
  const auto as_floats = [](const std::vector<double>& v) { return std::vector<float>(v.begin(), v.end()); };

  const auto [pre, pre_weights] = run(static_cast<bound<residual<norm, inner>, 6>*>(nullptr));
  auto y = times_vector(pre_weights[1], normed(x, pre_weights[0]).data(), 6, 6);
  for (std::size_t i = 0; i < 6; ++i) CHECK(std::fabs(pre[i] - (x[i] + y[i])) < tolerance);

  const auto [both, both_weights] = run(static_cast<bound<sandwich<norm, inner>, 6>*>(nullptr));
  y = times_vector(both_weights[1], normed(x, both_weights[0]).data(), 6, 6);
  const auto after = normed(as_floats(y), both_weights[2]);
  for (std::size_t i = 0; i < 6; ++i) CHECK(std::fabs(both[i] - (x[i] + after[i])) < tolerance);

  const auto [post, post_weights] = run(static_cast<bound<post_norm<norm, inner>, 6>*>(nullptr));
  y = times_vector(post_weights[0], x.data(), 6, 6);
  std::vector<float> sum(6);
  for (std::size_t i = 0; i < 6; ++i) sum[i] = x[i] + static_cast<float>(y[i]);
  const auto expected = normed(sum, post_weights[1]);
  for (std::size_t i = 0; i < 6; ++i) CHECK(std::fabs(post[i] - expected[i]) < tolerance);

  static_assert(parameter_count<bound<residual<norm, inner>, 6>> == 42);
  static_assert(parameter_count<bound<sandwich<norm, inner>, 6>> == 48);
  static_assert(sizeof(bound<mlp<16, silu>, 8>) < sizeof(bound<mlp<16, silu, true>, 8>), "no bias, no bytes");
}

TEST_CASE("stacks number their blocks through repeats and patterns") {
  using a = branches<residual<rms_norm<>, linear<8>>>;
  using b = branches<residual<rms_norm<>, mlp<4, relu>>>;
  using mixed = detail::stack_at<8, repeat<2, repeat<2, a>, b>, a>;
  static_assert(mixed::block_count == 7);
  mixed stack{};
  std::vector<std::string> paths;
  const auto note = [&](const std::string& path, auto&, const auto&) { paths.push_back(path); };
  for_each_parameter(stack, "blocks", note);
  CHECK(paths.front() == "blocks.0.layer.norm.weight");
  CHECK(paths[5] == "blocks.2.mlp.up.weight");
  CHECK(paths.back() == "blocks.6.layer.weight");

  using letters = detail::stack_at<8, pattern<"aab", kind<'a', a>, kind<'b', b>>>;
  static_assert(letters::block_count == 3);
  static_assert(detail::count_parameters<letters>() == 2 * (8 + 64) + 8 + 2 * 32);
}
