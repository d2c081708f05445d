// SPDX-License-Identifier: Apache-2.0
// A new architecture, and a layer that inlay does not have. train.py defines the same in PyTorch.
#pragma once

#include <algorithm>
#include <cstddef>
#include <inlay/inlay.hpp>
#include <string_view>

/// A recurrent layer instead of attention, minGRU (Feng et al. 2024, "Were RNNs all we needed?"):
///   h[t] = h[t-1] + z (candidate x - h[t-1]), z = sigmoid(gate x)
/// Around it, residual_block does the rest: x + min_gru(norm(x)).
struct min_gru {
  static constexpr std::string_view name = "gru";  // its tensors are blocks.0.gru.gate.weight ...

  template <std::size_t Width>
  struct at {
    static constexpr std::size_t in = Width, out = Width;
    using state = inlay::recurrent_state<Width>;  // what it remembers of a sequence: h
    inlay::matrix<Width, Width> gate, candidate;

    static constexpr auto parameters() {
      return inlay::tuple{inlay::parameter{"gate.weight", &at::gate},
                          inlay::parameter{"candidate.weight", &at::candidate}};
    }
    static constexpr std::size_t scratch_bytes(std::size_t rows) { return inlay::float_bytes(rows * Width); }

    /// y = the layer's output for the rows x, which are tokens of one or several sequences.
    template <class Context>
    void forward(Context& ctx, state& first, inlay::const_rows<Width> x, inlay::rows<Width> y) const {
      using namespace inlay::formula;  // a, b, c: the inputs of a formula, in their order
      const auto z = ctx.take_like(x);
      ctx.linear(x, into(gate, z), into(candidate, y));
      ctx.for_each_sequence(first, [&](state& h, const inlay::sequence_rows& s) {
        for (std::size_t t = s.first_row; t < s.first_row + s.count; ++t) {
          Context::kernel::map(a + sigmoid(b) * (c - a), Width, h.values, h.values, z[t], y[t]);
          std::copy_n(h.values, Width, y[t]);
        }
      });
    }
  };
};

using norm = inlay::rms_norm<{.epsilon = 1e-5f}>;
using mlp = inlay::gated_mlp<96, inlay::silu>;
using recurrent_block = inlay::residual_block<min_gru, mlp, norm>;
using attention_block =
    inlay::residual_block<inlay::attention<{.heads = 3, .head_dim = 16}, inlay::rope<{.theta = 10'000.0f}>>, mlp, norm>;

/// Writes sonnets byte by byte. Two of its blocks remember all of the past in 48 numbers, one looks back.
using tiny_poet = inlay::causal_lm<{.vocab = 256, .width = 48}, recurrent_block, attention_block, recurrent_block, norm,
                                   inlay::tied_head>;

static_assert(tiny_poet::parameter_count == 72'528);
static_assert(tiny_poet::kv_cache_bytes(1024, inlay::dtype::f32) == 2 * 1024 * 48 * 4 + 2 * 48 * 4);
