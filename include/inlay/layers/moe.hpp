// SPDX-License-Identifier: Apache-2.0
// Mixture of experts: a router picks top_k of the experts for every row, and their outputs are added, weighted.
// The rows of a batch are grouped by expert, so that an expert's weights are read once a batch.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "inlay/layers/activation.hpp"
#include "inlay/layers/context.hpp"
#include "inlay/layers/layer.hpp"
#include "inlay/layers/mlp.hpp"

namespace inlay {

enum class moe_router : std::uint8_t {
  softmax,  ///< probabilities over all experts
  sigmoid,  ///< independent scores
};

struct moe_config {
  std::size_t experts = 0;
  std::size_t top_k = 0;
  std::size_t inner = 0;  ///< width of one expert
  moe_router router = moe_router::softmax;
  bool normalise = true;         ///< the chosen weights are divided by their sum
  float scaling = 1.0f;          ///< and multiplied by this
  bool selection_bias = false;   ///< a learned bias is added to the scores for choosing, not for weighing
  bool expert_scale = false;     ///< and every expert's by a learned factor of its own
  std::size_t groups = 1;        ///< experts come in groups, and only those of the best
  std::size_t top_groups = 1;    ///< so many groups, by the sum of their two best scores, are chosen from
  bool gated = true;             ///< experts are down(act(gate x) * up x); otherwise down(act(up x))
  std::size_t shared_inner = 0;  ///< width of an expert that every row passes; 0: none
};

namespace detail {

template <bool Gated, std::size_t Inner, class Activation, std::size_t Width>
struct moe_shared {
  using type = bound<std::conditional_t<Gated, gated_mlp<Inner, Activation>, mlp<Inner, Activation>>, Width>;
};
template <bool Gated, class Activation, std::size_t Width>
struct moe_shared<Gated, 0, Activation, Width> {
  using type = absent;
};

template <moe_config Config, class Activation, std::size_t Width>
struct moe_at {
  static constexpr std::size_t in = Width, out = Width;
  static constexpr bool in_place = true;
  static constexpr std::size_t experts = Config.experts, top_k = Config.top_k, inner = Config.inner;
  static_assert(top_k > 0 && top_k <= experts && inner > 0, "inlay: moe needs .experts >= .top_k > 0 and .inner > 0");
  static constexpr bool has_shared = Config.shared_inner != 0;
  using shared_expert = typename moe_shared<Config.gated, Config.shared_inner, Activation, Width>::type;

  matrix<experts, Width> router;
  [[no_unique_address]] optional_parameter<Config.selection_bias, vector<experts>> selection_bias;
  [[no_unique_address]] optional_parameter<Config.expert_scale, vector<experts>> expert_scale;
  [[no_unique_address]] optional_parameter<Config.gated, matrix_stack<experts, inner, Width>> gate;
  matrix_stack<experts, inner, Width> up;
  matrix_stack<experts, Width, inner> down;
  [[no_unique_address]] shared_expert shared;

  static constexpr auto parameters() {
    using self = moe_at;
    return tuple{parameter{"router.weight", &self::router},       parameter{"router.bias", &self::selection_bias},
                 parameter{"experts.scale", &self::expert_scale}, parameter{"experts.gate.weight", &self::gate},
                 parameter{"experts.up.weight", &self::up},       parameter{"experts.down.weight", &self::down}};
  }
  static constexpr auto children() { return tuple{child{"shared", &moe_at::shared}}; }

  static constexpr std::size_t scratch_bytes(std::size_t rows) {
    const std::size_t routed = rows * top_k;
    return float_bytes(rows * experts) + align_up(routed * sizeof(choice)) +
           align_up((experts + 1) * sizeof(std::size_t)) + align_up(routed * sizeof(std::uint32_t)) +
           align_up(3 * experts * sizeof(product_of)) + float_bytes(routed * Width) +
           align_up(rows * quantized_room(Width)) + align_up(routed * quantized_room(Width)) +
           2 * float_bytes(routed * inner) + align_up(routed * quantized_room(inner)) + float_bytes(routed * Width) +
           inlay::scratch_bytes<shared_expert>(rows);
  }

  template <class Context>
  void forward(Context& ctx, const_rows<Width> x, rows<Width> y) const {
    forward(ctx, x, x, y);
  }

  /// The router may look at other rows than the experts work on.
  template <class Context>
  void forward(Context& ctx, const_rows<Width> routed_by, const_rows<Width> x, rows<Width> y) const {
    using K = typename Context::kernel;
    const arena::frame frame(ctx.memory);
    const std::size_t routed = x.count * top_k;

    const auto scores = ctx.template take_rows<experts>(x.count);
    choice* chosen = ctx.memory.template take<choice>(routed);
    ctx.linear(routed_by, into(router, scores));
    ctx.for_rows(x.count, experts * sizeof(float) * top_k, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) choose<K>(scores[i], chosen + i * top_k);
    });

    // Choices sorted by expert: first[e] is the place of expert e's first row; place[j] that of choice j.
    std::size_t* first = ctx.memory.template take<std::size_t>(experts + 1);
    std::uint32_t* place = ctx.memory.template take<std::uint32_t>(routed);
    std::fill(first, first + experts + 1, std::size_t{0});
    for (std::size_t j = 0; j < routed; ++j) ++first[chosen[j].expert + 1];
    for (std::size_t e = 0; e < experts; ++e) first[e + 1] += first[e];
    for (std::size_t j = 0; j < routed; ++j) place[j] = static_cast<std::uint32_t>(first[chosen[j].expert]++);
    for (std::size_t e = experts; e > 0; --e) first[e] = first[e - 1];
    first[0] = 0;

    product_of* products = ctx.memory.template take<product_of>(3 * experts);
    const kernels::activations gathered = gather(ctx, x, place);
    const auto g = ctx.template take_rows<inner>(routed);
    const auto u = ctx.template take_rows<inner>(routed);
    std::size_t used = 0;
    for (std::size_t e = 0; e < experts; ++e) {
      if (first[e] == first[e + 1]) continue;
      const auto part = slice<K>(gathered, first[e], first[e + 1], x.count == 1);
      if constexpr (Config.gated) products[used++] = {part, {gate[e], nullptr, g[first[e]], inner, false}};
      products[used++] = {part, {up[e], nullptr, u[first[e]], inner, false}};
    }
    kernels::activations hidden{u.data, routed, inner, inner, nullptr, K::form_for(rows_of_expert(x.count))};
    const std::size_t code_bytes = K::quantized_row_bytes(inner);
    std::byte* codes = nullptr;
    if (K::wants_quantized(down.first.type))
      hidden.quantized = codes = ctx.memory.template take<std::byte>(routed * code_bytes);
    const auto outputs = ctx.template take_rows<Width>(routed);
    product_of* const last = products + used;
    std::size_t lasts = 0;
    for (std::size_t e = 0; e < experts; ++e)
      if (first[e] != first[e + 1])
        last[lasts++] = {slice<K>(hidden, first[e], first[e + 1], false),
                         {down[e], nullptr, outputs[first[e]], Width, false}};
    ctx.linear_chosen({products, used}, {last, lasts});
    ctx.for_rows(routed, inner * sizeof(float), [&](std::size_t begin, std::size_t end) {
      const std::size_t n = (end - begin) * inner;
      if constexpr (Config.gated)
        K::map(Activation::of(formula::a) * formula::b, n, u[begin], static_cast<const float*>(g[begin]),
               static_cast<const float*>(u[begin]));
      else
        K::map(Activation::of(formula::a), n, u[begin], static_cast<const float*>(u[begin]));
      if (codes != nullptr)
        K::quantize_rows({u[begin], end - begin, inner, inner, nullptr, hidden.form}, codes + begin * code_bytes);
    });
    ctx.linear_chosen({last, lasts}, {});

    if constexpr (has_shared)
      shared.forward(ctx, x, y);
    else
      std::fill(y.data, y.data + y.count * Width, 0.0f);
    ctx.for_rows(x.count, Width * sizeof(float) * top_k, [&](std::size_t begin, std::size_t end) {
      for (std::size_t j = begin * top_k; j < end * top_k; ++j)
        K::map(formula::a + formula::constant(chosen[j].weight) * formula::b, Width, y[j / top_k],
               static_cast<const float*>(y[j / top_k]), static_cast<const float*>(outputs[place[j]]));
    });
  }

 private:
  struct choice {
    std::uint32_t expert;
    float weight;
  };

  /// How many rows an expert has on average.
  static constexpr std::size_t rows_of_expert(std::size_t count) {
    return std::max<std::size_t>(count * top_k / experts, 1);
  }

  /// The top_k experts of one row, highest score first (the lower index on a tie), and their weights.
  template <class K>
  void choose(float* scores, choice* chosen) const {
    if constexpr (Config.router == moe_router::softmax)
      K::softmax(scores, experts);
    else
      K::map(formula::sigmoid(formula::a), experts, scores, static_cast<const float*>(scores));
    const auto rank = [&](std::size_t e) {
      if constexpr (Config.selection_bias)
        return scores[e] + selection_bias.data[e];
      else
        return scores[e];
    };
    bool taken[experts] = {};
    if constexpr (Config.groups > 1) exclude_groups(rank, taken);
    static_assert(top_k <= experts / Config.groups * Config.top_groups);
    float sum = 0.0f;
    for (std::size_t j = 0; j < top_k; ++j) {
      std::size_t best = 0;
      while (taken[best]) ++best;
      for (std::size_t e = best + 1; e < experts; ++e)
        if (!taken[e] && rank(e) > rank(best)) best = e;
      taken[best] = true;
      chosen[j] = {static_cast<std::uint32_t>(best), scores[best]};
      sum += scores[best];
    }
    const float scale = Config.scaling / (Config.normalise ? sum + 1e-20f : 1.0f);
    for (std::size_t j = 0; j < top_k; ++j) {
      chosen[j].weight *= scale;
      if constexpr (Config.expert_scale) chosen[j].weight *= expert_scale.data[chosen[j].expert];
    }
  }

  /// Marks the experts of all but the best groups.
  template <class Rank>
  static void exclude_groups(const Rank& rank, bool* excluded) {
    constexpr std::size_t size = experts / Config.groups;
    static_assert(experts % Config.groups == 0 && size >= 2 && Config.top_groups <= Config.groups);
    float score[Config.groups];
    for (std::size_t g = 0; g < Config.groups; ++g) {
      float best = -INFINITY;
      float second = -INFINITY;
      for (std::size_t e = g * size; e < (g + 1) * size; ++e) {
        const float r = rank(e);
        second = std::max(second, std::min(best, r));
        best = std::max(best, r);
      }
      score[g] = best + second;
    }
    std::fill(excluded, excluded + experts, true);
    for (std::size_t j = 0; j < Config.top_groups; ++j) {
      const std::size_t g = static_cast<std::size_t>(std::max_element(score, score + Config.groups) - score);
      score[g] = -INFINITY;
      std::fill(excluded + g * size, excluded + (g + 1) * size, false);
    }
  }

  /// The rows of x in the order of their experts, in the form the experts' weights want. One row is every expert's
  /// input.
  template <class Context>
  kernels::activations gather(Context& ctx, const_rows<Width> x, const std::uint32_t* place) const {
    using K = typename Context::kernel;
    kernels::activations all{x.data, x.count, Width, Width, nullptr};
    const bool quantized = K::wants_quantized(up.first.type);
    const bool values = !quantized || !gate_wants_quantized<K>() || ctx.needs_values();
    const std::size_t bytes = K::quantized_row_bytes(Width);
    if (quantized || gate_wants_quantized<K>()) ctx.quantize(all, rows_of_expert(x.count));
    if (x.count == 1) return all;
    kernels::activations sorted{nullptr, x.count * top_k, Width, Width, nullptr, all.form};
    float* floats = values ? ctx.memory.template take<float>(sorted.count * Width) : nullptr;
    std::byte* codes = all.quantized != nullptr ? ctx.memory.template take<std::byte>(sorted.count * bytes) : nullptr;
    ctx.for_rows(sorted.count, Width, [&](std::size_t begin, std::size_t end) {
      for (std::size_t j = begin; j < end; ++j) {
        if (floats != nullptr) std::memcpy(floats + place[j] * Width, x[j / top_k], Width * sizeof(float));
        if (codes != nullptr) std::memcpy(codes + place[j] * bytes, all.quantized + j / top_k * bytes, bytes);
      }
    });
    sorted.values = floats;
    sorted.quantized = codes;
    return sorted;
  }

  template <class K>
  bool gate_wants_quantized() const {
    if constexpr (Config.gated)
      return K::wants_quantized(gate.first.type);
    else
      return K::wants_quantized(up.first.type);
  }

  template <class K>
  static kernels::activations slice(kernels::activations x, std::size_t begin, std::size_t end, bool same_row) {
    x.count = end - begin;
    if (same_row) return x;
    if (x.values != nullptr) x.values += begin * x.stride;
    if (x.quantized != nullptr) x.quantized += begin * K::quantized_row_bytes(x.columns);
    return x;
  }
};

}  // namespace detail

template <moe_config Config, class Activation>
struct moe {
  static constexpr std::string_view name = "mlp";
  template <std::size_t Width>
  using at = detail::moe_at<Config, Activation, Width>;
};

}  // namespace inlay
