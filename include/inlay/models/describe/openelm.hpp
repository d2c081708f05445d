// SPDX-License-Identifier: Apache-2.0
// The types of checkpoints of OpenELM.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/models/describe/type_text.hpp"
#include "inlay/models/openelm.hpp"

namespace inlay::models {

inline result<std::string> describe_openelm(const checkpoint_header& header, std::string_view name) {
  using namespace detail;
  header_reader r(header);
  const std::size_t layers = r.layers("num_transformer_layers", "block_count");
  const std::size_t width = r.whole("model_dim", "embedding_length");
  const auto heads = r.each("num_query_heads", "attention.head_count", layers);
  const auto kv_heads = r.each("num_kv_heads", "attention.head_count_kv", layers);
  // config.json states multiples of the width.
  std::vector<std::size_t> inner;
  const std::vector<double> multipliers = header.numbers("ffn_multipliers", "");
  if (header.is_gguf()) {
    inner = r.each("", "feed_forward_length", layers);
  } else if (multipliers.size() == layers) {
    const std::size_t divisor = std::max<std::size_t>(1, r.whole("ffn_dim_divisor", "", 256));
    for (const double m : multipliers) {
      if (!(m > 0.0 && m < 1000.0)) r.fail_with("The file's ffn_multipliers are not sizes.");
      inner.push_back(r.failure() ? 1 : make_divisible(m * static_cast<double>(width), divisor));
    }
  } else {
    r.fail_with("The file does not state ffn_multipliers for each layer.");
  }
  inner.resize(layers, 1);
  initializers members;
  members.add("vocab", r.vocab("token_embeddings.weight"))
      .add("width", width)
      .add("head_dim", r.whole("head_dim", "attention.key_length"))
      .unless(10'000.0f, "theta", r.real("rope_freq_constant", "rope.freq_base", 10'000.0f))
      .unless(1e-6f, "epsilon", r.real("", "attention.layer_norm_rms_epsilon", 1e-6f));
  std::string list;
  for (std::size_t i = 0; i < layers; ++i)
    list +=
        concat(i == 0 ? "" : ", ", "inlay::models::openelm_layer{", heads[i], ", ", kv_heads[i], ", ", inner[i], "}");
  return described(r, declare(name, concat("openelm<", members.braces(), ", std::array{", list, "}>")));
}

}  // namespace inlay::models
