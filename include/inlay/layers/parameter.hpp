// SPDX-License-Identifier: Apache-2.0
// What a layer is made of. A layer declares its parameters once, as members with static shapes and a list that names
// them; loading, saving, counting and printing all walk that list.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

#include "inlay/core/tuple.hpp"
#include "inlay/kernels/types.hpp"

namespace inlay {

/// A weight matrix [Rows, Columns]: y = W x. How its numbers are stored is a run-time tag.
template <std::size_t Rows, std::size_t Columns>
struct matrix {
  static constexpr std::size_t rows = Rows, columns = Columns, count = Rows * Columns;
  kernels::matrix_ref ref;
};

/// `Size` matrices [Rows, Columns] of the same storage, one after another: the experts of a layer.
template <std::size_t Size, std::size_t Rows, std::size_t Columns>
struct matrix_stack {
  static constexpr std::size_t size = Size, rows = Rows, columns = Columns, count = Size * Rows * Columns;
  kernels::matrix_ref first;
  std::size_t bytes_each = 0;

  kernels::matrix_ref operator[](std::size_t i) const {
    kernels::matrix_ref one = first;
    one.data += i * bytes_each;
    return one;
  }
};

/// A table of Rows vectors [Columns] that is only looked up by row: kept as it is in the checkpoint.
template <std::size_t Rows, std::size_t Columns>
struct table {
  static constexpr std::size_t rows = Rows, columns = Columns, count = Rows * Columns;
  kernels::matrix_ref ref;
};

/// A vector [Size] of float32 (norm weights, biases).
template <std::size_t Size>
struct vector {
  static constexpr std::size_t count = Size;
  const float* data = nullptr;
};

/// What a layer does not have: no member, no bytes, no name.
struct absent {
  static constexpr std::size_t count = 0;
};

template <bool Present, class T>
using optional_parameter = std::conditional_t<Present, T, absent>;

/// An entry of a layer's `parameters()`.
template <class Layer, class Tensor>
struct parameter {
  using tensor = Tensor;
  std::string_view name;  ///< below the layer, e.g. "q.weight"
  Tensor Layer::* member;
  std::size_t head_dim = 0;  ///< rows come in heads of this many, numbers in this many taps; 0: they do not
  bool shared = false;       ///< the same numbers as another parameter of the model (a tied head)
};
template <class Layer, class Tensor>
parameter(std::string_view, Tensor Layer::*) -> parameter<Layer, Tensor>;
template <class Layer, class Tensor>
parameter(std::string_view, Tensor Layer::*, std::size_t) -> parameter<Layer, Tensor>;
template <class Layer, class Tensor>
parameter(std::string_view, Tensor Layer::*, std::size_t, bool) -> parameter<Layer, Tensor>;

/// An entry of a composite layer's `children()`. An empty name adds nothing to the path.
template <class Layer, class Child>
struct child {
  using layer = Child;
  std::string_view name;
  Child Layer::* member;
};
template <class Layer, class Child>
child(std::string_view, Child Layer::*) -> child<Layer, Child>;

/// A composite layer lists its children either with `children()`, or, when they are numbered (a stack of blocks), as
/// `using repeated = layer_list<times<Child, Count>...>` and a static `for_each_child(self, f)` that calls f(name,
/// child).
template <class Layer, std::size_t Count>
struct times {
  using layer = Layer;
  static constexpr std::size_t count = Count;
};
template <class... Entries>
struct layer_list {};

namespace detail {

template <class L>
concept has_parameters = requires { L::parameters(); };
template <class L>
concept has_children = requires { L::children(); };
template <class L>
concept has_repeated = requires { typename L::repeated; };

inline std::string join_path(const std::string& path, std::string_view name) {
  if (path.empty() || name.empty()) return path + std::string(name);
  return path + '.' + std::string(name);
}

/// f.template operator()<Child>(count) for each kind of child a layer has.
template <class Layer, class F>
constexpr void for_each_child_type(const F& f) {
  if constexpr (has_children<Layer>)
    Layer::children().apply(
        [&](const auto&... c) { (f.template operator()<typename std::remove_cvref_t<decltype(c)>::layer>(1), ...); });
  if constexpr (has_repeated<Layer>)
    [&]<class... Entries>(layer_list<Entries...>) {
      (f.template operator()<typename Entries::layer>(Entries::count), ...);
    }(typename Layer::repeated{});
}

}  // namespace detail

/// Calls f(path, tensor, parameter) for every parameter of a layer and of its children, in the order of the forward
/// pass.
template <class Layer, class F>
void for_each_parameter(Layer& layer, const std::string& path, F& f) {
  using type = std::remove_const_t<Layer>;
  if constexpr (detail::has_parameters<type>) {
    const auto visit = [&](const auto& p) {
      if constexpr (!std::is_same_v<typename std::remove_cvref_t<decltype(p)>::tensor, absent>)
        f(detail::join_path(path, p.name), layer.*(p.member), p);
    };
    type::parameters().apply([&](const auto&... p) { (visit(p), ...); });
  }
  const auto descend = [&](std::string_view name, auto& c) { for_each_parameter(c, detail::join_path(path, name), f); };
  if constexpr (detail::has_children<type>)
    type::children().apply([&](const auto&... c) { (descend(c.name, layer.*(c.member)), ...); });
  if constexpr (detail::has_repeated<type>) type::for_each_child(layer, descend);
}

/// Where a model's weights came from, for the few layers to which it makes a difference: they have
/// `loaded_from(origin)`.
enum class weight_origin : unsigned char { safetensors, gguf };

template <class Layer>
void announce_origin(Layer& layer, weight_origin origin) {
  if constexpr (requires { layer.loaded_from(origin); }) layer.loaded_from(origin);
  if constexpr (detail::has_children<Layer>)
    Layer::children().apply([&](const auto&... c) { (announce_origin(layer.*(c.member), origin), ...); });
  if constexpr (detail::has_repeated<Layer>)
    Layer::for_each_child(layer, [origin](std::string_view, auto& c) { announce_origin(c, origin); });
}

/// Rows or columns of a parameter that are `groups` x `each` pieces of `size`, behind `first` others: safetensors have
/// the pieces of a group together, GGUF files the first of every group, then the second of every group, and so on. A
/// layer that is loaded_from() both lists them in a static `turned()`.
struct turned_pieces {
  std::string_view parameter;  ///< below the layer
  std::size_t groups = 1, each = 1, size = 1;
  std::size_t first = 0;
  bool columns = false;

  /// Where in a GGUF what safetensors have at i stands, and the other way round. Of more than all the pieces the next
  /// are alike, as with the taps of a convolution.
  constexpr std::size_t in_gguf(std::size_t i) const { return moved(i, each, groups); }
  constexpr std::size_t in_safetensors(std::size_t i) const { return moved(i, groups, each); }

 private:
  constexpr std::size_t moved(std::size_t i, std::size_t inner, std::size_t outer) const {
    const std::size_t at = i % (first + groups * each * size);
    if (at < first) return i;
    const std::size_t piece = (at - first) / size;
    return i - piece * size + (piece % inner * outer + piece / inner) * size;
  }
};

/// Calls f(path, turned_pieces) for all of them in a layer.
template <class Layer, class F>
void for_each_turned(Layer& layer, const std::string& path, F& f) {
  if constexpr (requires { Layer::turned(); })
    for (const turned_pieces& t : Layer::turned()) f(detail::join_path(path, t.parameter), t);
  const auto descend = [&](std::string_view name, auto& c) { for_each_turned(c, detail::join_path(path, name), f); };
  if constexpr (detail::has_children<Layer>)
    Layer::children().apply([&](const auto&... c) { (descend(c.name, layer.*(c.member)), ...); });
  if constexpr (detail::has_repeated<Layer>) Layer::for_each_child(layer, descend);
}

namespace detail {

/// Whether a layer, or one in it, has weights that mean something else in the other container.
template <class Layer>
consteval bool depends_on_origin() {
  bool any = requires(Layer& l) { l.loaded_from(weight_origin::gguf); };
  for_each_child_type<Layer>([&]<class Child>(std::size_t) { any = any || depends_on_origin<Child>(); });
  return any;
}

template <class Layer>
consteval std::size_t count_parameters() {
  std::size_t sum = 0;
  if constexpr (has_parameters<Layer>)
    Layer::parameters().apply(
        [&](const auto&... p) { ((sum += p.shared ? 0 : std::remove_cvref_t<decltype(p)>::tensor::count), ...); });
  for_each_child_type<Layer>([&]<class Child>(std::size_t count) { sum += count * count_parameters<Child>(); });
  return sum;
}

/// The widest row of any matrix in a layer: the most that its inputs take when they are quantized.
template <class Layer>
consteval std::size_t widest_input() {
  std::size_t widest = 0;
  const auto raise = [&](std::size_t n) { widest = n > widest ? n : widest; };
  if constexpr (has_parameters<Layer>)
    Layer::parameters().apply([&](const auto&... p) {
      const auto look = [&]<class Tensor>(Tensor*) {
        if constexpr (requires { Tensor::columns; }) raise(Tensor::columns);
      };
      (look(static_cast<typename std::remove_cvref_t<decltype(p)>::tensor*>(nullptr)), ...);
    });
  for_each_child_type<Layer>([&]<class Child>(std::size_t) { raise(widest_input<Child>()); });
  return widest;
}

}  // namespace detail

/// Numbers that a layer, and everything in it, learns.
template <class Layer>
inline constexpr std::size_t parameter_count = detail::count_parameters<Layer>();

}  // namespace inlay
