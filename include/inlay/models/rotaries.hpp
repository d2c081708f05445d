// SPDX-License-Identifier: Apache-2.0
// The kinds of rotary embedding a model uses, found in its layers, so that a batch's angles are computed once a kind.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <tuple>
#include <type_traits>
#include <vector>

#include "inlay/layers/context.hpp"
#include "inlay/layers/parameter.hpp"
#include "inlay/models/batch.hpp"

namespace inlay::detail {

template <class... Rotaries>
struct rotary_list {};

template <class List, class... More>
struct add_rotaries {
  using type = List;
};
template <class... Have, class First, class... More>
struct add_rotaries<rotary_list<Have...>, First, More...>
    : add_rotaries<std::conditional_t<(std::is_same_v<Have, First> || ...) || std::is_same_v<First, absent>,
                                      rotary_list<Have...>, rotary_list<Have..., First>>,
                   More...> {};
template <class List, class Other>
struct join_rotaries;
template <class List, class... Others>
struct join_rotaries<List, rotary_list<Others...>> : add_rotaries<List, Others...> {};

template <class Layer, class List>
struct collect_rotaries;
/// Folds the layers of a list of children, each with all its own.
template <class List, class... Layers>
struct collect_all {
  using type = List;
};
template <class List, class First, class... More>
struct collect_all<List, First, More...> : collect_all<typename collect_rotaries<First, List>::type, More...> {};

template <class List, class Children>
struct collect_children;
template <class List, class... Children>
struct collect_children<List, tuple<Children...>> : collect_all<List, typename Children::layer...> {};
template <class List, class... Entries>
struct collect_children<List, layer_list<Entries...>> : collect_all<List, typename Entries::layer...> {};

template <class Layer, class List>
struct collect_rotaries {
  static consteval auto own() {
    if constexpr (requires { typename Layer::rotary; })
      return std::type_identity<typename add_rotaries<List, typename Layer::rotary>::type>{};
    else
      return std::type_identity<List>{};
  }
  static consteval auto below() {
    using start = typename decltype(own())::type;
    if constexpr (has_children<Layer>)
      return std::type_identity<typename collect_children<start, decltype(Layer::children())>::type>{};
    else if constexpr (has_repeated<Layer>)
      return std::type_identity<typename collect_children<start, typename Layer::repeated>::type>{};
    else
      return std::type_identity<start>{};
  }
  using type = typename decltype(below())::type;
};

template <class Layer>
using rotaries_of = typename collect_rotaries<Layer, rotary_list<>>::type;

template <class List>
struct frequencies_tuple;
template <class... R>
struct frequencies_tuple<rotary_list<R...>> {
  using type = std::tuple<typename R::frequencies...>;
};
template <class List>
using frequencies_of = typename frequencies_tuple<List>::type;

template <class... R>
std::tuple<typename R::frequencies...> make_frequencies(rotary_list<R...>) {
  return {R::make_frequencies()...};
}

/// The rope divisors of a model's kinds of rotary embedding, for those that have any.
template <class... R>
std::vector<std::vector<float>> rope_divisors(rotary_list<R...>) {
  std::vector<std::vector<float>> all;
  [[maybe_unused]] const auto add = [&]<class Rotary>(Rotary*) {
    if constexpr (Rotary::has_divisors) {
      std::vector<float>& divisors = all.emplace_back();
      for (std::size_t i = 0; i < Rotary::dim / 2; ++i) divisors.push_back(Rotary::divisor(i));
    }
  };
  (add(static_cast<R*>(nullptr)), ...);
  return all;
}

template <class... R>
constexpr std::size_t rotation_bytes(rotary_list<R...>, [[maybe_unused]] std::size_t rows) {
  return (std::size_t{0} + ... + rotation_table<R>::bytes(rows));
}

template <class K, class... R>
context<K, R...> make_context(rotary_list<R...>, workspace w, std::span<const sequence_rows> sequences,
                              std::size_t count) {
  return {.memory = w.memory, .pool = w.pool, .sequences = sequences, .row_count = count, .rotations = {}};
}

/// Angles are computed in f32, position times frequency, as the reference implementations do.
template <class K, class... R>
void fill_rotations(context<K, R...>& ctx, const std::tuple<typename R::frequencies...>& frequencies) {
  [[maybe_unused]] const auto fill = [&]<class Rotary>(rotation_table<Rotary>& table,
                                                       const typename Rotary::frequencies& f) {
    table.cosines = ctx.memory.template take<float>(ctx.row_count * Rotary::pairs);
    table.sines = ctx.memory.template take<float>(ctx.row_count * Rotary::pairs);
    for (const sequence_rows& s : ctx.sequences) {
      const auto& per_position = f.of(s.context);
      for (std::size_t i = 0; i < s.count; ++i) {
        const auto position = static_cast<float>(s.position + i);
        float* cosines = table.cosines + (s.first_row + i) * Rotary::pairs;
        float* sines = table.sines + (s.first_row + i) * Rotary::pairs;
        for (std::size_t j = 0; j < Rotary::pairs; ++j) {
          const float angle = position * per_position[j];
          cosines[j] = std::cos(angle) * f.magnitude;
          sines[j] = std::sin(angle) * f.magnitude;
        }
      }
    }
  };
  (fill(std::get<rotation_table<R>>(ctx.rotations), std::get<typename R::frequencies>(frequencies)), ...);
}

}  // namespace inlay::detail
