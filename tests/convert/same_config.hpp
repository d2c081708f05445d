// SPDX-License-Identifier: Apache-2.0
// Whether a config.json that was made says of the model what a published one says.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "inlay/io/json.hpp"

namespace inlay_test {

using inlay::json;

inline bool ends_or_starts(std::string_view key, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](auto p) { return key.starts_with(p) || key.ends_with(p); });
}

/// Keys that do not bear on the logits of a text, or that others stand for.
inline bool says_nothing(std::string_view key) {
  return ends_or_starts(key, {"_token_id",
                              "_token_index",
                              "_config",
                              "dropout",
                              "dropout_prob",
                              "pdrop",
                              "dtype",
                              "mtp_",
                              "time_step_",
                              "architectures",
                              "label2id",
                              "vision_",
                              "projector_",
                              "multimodal_",
                              "spatial_",
                              "mm_tokens",
                              "num_logits",
                              "num_nextn_",
                              "residual_in_",
                              "rescale_",
                              "use_mamba_kernels",
                              "mamba_ssm_cache_dtype",
                              "chunk_size",
                              "expand",
                              "moe_shared_expert_overlap",
                              "cache_implementation",
                              "max_window_layers",
                              "rope_max_length",
                              "use_bidirectional_attention",
                              "mamba_hidden_act",
                              "norm_eps",
                              "classifier_dropout"});
}

/// null, false, 0, "" and empty lists: as good as not stated.
inline bool is_nothing(const json& value) {
  return value.is_null() || value == false || (value.is_number() && value == 0) || value.empty();
}

inline bool same(const json& a, const json& b) {
  if (a.is_number() && b.is_number())
    return std::fabs(a.get<double>() - b.get<double>()) <= 1e-6 * std::fabs(a.get<double>());
  if (a.type() != b.type() || !a.is_structured() || a.size() != b.size()) return a == b;
  if (a.is_array()) return std::equal(a.begin(), a.end(), b.begin(), same);
  for (const auto& [key, value] : a.items())
    if (!b.contains(key) || !same(value, b[key])) return false;
  return true;
}

inline void rename(json& object, const char* from, const char* to) {
  if (!object.contains(from)) return;
  object[to] = object[from];
  object.erase(from);
}

/// One kind of rope, without what goes without saying.
inline json usual_rope(json rope) {
  rename(rope, "type", "rope_type");
  const json usual = {{"rope_type", "default"}, {"beta_fast", 32.0}, {"beta_slow", 1.0}};
  for (const auto& [key, value] : usual.items())
    if (rope.contains(key) && rope[key] == value) rope.erase(key);
  // YaRN with both of 1: sines and cosines of length 1.
  if (rope.contains("mscale") && rope["mscale"] == rope["mscale_all_dim"]) rope["attention_factor"] = 1.0;
  for (const char* key : {"mscale", "mscale_all_dim", "max_position_embeddings"}) rope.erase(key);
  return rope;
}

/// In one spelling of the several that are about: the text model's members, rope in "rope_parameters".
inline json usual_form(json config) {
  if (const auto text = config.find("text_config"); text != config.end()) {
    const json members = *text;
    config.erase("text_config");
    config.update(members);
  }
  json rope = config.value("rope_parameters", json());
  if (!rope.is_object()) rope = json::object();
  if (const auto scaling = config.find("rope_scaling"); scaling != config.end() && scaling->is_object())
    rope.update(*scaling);
  for (const char* key : {"rope_theta", "partial_rotary_factor"})
    if (config.contains(key)) rope[key] = config[key];
  if (rope.value("partial_rotary_factor", 0.0) == 1.0) rope.erase("partial_rotary_factor");
  if (config.contains("rope_local_base_freq"))
    rope = {{"full_attention", rope}, {"sliding_attention", {{"rope_theta", config["rope_local_base_freq"]}}}};
  if (rope.contains("full_attention"))
    for (auto& kind : rope) kind = usual_rope(kind);
  for (const char* key : {"rope_scaling", "rope_theta", "partial_rotary_factor", "rope_local_base_freq"})
    config.erase(key);
  config["rope_parameters"] = usual_rope(rope);

  if (const auto period = config.find("sliding_window_pattern"); period != config.end()) {
    json types = json::array();
    for (int i = 1; i <= config["num_hidden_layers"].get<int>(); ++i)
      types.push_back(i % period->get<int>() == 0 ? "full_attention" : "sliding_attention");
    config["layer_types"] = types;
    config.erase("sliding_window_pattern");
  }
  if (const auto types = config.find("layers_block_type"); types != config.end()) {
    std::string pattern;
    for (const json& type : *types)
      pattern += type == "linear_attention" ? 'M' : type == "full_attention" ? '*' : type == "moe" ? 'E' : '-';
    config["num_hidden_layers"] = pattern.size();
    config["hybrid_override_pattern"] = pattern;
    config.erase("layers_block_type");
  }
  if (const auto layers = config.find("per_layer_config"); layers != config.end()) {
    config["global_head_dim"] = layers->front()["head_dim"];
    config.erase("per_layer_config");
  }
  return config;
}

/// What is stated though the model has nothing that it could be about.
inline bool is_idle(std::string_view key, const json& published, const json& made) {
  if (key == "intermediate_size") return !made.contains(key);
  if (key == "vocab_size_per_layer_input") return is_nothing(made.value("hidden_size_per_layer_input", json()));
  if (key == "sliding_window") return published.value("use_sliding_window", json()) == false;
  if (key == "original_max_position_embeddings") return !published["rope_parameters"].contains("long_factor");
  if (key == "layer_types")
    return std::all_of(published[key].begin(), published[key].end(),
                       [](const json& type) { return type == "full_attention"; });
  if (key == "decoder_sparse_step") return published[key] == 1;
  if (key == "tie_word_embeddings") return !made.contains(key);  // without a head
  return false;
}

/// A feed-forward width as OpenELM's configurations state it: a multiple of the model's, rounded.
inline bool same_openelm_widths(const json& published, const json& made) {
  const auto width = published["model_dim"].get<double>();
  const auto divisor = published["ffn_dim_divisor"].get<double>();
  for (std::size_t i = 0; i < published["ffn_multipliers"].size(); ++i) {
    const double stated = published["ffn_multipliers"][i].get<double>() * width;
    const double rounded = std::max(divisor, std::floor((stated + divisor / 2) / divisor) * divisor);
    if (rounded != made["ffn_multipliers"][i].get<double>() * width) return false;
  }
  return true;
}

inline void check_same_config(json published, json made) {
  published = usual_form(std::move(published));
  made = usual_form(std::move(made));
  if (published.contains("ffn_multipliers")) {
    CHECK(same_openelm_widths(published, made));
    for (const char* key : {"ffn_multipliers", "qkv_multipliers"}) published.erase(key);
  }
  for (const auto& [key, value] : published.items()) {
    if (says_nothing(key)) continue;
    INFO(key);
    const json ours = made.value(key, json());
    CHECK_MESSAGE((same(value, ours) || (is_nothing(value) && is_nothing(ours)) || is_idle(key, published, made)),
                  ours.dump(), " instead of ", value.dump());
  }
}

}  // namespace inlay_test
