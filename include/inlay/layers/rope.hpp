// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding (Su et al. 2021). Pairs of a head's components are rotated by position * frequency.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace inlay {

enum class rope_layout : std::uint8_t {
  half_split,   ///< pairs (i, i + dim / 2), as Hugging Face's checkpoints
  interleaved,  ///< pairs (2 i, 2 i + 1), as the original formulation
};

/// Llama 3.1's scaling: long wavelengths are divided by `factor`, short ones kept, those between interpolated.
struct llama3_scaling {
  float factor = 1.0f;  ///< 1: off
  float low_frequency = 1.0f;
  float high_frequency = 4.0f;
  float original_context = 8192.0f;
};

struct rope_config {
  float theta = 10'000.0f;
  std::size_t dim = 0;  ///< leading components of a head that are rotated; 0: all
  rope_layout layout = rope_layout::half_split;
  float linear_factor = 1.0f;  ///< positions are divided by this
  llama3_scaling llama3 = {};
};

namespace detail {

template <rope_config Config, std::size_t HeadDim>
struct rotary {
  static constexpr std::size_t dim = Config.dim == 0 ? HeadDim : Config.dim;
  static_assert(dim <= HeadDim && dim % 2 == 0, "inlay: rope dim must be even and no more than the head has");
  static constexpr std::size_t pairs = dim / 2;

  /// Radians a position, per pair, and what sines and cosines are multiplied by.
  struct frequencies {
    std::array<float, pairs> per_position{};
    float magnitude = 1.0f;
  };

  static frequencies make_frequencies() {
    frequencies f;
    for (std::size_t i = 0; i < pairs; ++i) {
      const float exponent = static_cast<float>(2 * i) / static_cast<float>(dim);
      f.per_position[i] = scaled(1.0f / std::pow(Config.theta, exponent)) / Config.linear_factor;
    }
    return f;
  }

  /// What a GGUF states as rope_freqs.weight: by how much scaling divides the frequency of pair i.
  static float divisor(std::size_t i) {
    const float frequency = 1.0f / std::pow(Config.theta, static_cast<float>(2 * i) / static_cast<float>(dim));
    return frequency / scaled(frequency);
  }
  static constexpr bool has_divisors = Config.llama3.factor != 1.0f;

  template <class K>
  static void rotate(float* head, const float* cosines, const float* sines) {
    if constexpr (Config.layout == rope_layout::half_split)
      K::rope_half(head, cosines, sines, pairs, pairs);
    else
      K::rope_interleaved(head, cosines, sines, pairs);
  }

 private:
  static float scaled(float frequency) {
    constexpr llama3_scaling s = Config.llama3;
    if constexpr (s.factor == 1.0f) return frequency;
    const float wavelength = 2.0f * 3.14159265358979324f / frequency;
    if (wavelength < s.original_context / s.high_frequency) return frequency;
    if (wavelength > s.original_context / s.low_frequency) return frequency / s.factor;
    const float smooth = (s.original_context / wavelength - s.low_frequency) / (s.high_frequency - s.low_frequency);
    return (1.0f - smooth) * frequency / s.factor + smooth * frequency;
  }
};

}  // namespace detail

template <rope_config Config = rope_config{}>
struct rope {
  static constexpr rope_config config = Config;
  template <std::size_t HeadDim>
  using at = detail::rotary<Config, HeadDim>;
};

/// Attention without positions.
struct no_rope {};

}  // namespace inlay
