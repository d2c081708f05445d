// SPDX-License-Identifier: Apache-2.0
// MobileBERT (Sun et al. 2020): BERT's depth at a quarter of its parameters, for phones.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "inlay/core/join_arrays.hpp"
#include "inlay/layers/bottleneck.hpp"
#include "inlay/models/bert.hpp"

namespace inlay::models {

struct mobilebert_config {
  std::size_t vocab = 30522, embedding_width = 128;
  std::size_t width = 512, layers = 24;
  std::size_t bottleneck = 128, heads = 4, inner = 512;
  std::size_t positions = 512, token_types = 2;
};

/// Attention and four feed-forward layers at the width of the bottleneck.
template <mobilebert_config C>
using mobilebert_block = bottleneck<{.width = C.bottleneck, .heads = C.heads}, scale_shift,
                                    post_norm<scale_shift, named<"mlp0", mlp<C.inner, relu, true>>>,
                                    post_norm<scale_shift, named<"mlp1", mlp<C.inner, relu, true>>>,
                                    post_norm<scale_shift, named<"mlp2", mlp<C.inner, relu, true>>>,
                                    post_norm<scale_shift, named<"mlp3", mlp<C.inner, relu, true>>>>;

namespace detail {

// There is no other reader of GGUF for these models: the names are ours, after those of BERT.
inline constexpr auto mobilebert_rules = join_arrays(
    std::array{
        tensor_rule{"embedding.token.weight", {"mobilebert.embeddings.word_embeddings.weight"}, {"token_embd.weight"}},
        tensor_rule{"embedding.position.weight",
                    {"mobilebert.embeddings.position_embeddings.weight"},
                    {"position_embd.weight"}},
        tensor_rule{
            "embedding.type.weight", {"mobilebert.embeddings.token_type_embeddings.weight"}, {"token_types.weight"}},
    },
    weight_and_bias<"embedding.transformation", "mobilebert.embeddings.embedding_transformation", "token_embd_proj">,
    weight_and_bias<"embedding.norm", "mobilebert.embeddings.LayerNorm", "token_embd_norm">,
    weight_and_bias<"blocks.#.input", "mobilebert.encoder.layer.#.bottleneck.input.dense", "blk.#.bottleneck_in">,
    weight_and_bias<"blocks.#.input_norm", "mobilebert.encoder.layer.#.bottleneck.input.LayerNorm",
                    "blk.#.bottleneck_in_norm">,
    weight_and_bias<"blocks.#.query_key", "mobilebert.encoder.layer.#.bottleneck.attention.dense",
                    "blk.#.bottleneck_qk">,
    weight_and_bias<"blocks.#.query_key_norm", "mobilebert.encoder.layer.#.bottleneck.attention.LayerNorm",
                    "blk.#.bottleneck_qk_norm">,
    weight_and_bias<"blocks.#.attention.q", "mobilebert.encoder.layer.#.attention.self.query", "blk.#.attn_q">,
    weight_and_bias<"blocks.#.attention.k", "mobilebert.encoder.layer.#.attention.self.key", "blk.#.attn_k">,
    weight_and_bias<"blocks.#.attention.v", "mobilebert.encoder.layer.#.attention.self.value", "blk.#.attn_v">,
    weight_and_bias<"blocks.#.attention.o", "mobilebert.encoder.layer.#.attention.output.dense", "blk.#.attn_output">,
    weight_and_bias<"blocks.#.attention.post_norm", "mobilebert.encoder.layer.#.attention.output.LayerNorm",
                    "blk.#.attn_output_norm">,
    weight_and_bias<"blocks.#.mlp0.up", "mobilebert.encoder.layer.#.ffn.0.intermediate.dense", "blk.#.ffn0_up">,
    weight_and_bias<"blocks.#.mlp0.down", "mobilebert.encoder.layer.#.ffn.0.output.dense", "blk.#.ffn0_down">,
    weight_and_bias<"blocks.#.mlp0.post_norm", "mobilebert.encoder.layer.#.ffn.0.output.LayerNorm", "blk.#.ffn0_norm">,
    weight_and_bias<"blocks.#.mlp1.up", "mobilebert.encoder.layer.#.ffn.1.intermediate.dense", "blk.#.ffn1_up">,
    weight_and_bias<"blocks.#.mlp1.down", "mobilebert.encoder.layer.#.ffn.1.output.dense", "blk.#.ffn1_down">,
    weight_and_bias<"blocks.#.mlp1.post_norm", "mobilebert.encoder.layer.#.ffn.1.output.LayerNorm", "blk.#.ffn1_norm">,
    weight_and_bias<"blocks.#.mlp2.up", "mobilebert.encoder.layer.#.ffn.2.intermediate.dense", "blk.#.ffn2_up">,
    weight_and_bias<"blocks.#.mlp2.down", "mobilebert.encoder.layer.#.ffn.2.output.dense", "blk.#.ffn2_down">,
    weight_and_bias<"blocks.#.mlp2.post_norm", "mobilebert.encoder.layer.#.ffn.2.output.LayerNorm", "blk.#.ffn2_norm">,
    weight_and_bias<"blocks.#.mlp3.up", "mobilebert.encoder.layer.#.intermediate.dense", "blk.#.ffn3_up">,
    weight_and_bias<"blocks.#.mlp3.down", "mobilebert.encoder.layer.#.output.dense", "blk.#.ffn3_down">,
    weight_and_bias<"blocks.#.mlp3.post_norm", "mobilebert.encoder.layer.#.output.LayerNorm", "blk.#.ffn3_norm">,
    weight_and_bias<"blocks.#.output", "mobilebert.encoder.layer.#.output.bottleneck.dense", "blk.#.bottleneck_out">,
    weight_and_bias<"blocks.#.output_norm", "mobilebert.encoder.layer.#.output.bottleneck.LayerNorm",
                    "blk.#.layer_output_norm">,
    weight_and_bias<"pooler", "mobilebert.pooler.dense", "cls">,
    weight_and_bias<"classifier", "classifier", "cls.output">);
inline constexpr std::string_view mobilebert_config_types[] = {"mobilebert"};
inline constexpr std::string_view mobilebert_known[] = {"mobilebert.embeddings.position_ids", "embeddings.position_ids",
                                                        "cls.predictions.*", "cls.seq_relationship.*"};

constexpr checkpoint_statement mobilebert_truth(std::string_view key, bool value) {
  return {.config = key, .what = checkpoint_statement::kind::truth, .number = double(value)};
}

template <class... Head>
inline constexpr std::string_view mobilebert_class = "MobileBertModel";
template <class Classifier>
inline constexpr std::string_view mobilebert_class<first_token, Classifier> = "MobileBertForSequenceClassification";

}  // namespace detail

/// `Head` is a pooling and the layers behind it. The pooled [CLS] is used as it is, as the published checkpoints do
/// ("classifier_activation": false).
template <mobilebert_config C, class... Head>
struct mobilebert
    : encoder<{.width = C.width},
              trigram_embedding<{.vocab = C.vocab, .positions = C.positions, .token_types = C.token_types},
                                C.embedding_width, scale_shift>,
              repeat<C.layers, mobilebert_block<C>>, Head...> {
  static constexpr std::array facts{
      checkpoint_fact{"vocab_size", "vocab_size", double(C.vocab)},
      checkpoint_fact{"embedding_size", "token_embedding_length", double(C.embedding_width)},
      checkpoint_fact{"hidden_size", "embedding_length", double(C.width)},
      checkpoint_fact{"num_hidden_layers", "block_count", double(C.layers)},
      checkpoint_fact{"intra_bottleneck_size", "bottleneck_length", double(C.bottleneck)},
      checkpoint_fact{"num_attention_heads", "attention.head_count", double(C.heads)},
      checkpoint_fact{"intermediate_size", "feed_forward_length", double(C.inner)},
      checkpoint_fact{"num_feedforward_networks", "", 4.0, false},
      checkpoint_fact{"max_position_embeddings", "context_length", double(C.positions), false},
      checkpoint_fact{"type_vocab_size", "", double(C.token_types), false},
  };
  static constexpr std::array words{checkpoint_word{"hidden_act", detail::hidden_act<relu>},
                                    checkpoint_word{"normalization_type", "no_norm"}};
  static constexpr std::array statements{
      checkpoint_statement{.gguf = "attention.causal", .what = checkpoint_statement::kind::truth, .number = 0},
      checkpoint_statement{.gguf = "tokenizer.ggml.token_type_count", .number = double(C.token_types)},
      checkpoint_statement{.gguf = "pooling_type", .number = detail::gguf_pooling<Head...>},
      detail::mobilebert_truth("classifier_activation", false),
      detail::mobilebert_truth("use_bottleneck", true),
      detail::mobilebert_truth("use_bottleneck_attention", false),
      detail::mobilebert_truth("key_query_shared_bottleneck", true),
      detail::mobilebert_truth("trigram_input", true),
      checkpoint_statement{.config = "true_hidden_size", .number = double(C.bottleneck)},
  };
  static constexpr checkpoint_description checkpoint() {
    return {.config_types = detail::mobilebert_config_types,
            .architectures = detail::mobilebert_config_types,
            .rules = detail::mobilebert_rules,
            .facts = facts,
            .known = detail::mobilebert_known,
            .prefixes = detail::bert_prefixes,
            .prefix = "mobilebert.",
            .words = words,
            .statements = statements,
            .config_class = detail::mobilebert_class<Head...>};
  }
};

/// google/mobilebert-uncased, fine-tuned to tell `Labels` classes of sequences apart.
template <std::size_t Labels, mobilebert_config C = mobilebert_config{}>
using mobilebert_classifier = mobilebert<C, first_token, named<"classifier", linear<Labels, true>>>;

}  // namespace inlay::models
