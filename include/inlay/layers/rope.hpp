// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding (Su et al. 2021). Pairs of a head's components are rotated by position * frequency; models
// that were taught longer contexts afterwards scale the frequencies, each family in its way.
#pragma once

#include <algorithm>
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

/// YaRN (Peng et al. 2023): frequencies that turn less than `beta_slow` times within the original context are divided
/// by `factor`, those that turn more than `beta_fast` times kept, with a ramp between.
struct yarn_scaling {
  float factor = 1.0f;  ///< 1: off
  float original_context = 4096.0f;
  float beta_fast = 32.0f;
  float beta_slow = 1.0f;
  float attention_factor = 0.0f;  ///< of sines and cosines; 0: 0.1 ln(factor) + 1
};

/// LongRoPE (Ding et al. 2024): every frequency has a divisor of its own, one for sequences within the original context
/// and one for longer ones. The divisors come with the checkpoint.
struct longrope_scaling {
  float original_context = 0.0f;  ///< 0: off
  float context = 0.0f;           ///< that the divisors were made for
};

struct rope_config {
  float theta = 10'000.0f;
  std::size_t dim = 0;  ///< leading components of a head that are rotated; 0: all
  rope_layout layout = rope_layout::half_split;
  /// This share of the pairs of the whole head are rotated, the others have frequency 0 (Gemma 4). 1: `dim` decides.
  float proportion = 1.0f;
  float linear_factor = 1.0f;  ///< positions are divided by this
  llama3_scaling llama3 = {};
  yarn_scaling yarn = {};
  longrope_scaling longrope = {};
};

namespace detail {

template <rope_config Config, std::size_t HeadDim>
struct rotary {
  static constexpr rope_config config = Config;
  static constexpr std::size_t dim = Config.dim == 0 ? HeadDim : Config.dim;
  static_assert(dim <= HeadDim && dim % 2 == 0, "inlay: rope dim must be even and no more than the head has");
  static constexpr std::size_t all_pairs = dim / 2;
  static constexpr std::size_t pairs = static_cast<std::size_t>(Config.proportion * static_cast<float>(all_pairs));
  static constexpr bool has_factors = Config.longrope.original_context != 0.0f;
  static constexpr bool has_divisors = Config.llama3.factor != 1.0f || pairs != all_pairs;

  /// Radians a position, per pair.
  using per_position = std::array<float, pairs>;

  struct frequencies {
    per_position usual{};
    per_position beyond{};   ///< of sequences longer than LongRoPE's original context; otherwise not used
    float magnitude = 1.0f;  ///< of sines and cosines

    /// Those of a sequence that may have this many positions.
    const per_position& of(std::size_t context) const {
      return has_factors && static_cast<float>(context) > Config.longrope.original_context ? beyond : usual;
    }
    /// LongRoPE's divisors, [pairs] each.
    void divide(const float* short_factors, const float* long_factors) {
      for (std::size_t i = 0; i < pairs; ++i) {
        beyond[i] = usual[i] / long_factors[i];
        usual[i] /= short_factors[i];
      }
    }
  };

  static frequencies make_frequencies() {
    frequencies f;
    for (std::size_t i = 0; i < pairs; ++i) f.usual[i] = yarn(i, llama3(unscaled(i))) / Config.linear_factor;
    if constexpr (Config.yarn.factor != 1.0f)
      f.magnitude = Config.yarn.attention_factor != 0.0f ? Config.yarn.attention_factor
                                                         : 0.1f * std::log(Config.yarn.factor) + 1.0f;
    if constexpr (has_factors)
      f.magnitude = std::sqrt(1.0f + std::log(Config.longrope.context / Config.longrope.original_context) /
                                         std::log(Config.longrope.original_context));
    return f;
  }

  /// What a GGUF states as rope_freqs.weight: by how much scaling divides the frequency of pair i < dim / 2. Those that
  /// do not turn have a divisor of 1e30.
  static float divisor(std::size_t i) { return i < pairs ? unscaled(i) / llama3(unscaled(i)) : 1e30f; }

  template <class K>
  static void rotate(float* head, const float* cosines, const float* sines) {
    if constexpr (Config.layout == rope_layout::half_split)
      K::rope_half(head, cosines, sines, pairs, dim / 2);
    else
      K::rope_interleaved(head, cosines, sines, pairs);
  }

 private:
  static constexpr float pi = 3.14159265358979324f;

  static float unscaled(std::size_t i) {
    return 1.0f / std::pow(Config.theta, static_cast<float>(2 * i) / static_cast<float>(dim));
  }

  static float llama3(float frequency) {
    constexpr llama3_scaling s = Config.llama3;
    if constexpr (s.factor == 1.0f) return frequency;
    const float wavelength = 2.0f * pi / frequency;
    if (wavelength < s.original_context / s.high_frequency) return frequency;
    if (wavelength > s.original_context / s.low_frequency) return frequency / s.factor;
    const float smooth = (s.original_context / wavelength - s.low_frequency) / (s.high_frequency - s.low_frequency);
    return (1.0f - smooth) * frequency / s.factor + smooth * frequency;
  }

  static float yarn(std::size_t i, float frequency) {
    constexpr yarn_scaling s = Config.yarn;
    if constexpr (s.factor == 1.0f) return frequency;
    // The pair that turns this often within the original context.
    const auto pair_of = [](float turns) {
      return static_cast<float>(dim) * std::log(s.original_context / (2.0f * pi * turns)) /
             (2.0f * std::log(Config.theta));
    };
    const float low = std::max(0.0f, std::floor(pair_of(s.beta_fast)));
    float high = std::min(static_cast<float>(dim - 1), std::ceil(pair_of(s.beta_slow)));
    if (low == high) high += 0.001f;
    const float ramp = std::clamp((static_cast<float>(i) - low) / (high - low), 0.0f, 1.0f);
    return frequency * (1.0f - ramp) + frequency / s.factor * ramp;
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
