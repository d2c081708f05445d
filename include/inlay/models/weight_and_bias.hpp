// SPDX-License-Identifier: Apache-2.0
// Rules for layers that have a weight and a bias under one name, as all of an encoder's.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "inlay/core/fixed_string.hpp"
#include "inlay/models/checkpoint_description.hpp"

namespace inlay::models {

namespace detail {

template <fixed_string... Parts>
struct joined_text {
  static constexpr std::size_t size = (std::size_t{0} + ... + std::string_view(Parts).size());
  static constexpr std::array<char, size> characters = [] {
    std::array<char, size> all{};
    std::size_t at = 0;
    const auto add = [&](std::string_view part) {
      for (const char c : part) all[at++] = c;
    };
    (add(Parts), ...);
    return all;
  }();
  static constexpr std::string_view view{characters.data(), size};
};

/// A name and an ending; nothing for a family that has no such file.
template <fixed_string Name, fixed_string Ending>
inline constexpr std::string_view with_ending =
    std::string_view(Name).empty() ? std::string_view() : joined_text<Name, Ending>::view;

}  // namespace detail

/// NAME.weight and NAME.bias.
template <fixed_string Parameter, fixed_string Safetensors, fixed_string Gguf = "">
inline constexpr std::array weight_and_bias{
    tensor_rule{detail::with_ending<Parameter, ".weight">,
                {detail::with_ending<Safetensors, ".weight">},
                {detail::with_ending<Gguf, ".weight">}},
    tensor_rule{detail::with_ending<Parameter, ".bias">,
                {detail::with_ending<Safetensors, ".bias">},
                {detail::with_ending<Gguf, ".bias">}},
};

/// The same for a norm, which the oldest checkpoints have as NAME.gamma and NAME.beta.
template <fixed_string Parameter, fixed_string Safetensors, fixed_string Gguf = "">
inline constexpr std::array norm_weight_and_bias{
    tensor_rule{detail::with_ending<Parameter, ".weight">,
                {detail::joined_text<Safetensors, ".weight|", Safetensors, ".gamma">::view},
                {detail::with_ending<Gguf, ".weight">}},
    tensor_rule{detail::with_ending<Parameter, ".bias">,
                {detail::joined_text<Safetensors, ".bias|", Safetensors, ".beta">::view},
                {detail::with_ending<Gguf, ".bias">}},
};

}  // namespace inlay::models
