// SPDX-License-Identifier: Apache-2.0
// The types of checkpoints of Llama's shape: Llama, Qwen2.5, Mistral, Phi-3.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/models/decoder_names.hpp"
#include "inlay/models/describe/type_text.hpp"

namespace inlay::models {

namespace detail {

inline constexpr std::string_view rope_type_key = "rope_scaling.rope_type|rope_scaling.type|rope_parameters.rope_type";

/// The members of llama3_scaling, from config.json; or from a GGUF's divisors, which state them indirectly.
inline initializers describe_llama3_scaling(header_reader& r, float theta, std::size_t dim) {
  initializers out;
  if (!r.header().is_gguf()) {
    if (!r.has_word(rope_type_key, "", "llama3")) return out;
    const auto number = [&](std::string_view name, float usual) {
      return r.real(concat("rope_scaling.", name, "|rope_parameters.", name), "", usual);
    };
    out.unless(1.0f, "factor", number("factor", 1.0f))
        .unless(1.0f, "low_frequency", number("low_freq_factor", 1.0f))
        .unless(4.0f, "high_frequency", number("high_freq_factor", 4.0f))
        .unless(8192.0f, "original_context", number("original_max_position_embeddings", 8192.0f));
    return out;
  }
  const std::vector<float> divisors = r.header().values("rope_freqs.weight");
  const float factor = divisors.empty() ? 1.0f : *std::max_element(divisors.begin(), divisors.end());
  if (factor == 1.0f || divisors.size() != dim / 2) return out;
  for (int power = 5; power <= 20; ++power) {
    const double context = std::ldexp(1.0, power);
    bool same = true;
    for (std::size_t i = 0; i < divisors.size(); ++i) {
      const double wavelength =
          2.0 * 3.14159265358979323846 * std::pow(theta, 2.0 * static_cast<double>(i) / static_cast<double>(dim));
      const double turns = context / wavelength;
      const double kept = std::clamp((turns - 1.0) / 3.0, 0.0, 1.0);
      const double expected = 1.0 / ((1.0 - kept) / factor + kept);
      same = same && std::fabs(divisors[i] - expected) <= 1e-3 * expected;
    }
    if (same)
      return out.add("factor", literal(factor)).unless(8192.0f, "original_context", static_cast<float>(context));
  }
  r.fail_with("The tensor rope_freqs.weight scales the rope in a way that is not known.");
  return out;
}

/// The members of yarn_scaling.
inline initializers describe_yarn(header_reader& r) {
  initializers out;
  if (!r.has_word(rope_type_key, "rope.scaling.type", "yarn")) return out;
  const auto number = [&](std::string_view config, std::string_view gguf, float usual) {
    return r.real(concat("rope_scaling.", config, "|rope_parameters.", config), gguf, usual);
  };
  float magnitude = number("attention_factor", "", 0.0f);
  // Where both scales are stated, the magnitude is the quotient of what they make of the factor; equal ones cancel out.
  const float mscale = number("mscale", "rope.scaling.yarn_log_multiplier", 0.0f);
  const float mscale_all = number("mscale_all_dim", "rope.scaling.yarn_log_multiplier", 0.0f);
  const float factor = number("factor", "rope.scaling.factor", 1.0f);
  if (magnitude == 0.0f && mscale != 0.0f && mscale_all != 0.0f)
    magnitude = (0.1f * mscale * std::log(factor) + 1.0f) / (0.1f * mscale_all * std::log(factor) + 1.0f);
  return out.add("factor", literal(factor))
      .unless(4096.0f, "original_context",
              number("original_max_position_embeddings", "rope.scaling.original_context_length", 4096.0f))
      .unless(32.0f, "beta_fast", number("beta_fast", "rope.scaling.yarn_beta_fast", 32.0f))
      .unless(1.0f, "beta_slow", number("beta_slow", "rope.scaling.yarn_beta_slow", 1.0f))
      .unless(0.0f, "attention_factor", magnitude);
}

/// The members of longrope_scaling.
inline initializers describe_longrope(header_reader& r) {
  initializers out;
  const bool has = r.header().is_gguf()
                       ? r.header().has("", "rope_factors_long.weight")
                       : r.has_word(rope_type_key, "", "longrope") || r.has_word(rope_type_key, "", "su");
  if (!has) return out;
  return out
      .add("original_context",
           literal(r.real("original_max_position_embeddings|rope_parameters.original_max_position_embeddings",
                          "rope.scaling.original_context_length")))
      .add("context", literal(r.real("max_position_embeddings", "context_length")));
}

enum class llama_kin : unsigned char { llama, qwen2, mistral, phi3 };

/// The members of llama_config.
struct described_llama {
  initializers before_window, after_window;
  std::size_t vocab, width, layers, window;
  float epsilon;
  bool tied;

  std::string braces(std::size_t with_window) const {
    initializers all = before_window;
    return all.unless(0, "window", with_window).append(after_window).braces();
  }
};

inline described_llama read_llama(header_reader& r, llama_kin kin) {
  described_llama d{};
  const checkpoint_header& h = r.header();
  d.vocab = r.vocab("embed_tokens.weight");
  d.width = r.whole("hidden_size", "embedding_length");
  d.layers = r.layers("num_hidden_layers", "block_count");
  d.epsilon = r.real("rms_norm_eps", "attention.layer_norm_rms_epsilon");
  d.tied = r.tied();
  const std::size_t heads = std::max<std::size_t>(1, r.whole("num_attention_heads", "attention.head_count"));
  const std::size_t head_dim = r.whole("head_dim", "attention.key_length", d.width / heads);
  const float theta = r.real(rope_theta_key, "rope.freq_base", 10'000.0f);
  const std::size_t dim = r.rotated(head_dim, 1.0f);
  initializers rope;
  rope.unless(10'000.0f, "theta", theta);
  if (dim != head_dim) rope.add("dim", dim);
  if (r.has_word(rope_type_key, "rope.scaling.type", "linear"))
    rope.unless(1.0f, "linear_factor", r.real(rope_factor_key, "rope.scaling.factor"));
  rope.part("llama3", describe_llama3_scaling(r, theta, dim))
      .part("yarn", describe_yarn(r))
      .part("longrope", describe_longrope(r));
  d.before_window.add("vocab", d.vocab)
      .add("width", d.width)
      .add("layers", d.layers)
      .add("heads", heads)
      .add("kv_heads", r.whole("num_key_value_heads", "attention.head_count_kv", heads))
      .add("head_dim", head_dim)
      .add("inner", r.whole("intermediate_size", "feed_forward_length"))
      .part("rope", rope)
      .unless(1e-5f, "epsilon", d.epsilon);

  // Qwen2.5 states a window that is not used, Phi-3 one that is longer than its context unless it has one.
  if (kin != llama_kin::qwen2 && (kin != llama_kin::llama || h.is_gguf()))
    d.window = r.whole("sliding_window", "attention.sliding_window", 0);
  if (kin == llama_kin::phi3 && d.window >= r.whole("max_position_embeddings", "context_length")) d.window = 0;

  const bool out_bias = h.has("layers.0.self_attn.o_proj.bias", "blk.0.attn_output.bias");
  const bool in_bias = h.has("layers.0.self_attn.q_proj.bias", "blk.0.attn_q.bias");
  d.after_window.flag("tied", d.tied)
      .flag("qkv_bias", in_bias && !out_bias && kin != llama_kin::qwen2)
      .flag("attention_bias", out_bias)
      .flag("mlp_bias", h.has("layers.0.mlp.gate_proj.bias", "blk.0.ffn_gate.bias"));
  const float beta =
      r.real("rope_parameters.llama_4_scaling_beta|llama_4_scaling_beta", "attention.temperature_scale", 0.0f);
  if (beta != 0.0f)
    d.after_window.add("temperature_beta", literal(beta))
        .add("temperature_period", literal(r.real("rope_parameters.original_max_position_embeddings",
                                                  "rope.scaling.original_context_length")));
  return d;
}

inline result<std::string> describe_llama_kin(const checkpoint_header& header, std::string_view name, llama_kin kin) {
  constexpr std::string_view templates[] = {"llama", "qwen2", "mistral", "phi3"};
  const std::string_view family = templates[static_cast<std::size_t>(kin)];
  header_reader r(header);
  const described_llama d = read_llama(r, kin);
  const auto types = header.words("layer_types", "");
  const bool mixed = kin == llama_kin::mistral && d.window != 0 && types.size() == d.layers &&
                     std::find(types.begin(), types.end(), "full_attention") != types.end();
  if (!mixed) return described(r, declare(name, concat(family, "<", d.braces(d.window), ">")));
  const std::string window = concat(name, "_window"), full = concat(name, "_full");
  std::vector<std::string> blocks;
  blocks.reserve(types.size());
  for (const std::string& type : types)
    blocks.push_back(concat("inlay::models::llama_block<", type == "full_attention" ? full : window, ">"));
  return described(
      r, concat("inline constexpr inlay::models::llama_config ", window, d.braces(d.window), ";\n",
                "inline constexpr inlay::models::llama_config ", full, d.braces(0), ";\n",
                declare_blocks(name, initializers().add("vocab", d.vocab).add("width", d.width), "", blocks, d.epsilon,
                               d.tied, concat("ministral<", window, ">::checkpoint()"))));
}

}  // namespace detail

inline result<std::string> describe_llama(const checkpoint_header& header, std::string_view name) {
  return detail::describe_llama_kin(header, name, detail::llama_kin::llama);
}
inline result<std::string> describe_qwen2(const checkpoint_header& header, std::string_view name) {
  return detail::describe_llama_kin(header, name, detail::llama_kin::qwen2);
}
inline result<std::string> describe_mistral(const checkpoint_header& header, std::string_view name) {
  return detail::describe_llama_kin(header, name, detail::llama_kin::mistral);
}
inline result<std::string> describe_phi3(const checkpoint_header& header, std::string_view name) {
  return detail::describe_llama_kin(header, name, detail::llama_kin::phi3);
}

}  // namespace inlay::models
