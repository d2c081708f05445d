// SPDX-License-Identifier: Apache-2.0
// The types of checkpoints of BERT and MobileBERT. What stands behind the blocks is told by the tensors: a classifier
// of sequences where there are a pooler and a classifier, of tokens without a pooler, otherwise embeddings.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "inlay/models/describe/type_text.hpp"

namespace inlay::models {

inline result<std::string> describe_bert(const checkpoint_header& header, std::string_view name) {
  using namespace detail;
  header_reader r(header);
  initializers members;
  members.unless(30522, "vocab", r.vocab("embeddings.word_embeddings.weight"))
      .add("width", r.whole("hidden_size", "embedding_length"))
      .add("layers", r.layers("num_hidden_layers", "block_count"))
      .add("heads", r.whole("num_attention_heads", "attention.head_count"))
      .add("inner", r.whole("intermediate_size", "feed_forward_length"))
      .unless(512, "positions", r.whole("max_position_embeddings", "context_length", 512))
      .unless(2, "token_types", r.whole("type_vocab_size", "", header.rows("", "token_types.weight")))
      .unless(1e-12f, "epsilon", r.real("layer_norm_eps", "attention.layer_norm_epsilon", 1e-12f));
  std::string_view activation = "";
  if (r.has_word("hidden_act", "", "relu")) activation = ", inlay::relu";
  for (const std::string_view word : {"gelu_new", "gelu_pytorch_tanh", "gelu_fast"})
    if (r.has_word("hidden_act", "", word)) activation = ", inlay::gelu_tanh";
  for (const std::string_view word : {"silu", "swish"})
    if (r.has_word("hidden_act", "", word)) activation = ", inlay::silu";
  const std::size_t labels = header.rows("classifier.weight", "cls.output.weight");
  std::string_view family = "bert_embedder";
  // GGUF's numbers of poolings: 2 is the first token's.
  if (header.number("", "pooling_type") == 2.0) family = "bert_cls_embedder";
  if (labels != 0)
    family = header.has("pooler.dense.weight", "cls.weight") ? "bert_classifier" : "bert_token_classifier";
  const std::string count = labels == 0 ? std::string() : concat(", ", labels);
  return described(r, declare(name, concat(family, "<", members.braces(), count, activation, ">")));
}

inline result<std::string> describe_mobilebert(const checkpoint_header& header, std::string_view name) {
  using namespace detail;
  header_reader r(header);
  if (!header.is_gguf() &&
      (r.whole("num_feedforward_networks", "", 4) != 4 || !r.has_word("normalization_type", "", "no_norm") ||
       !r.flag("use_bottleneck", "") || !r.flag("trigram_input", "") || r.flag("use_bottleneck_attention", "") ||
       !r.flag("key_query_shared_bottleneck", "")))
    r.fail_with("The parts of this MobileBERT are not those of the published ones.");
  initializers members;
  members.unless(30522, "vocab", r.vocab("embeddings.word_embeddings.weight"))
      .unless(128, "embedding_width", r.whole("embedding_size", "token_embedding_length", 128))
      .unless(512, "width", r.whole("hidden_size", "embedding_length"))
      .unless(24, "layers", r.layers("num_hidden_layers", "block_count"))
      .unless(128, "bottleneck", r.whole("intra_bottleneck_size", "bottleneck_length", 128))
      .unless(4, "heads", r.whole("num_attention_heads", "attention.head_count"))
      .unless(512, "inner", r.whole("intermediate_size", "feed_forward_length"))
      .unless(512, "positions", r.whole("max_position_embeddings", "context_length", 512))
      .unless(2, "token_types",
              r.whole("type_vocab_size", "", std::max<std::size_t>(header.rows("", "token_types.weight"), 2)));
  const std::string config = concat("inlay::models::mobilebert_config", members.braces());
  const std::size_t labels = header.rows("classifier.weight", "cls.output.weight");
  if (labels == 0)
    return described(r, declare(name, concat("mobilebert<", config, ", inlay::mean_pooling, inlay::unit_length>")));
  return described(r, declare(name, concat("mobilebert_classifier<", labels, ", ", config, ">")));
}

}  // namespace inlay::models
