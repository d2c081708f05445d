// SPDX-License-Identifier: Apache-2.0
// BERT and MobileBERT against transformers: sequences of different lengths in one batch.
#include <string>
#include <string_view>
#include <vector>

#include "golden_encoder.hpp"
#include "inlay/generate/load_encoder.hpp"
#include "inlay/kernels/plain.hpp"
#include "inlay/models/bert.hpp"
#include "inlay/models/mobilebert.hpp"

namespace {

using namespace inlay;
using namespace inlay::models;

constexpr bert_config embedding_config{
    .vocab = 136, .width = 48, .layers = 2, .heads = 4, .inner = 96, .positions = 40};
constexpr bert_config classifier_config{
    .vocab = 136, .width = 40, .layers = 2, .heads = 4, .inner = 64, .positions = 40};
constexpr mobilebert_config mobile_config{.vocab = 136,
                                          .embedding_width = 24,
                                          .width = 64,
                                          .layers = 2,
                                          .bottleneck = 32,
                                          .heads = 4,
                                          .inner = 48,
                                          .positions = 40};

using embedder_type = bert_embedder<embedding_config>;
using classifier_type = bert_classifier<classifier_config, 3, gelu_tanh>;
using mobile_type = mobilebert_classifier<3, mobile_config>;

/// What comes before the pooler's use.
template <bert_config C, class Activation>
using hidden_of = bert<C, Activation, every_token>;
using pooled_type = bert<embedding_config, gelu_erf, first_token, named<"pooler", dense<48, hyperbolic_tangent>>>;

/// The model gives `expected` for all texts at once, the same for each by itself, and with any number of threads.
template <class Model, class K>
void check(const std::string& checkpoint, std::string_view name, std::string_view tensor) {
  INFO(checkpoint << " " << tensor);
  auto file = open_checkpoint(checkpoint);
  REQUIRE_MESSAGE(file.has_value(), file.error().message);
  const auto model = inlay::detail::load_encoder_for<Model, K>(*std::move(file), {.threads = 1});
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  const golden::encoder_expectation e(name);
  const std::vector<float> expected = e[tensor];
  const std::vector<float> together = golden::run(*model, e.texts, 1);
  CHECK(golden::difference(together, expected) <= golden::f32_tolerance);
  CHECK(golden::run(*model, e.texts, 3) == together);

  std::vector<float> apart;
  for (const encoded_text& text : e.texts) {
    const std::vector<float> one = golden::run(*model, {text}, 1);
    apart.insert(apart.end(), one.begin(), one.end());
  }
  CHECK(golden::difference(apart, expected) <= golden::f32_tolerance);
}

#define POLICIES kernels::plain, kernels::standard

}  // namespace

TEST_CASE_TEMPLATE("BERT embeddings", K, POLICIES) {
  const std::string gguf = golden::path("bert_embedding", "model.gguf");
  for (const std::string& file : {golden::path("bert_embedding"), gguf}) {
    check<hidden_of<embedding_config, gelu_erf>, K>(file, "bert_embedding", "last_hidden_state");
    check<embedder_type, K>(file, "bert_embedding", "embedding");
  }
  check<pooled_type, K>(golden::path("bert_embedding"), "bert_embedding", "pooler_output");
}

TEST_CASE_TEMPLATE("BERT classifier", K, POLICIES) {
  const std::string file = golden::path("bert_classifier");
  check<hidden_of<classifier_config, gelu_tanh>, K>(file, "bert_classifier", "last_hidden_state");
  check<classifier_type, K>(file, "bert_classifier", "logits");
}

TEST_CASE_TEMPLATE("MobileBERT classifier", K, POLICIES) {
  const std::string file = golden::path("mobilebert_classifier");
  check<mobilebert<mobile_config, every_token>, K>(file, "mobilebert_classifier", "last_hidden_state");
  check<mobilebert<mobile_config, mean_pooling, unit_length>, K>(file, "mobilebert_classifier", "embedding");
  check<mobile_type, K>(file, "mobilebert_classifier", "logits");
}

TEST_CASE("every tensor of a checkpoint is known") {
  const auto unknown = [](const result<encoder_model>& model) {
    REQUIRE_MESSAGE(model.has_value(), model.error().message);
    return model->facts().unknown_tensors;
  };
  CHECK(unknown(load_encoder<embedder_type>(golden::path("bert_embedding"))).empty());
  CHECK(unknown(load_encoder<embedder_type>(golden::path("bert_embedding", "model.gguf"))).empty());
  CHECK(unknown(load_encoder<classifier_type>(golden::path("bert_classifier"))).empty());
  CHECK(unknown(load_encoder<mobile_type>(golden::path("mobilebert_classifier"))).empty());
}

TEST_CASE("other types are refused") {
  const auto refused = [](const result<encoder_model>& model, std::string_view mention) {
    REQUIRE_FALSE(model.has_value());
    INFO(model.error().message);
    CHECK(model.error().code == errc::mismatch);
    CHECK(model.error().message.find(mention) != std::string::npos);
  };
  constexpr bert_config fewer_heads{.vocab = 136, .width = 40, .layers = 2, .heads = 2, .inner = 64, .positions = 40};
  refused(load_encoder<bert_classifier<fewer_heads, 3, gelu_tanh>>(golden::path("bert_classifier")),
          "num_attention_heads is 4");
  refused(load_encoder<bert_classifier<classifier_config, 3, gelu_erf>>(golden::path("bert_classifier")),
          "hidden_act is \"gelu_new\", but the model type has gelu");
  refused(load_encoder<bert_classifier<classifier_config, 4, gelu_tanh>>(golden::path("bert_classifier")),
          "classifier.weight");
  refused(load_encoder<classifier_type>(golden::path("mobilebert_classifier")), "model_type");
}
