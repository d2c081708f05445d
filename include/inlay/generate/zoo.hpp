// SPDX-License-Identifier: Apache-2.0
// Lists of model types, for programs that are given a checkpoint of whatever model. Expensive to include, as load.hpp.
//
//   using my_zoo = inlay::zoo<inlay::models::smollm2_135m, my_own_model, inlay::small_zoo>;
//   auto opened = inlay::open<my_zoo>(path);
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "inlay/core/error.hpp"
#include "inlay/core/join_arrays.hpp"
#include "inlay/core/type_name.hpp"
#include "inlay/generate/known_model.hpp"
#include "inlay/generate/load.hpp"
#include "inlay/generate/load_checkpoint.hpp"
#include "inlay/generate/open.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/models/checkpoint_description.hpp"
#if !defined(INLAY_LINKED)
#include "inlay/generate/known_model_definitions.hpp"
#endif

namespace inlay {

namespace detail {

template <class Model>
result<void> fits(const checkpoint& file) {
  const auto model = std::make_unique<Model>();
  const auto slots = weight_slots(*model);
  return check_checkpoint(file, describe_checkpoint<Model>(), slots);
}

}  // namespace detail

/// A model type as a value, under the name it has in C++ or another.
template <class Model>
constexpr known_model known(std::string_view name = type_name<Model>()) {
  return {name, describe_checkpoint<Model>(), detail::fits<Model>, detail::load_for<Model, kernels::standard>};
}

namespace detail {

template <class T>
concept list_of_models = requires { typename T::is_zoo; };

template <class T>
constexpr auto models_of() {
  if constexpr (list_of_models<T>)
    return T::models();
  else
    return std::array{known<T>()};
}

template <class T, class F>
constexpr void for_each_model(const F& f) {
  if constexpr (list_of_models<T>)
    T::for_each(f);
  else
    f.template operator()<T>();
}

}  // namespace detail

/// Model types, or other zoos; the first that a checkpoint fits is taken.
template <class... Models>
struct zoo {
  using is_zoo = void;
  /// A std::array of known_model. A function, so that naming the zoo alone compiles no model.
  static constexpr auto models() { return join_arrays<known_model>(detail::models_of<Models>()...); }
  /// f.template operator()<Model>() for each of the types, in the order of models().
  template <class F>
  static constexpr void for_each(const F& f) {
    (detail::for_each_model<Models>(f), ...);
  }
};

template <class Zoo>
result<opened_model> open(std::string_view path, const load_options& options) {
  static constexpr auto models = Zoo::models();
  return detail::open_any(path, models, options);
}

}  // namespace inlay

/// In one translation unit of a program, at namespace scope: makes open<Zoo>() available to all of them.
#define INLAY_INSTANTIATE_ZOO(...)                                                           \
  template ::inlay::result<::inlay::opened_model> inlay::open<__VA_ARGS__>(std::string_view, \
                                                                           const ::inlay::load_options&)
