// SPDX-License-Identifier: Apache-2.0
// BERT (Devlin et al. 2018) and what was distilled from it: MiniLM sentence embeddings (Wang et al. 2020; Reimers &
// Gurevych 2019), classifiers.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "inlay/core/join_arrays.hpp"
#include "inlay/layers/absolute_embedding.hpp"
#include "inlay/layers/linear.hpp"
#include "inlay/layers/mlp.hpp"
#include "inlay/layers/norm.hpp"
#include "inlay/layers/residual.hpp"
#include "inlay/layers/self_attention.hpp"
#include "inlay/models/checkpoint_description.hpp"
#include "inlay/models/encoder.hpp"
#include "inlay/models/weight_and_bias.hpp"

namespace inlay::models {

struct bert_config {
  std::size_t vocab = 30522;
  std::size_t width, layers, heads, inner;
  std::size_t positions = 512, token_types = 2;
  float epsilon = 1e-12f;
};

template <bert_config C, class Activation>
using bert_block = branches<
    post_norm<layer_norm<{.epsilon = C.epsilon}>,
              self_attention<{.heads = C.heads, .head_dim = C.width / C.heads, .bias = true, .out_bias = true}>>,
    post_norm<layer_norm<{.epsilon = C.epsilon}>, mlp<C.inner, Activation, true>>>;

namespace detail {

inline constexpr auto bert_rules = join_arrays(
    std::array{
        tensor_rule{"embedding.token.weight", {"bert.embeddings.word_embeddings.weight"}, {"token_embd.weight"}},
        tensor_rule{
            "embedding.position.weight", {"bert.embeddings.position_embeddings.weight"}, {"position_embd.weight"}},
        tensor_rule{"embedding.type.weight", {"bert.embeddings.token_type_embeddings.weight"}, {"token_types.weight"}},
    },
    norm_weight_and_bias<"embedding.norm", "bert.embeddings.LayerNorm", "token_embd_norm">,
    weight_and_bias<"blocks.#.attention.q", "bert.encoder.layer.#.attention.self.query", "blk.#.attn_q">,
    weight_and_bias<"blocks.#.attention.k", "bert.encoder.layer.#.attention.self.key", "blk.#.attn_k">,
    weight_and_bias<"blocks.#.attention.v", "bert.encoder.layer.#.attention.self.value", "blk.#.attn_v">,
    weight_and_bias<"blocks.#.attention.o", "bert.encoder.layer.#.attention.output.dense", "blk.#.attn_output">,
    norm_weight_and_bias<"blocks.#.attention.post_norm", "bert.encoder.layer.#.attention.output.LayerNorm",
                         "blk.#.attn_output_norm">,
    weight_and_bias<"blocks.#.mlp.up", "bert.encoder.layer.#.intermediate.dense", "blk.#.ffn_up">,
    weight_and_bias<"blocks.#.mlp.down", "bert.encoder.layer.#.output.dense", "blk.#.ffn_down">,
    norm_weight_and_bias<"blocks.#.mlp.post_norm", "bert.encoder.layer.#.output.LayerNorm", "blk.#.layer_output_norm">,
    weight_and_bias<"pooler", "bert.pooler.dense", "cls">, weight_and_bias<"classifier", "classifier", "cls.output">);
inline constexpr std::string_view bert_architectures[] = {"bert"};
inline constexpr std::string_view bert_config_types[] = {"bert"};
inline constexpr std::string_view bert_prefixes[] = {""};
// What was learned for other purposes than the type's.
inline constexpr std::string_view bert_known[] = {"bert.embeddings.position_ids",
                                                  "embeddings.position_ids",
                                                  "bert.pooler.dense.*",
                                                  "pooler.dense.*",
                                                  "cls.predictions.*",
                                                  "cls.seq_relationship.*"};

/// How configurations call an activation; checked where it is known.
template <class Activation>
inline constexpr std::string_view hidden_act = "";
template <>
inline constexpr std::string_view hidden_act<gelu_erf> = "gelu|gelu_python";
template <>
inline constexpr std::string_view hidden_act<gelu_tanh> = "gelu_new|gelu_pytorch_tanh|gelu_fast";
template <>
inline constexpr std::string_view hidden_act<relu> = "relu";
template <>
inline constexpr std::string_view hidden_act<silu> = "silu|swish";

/// `pooling_type` of a GGUF.
template <class Pooling, class...>
inline constexpr int gguf_pooling = 0;
template <class... Behind>
inline constexpr int gguf_pooling<mean_pooling, Behind...> = 1;
template <class... Behind>
inline constexpr int gguf_pooling<first_token, Behind...> = 2;

/// The classes that other libraries run them with.
template <class... Head>
inline constexpr std::string_view bert_class = "BertModel";
template <class Classifier>
inline constexpr std::string_view bert_class<every_token, Classifier> = "BertForTokenClassification";
template <class Pooler, class Classifier>
inline constexpr std::string_view bert_class<first_token, Pooler, Classifier> = "BertForSequenceClassification";

}  // namespace detail

/// `Head` is a pooling and the layers behind it.
template <bert_config C, class Activation, class... Head>
struct bert : encoder<{.width = C.width},
                      absolute_embedding<{.vocab = C.vocab, .positions = C.positions, .token_types = C.token_types},
                                         layer_norm<{.epsilon = C.epsilon}>>,
                      repeat<C.layers, bert_block<C, Activation>>, Head...> {
  static constexpr std::array facts{
      checkpoint_fact{"vocab_size", "", double(C.vocab)},
      checkpoint_fact{"hidden_size", "embedding_length", double(C.width)},
      checkpoint_fact{"num_hidden_layers", "block_count", double(C.layers)},
      checkpoint_fact{"num_attention_heads", "attention.head_count", double(C.heads)},
      checkpoint_fact{"intermediate_size", "feed_forward_length", double(C.inner)},
      checkpoint_fact{"max_position_embeddings", "context_length", double(C.positions), false},
      checkpoint_fact{"type_vocab_size", "", double(C.token_types), false},
      checkpoint_fact{"layer_norm_eps", "attention.layer_norm_epsilon", C.epsilon, false},
  };
  static constexpr std::array words{checkpoint_word{"hidden_act", detail::hidden_act<Activation>}};
  static constexpr std::array statements{
      checkpoint_statement{.gguf = "attention.causal", .what = checkpoint_statement::kind::truth, .number = 0},
      checkpoint_statement{.gguf = "tokenizer.ggml.token_type_count", .number = double(C.token_types)},
      checkpoint_statement{.gguf = "pooling_type", .number = detail::gguf_pooling<Head...>},
  };
  static constexpr checkpoint_description checkpoint() {
    return {.config_types = detail::bert_config_types,
            .architectures = detail::bert_architectures,
            .rules = detail::bert_rules,
            .facts = facts,
            .known = detail::bert_known,
            .prefixes = detail::bert_prefixes,
            .prefix = "bert.",
            .words = words,
            .statements = statements,
            .config_class = detail::bert_class<Head...>};
  }
};

/// Sentence embeddings: the mean of the tokens, of length 1.
template <bert_config C, class Activation = gelu_erf>
using bert_embedder = bert<C, Activation, mean_pooling, unit_length>;
/// The same from [CLS] (BGE).
template <bert_config C, class Activation = gelu_erf>
using bert_cls_embedder = bert<C, Activation, first_token, unit_length>;
/// Logits of `Labels` classes for a whole sequence.
template <bert_config C, std::size_t Labels, class Activation = gelu_erf>
using bert_classifier = bert<C, Activation, first_token, named<"pooler", dense<C.width, hyperbolic_tangent>>,
                             named<"classifier", linear<Labels, true>>>;
/// Logits of `Labels` classes for every token.
template <bert_config C, std::size_t Labels, class Activation = gelu_erf>
using bert_token_classifier = bert<C, Activation, every_token, named<"classifier", linear<Labels, true>>>;

inline constexpr bert_config minilm_l6_config{.width = 384, .layers = 6, .heads = 12, .inner = 1536};
inline constexpr bert_config minilm_l12_config{.width = 384, .layers = 12, .heads = 12, .inner = 1536};
inline constexpr bert_config bert_base_config{.width = 768, .layers = 12, .heads = 12, .inner = 3072};

struct all_minilm_l6_v2 : bert_embedder<minilm_l6_config> {};
struct all_minilm_l12_v2 : bert_embedder<minilm_l12_config> {};
struct bge_small_en : bert_cls_embedder<minilm_l12_config> {};
struct bge_base_en : bert_cls_embedder<bert_base_config> {};

}  // namespace inlay::models
