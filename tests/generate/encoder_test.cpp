// SPDX-License-Identifier: Apache-2.0
// Embedders and classifiers: texts, tokens, pairs, batches, and what they refuse.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/generate/load_encoder.hpp"
#include "inlay/models/bert.hpp"
#include "inlay/text/normalizer.hpp"
#include "tests/support/tiny_models.hpp"

namespace {

using namespace inlay;
using namespace inlay::models;

constexpr bert_config embedding_config{
    .vocab = 136, .width = 48, .layers = 2, .heads = 4, .inner = 96, .positions = 40};
using embedder_type = bert_embedder<embedding_config>;
using classifier_type = tiny::mobilebert_classifier::model;

/// Enough for the texts below.
struct ascii_forms final : unicode_forms {
  void normalize(form, std::string_view text, std::string& out) const override { out += text; }
  char32_t lower(char32_t code) const noexcept override { return code >= 'A' && code <= 'Z' ? code + 32 : code; }
};
const ascii_forms forms;

template <class Model>
encoder_model open_model(const std::string& name) {
  auto model = load_encoder<Model>(INLAY_TEST_DATA "/models/" + name, {.threads = 1, .text = {.forms = &forms}});
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  return *std::move(model);
}

const std::vector<std::string_view> texts = {"The cat sat on the mat", "a", "", "hello there , how are you today ?",
                                             "one two three four five six seven"};

encoded_text encode(const encoder_model& model, std::string_view text) {
  return {model.text()->encode(text, {.add_special_tokens = true}), {}};
}

float difference(std::span<const float> a, std::span<const float> b) {
  REQUIRE(a.size() == b.size());
  float most = 0.0f;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::fabs(a[i] - b[i]));
  return most;
}

constexpr float tolerance = 1e-5f;  // of numbers of the order of 1

template <class T>
void refused(const result<T>& r, errc code, std::string_view mention) {
  REQUIRE_FALSE(r.has_value());
  INFO(r.error().message);
  CHECK(r.error().code == code);
  CHECK(r.error().message.find(mention) != std::string::npos);
}

}  // namespace

TEST_CASE("embeddings of texts") {
  const encoder_model model = open_model<embedder_type>("bert_embedding");
  REQUIRE_MESSAGE(model.text() != nullptr, model.text_error().message);
  CHECK(model.facts().outputs == 48);
  CHECK(model.facts().max_tokens == 40);
  CHECK(model.labels().empty());

  embedder all(model, {.threads = 1});
  const auto vectors = all.embed(texts);
  REQUIRE_MESSAGE(vectors.has_value(), vectors.error().message);
  REQUIRE(vectors->size() == texts.size());
  CHECK(vectors->width() == all.width());

  // Small batches, other threads, one at a time, by tokens: the same.
  embedder small(model, {.threads = 3, .batch = 1});
  const auto again = small.embed(texts);
  REQUIRE(again.has_value());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    INFO(texts[i]);
    const std::span<const float> v = (*vectors)[i];
    CHECK(cosine(v, v) == doctest::Approx(1.0));
    CHECK(std::inner_product(v.begin(), v.end(), v.begin(), 0.0f) == doctest::Approx(1.0));
    CHECK(difference(v, (*again)[i]) <= tolerance);
    const auto one = all.embed(texts[i]);
    REQUIRE(one.has_value());
    CHECK(difference(v, *one) <= tolerance);
    const auto by_tokens = all.embed_tokens(std::vector{encode(model, texts[i])});
    REQUIRE(by_tokens.has_value());
    CHECK(difference(v, (*by_tokens)[0]) <= tolerance);
  }
  CHECK(difference((*vectors)[0], (*vectors)[1]) > 0.01f);
  CHECK(all.embed(std::span<const std::string_view>())->size() == 0);
}

TEST_CASE("long texts are cut behind their last token that fits") {
  const encoder_model model = open_model<embedder_type>("bert_embedding");
  std::string text;
  for (int i = 0; i < 100; ++i) text += "the cat sat ";
  REQUIRE_MESSAGE(model.text() != nullptr, model.text_error().message);
  const encoded_text whole = encode(model, text);
  REQUIRE(whole.tokens.size() > 100);
  for (const std::size_t most : {std::size_t{40}, std::size_t{7}, std::size_t{2}}) {
    embedder e(model, {.threads = 1, .max_tokens = most == 40 ? 0 : most});
    const auto got = e.embed(text);
    REQUIRE(got.has_value());
    encoded_text cut = whole;
    cut.tokens.resize(most - 1);
    cut.tokens.push_back(whole.tokens.back());
    const auto expected = e.embed_tokens(std::vector{cut});
    REQUIRE(expected.has_value());
    CHECK(difference(*got, (*expected)[0]) <= tolerance);
  }
}

TEST_CASE("classification") {
  const encoder_model model = open_model<classifier_type>("mobilebert_classifier");
  REQUIRE_MESSAGE(model.text() != nullptr, model.text_error().message);
  CHECK(model.labels() == std::vector<std::string>{"negative", "neutral", "positive"});

  classifier exclusive(model, {});
  classifier_options options;
  options.independent_labels = true;
  classifier independent(model, options);
  const auto answers = exclusive.classify(texts);
  const auto apart = independent.classify(texts);
  REQUIRE(answers.has_value());
  REQUIRE(apart.has_value());
  REQUIRE(answers->size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const classification& a = (*answers)[i];
    REQUIRE(a.logits.size() == 3);
    CHECK(a.logits[a.label] == *std::max_element(a.logits.begin(), a.logits.end()));
    float total = 0.0f;
    for (std::size_t l = 0; l < 3; ++l) {
      total += a.probabilities[l];
      CHECK(a.probabilities[l] / a.probabilities[a.label] ==
            doctest::Approx(std::exp(a.logits[l] - a.logits[a.label])));
      CHECK((*apart)[i].probabilities[l] == doctest::Approx(1.0 / (1.0 + std::exp(-a.logits[l]))));
    }
    CHECK(total == doctest::Approx(1.0));
  }
}

TEST_CASE("pairs have segments, and the longer text is cut first") {
  const encoder_model model = open_model<classifier_type>("mobilebert_classifier");
  REQUIRE_MESSAGE(model.text() != nullptr, model.text_error().message);
  classifier c(model, {});
  const auto pair_of = [&](std::string_view first, std::size_t keep_first, std::string_view second,
                           std::size_t keep_second) {
    const encoded_text around = encode(model, "");
    REQUIRE(around.tokens.size() == 2);
    auto a = model.text()->encode(first), b = model.text()->encode(second);
    a.resize(std::min(a.size(), keep_first));
    b.resize(std::min(b.size(), keep_second));
    encoded_text out;
    out.tokens.push_back(around.tokens[0]);
    out.tokens.insert(out.tokens.end(), a.begin(), a.end());
    out.tokens.push_back(around.tokens[1]);
    out.types.assign(out.tokens.size(), 0);
    out.tokens.insert(out.tokens.end(), b.begin(), b.end());
    out.tokens.push_back(around.tokens[1]);
    out.types.resize(out.tokens.size(), 1);
    return out;
  };
  std::string text;
  for (int i = 0; i < 40; ++i) text += "a ";
  const std::vector<text_pair> pairs = {{"the cat", "hello"}, {text, "the cat"}, {"the cat", text}, {text, text}};
  const std::size_t cat = model.text()->encode("the cat").size();
  const std::vector<encoded_text> encoded = {pair_of("the cat", 40, "hello", 40),
                                             pair_of(text, 37 - cat, "the cat", 40),
                                             pair_of("the cat", 40, text, 37 - cat), pair_of(text, 18, text, 19)};
  const auto got = c.classify_pairs(pairs);
  const auto expected = c.classify_tokens(encoded);
  REQUIRE_MESSAGE(got.has_value(), got.error().message);
  REQUIRE_MESSAGE(expected.has_value(), expected.error().message);
  for (std::size_t i = 0; i < pairs.size(); ++i)
    CHECK(difference((*got)[i].logits, (*expected)[i].logits) <= tolerance);
  // Segments matter.
  encoded_text one_segment = encoded[0];
  one_segment.types.clear();
  const auto other = c.classify_tokens(std::vector{one_segment});
  REQUIRE(other.has_value());
  CHECK(difference((*other)[0].logits, (*expected)[0].logits) > 1e-3f);
}

TEST_CASE("what cannot be encoded is refused") {
  const encoder_model model = open_model<embedder_type>("bert_embedding");
  embedder e(model, {.threads = 1});
  const auto embed = [&](encoded_text text) { return e.embed_tokens(std::vector{encoded_text{{2, 3}, {}}, text}); };
  CHECK(embed({{2, 135, 3}, {0, 1, 1}}).has_value());
  refused(embed({{}, {}}), errc::argument, "Text 1 has 0 tokens");
  refused(embed({std::vector<token_id>(41, 5), {}}), errc::argument, "Text 1 has 41 tokens; the model takes 1 to 40.");
  refused(embed({{2, 136, 3}, {}}), errc::argument, "Token 136 of text 1");
  refused(embed({{2, -1, 3}, {}}), errc::argument, "Token -1 of text 1");
  refused(embed({{2, 5, 3}, {0, 2, 0}}), errc::argument, "Token type 2 of text 1");
  refused(embed({{2, 5, 3}, {0}}), errc::argument, "3 tokens, but 1 token types");
}

TEST_CASE("the tokenizer of a GGUF") {
  const encoder_model from_json = open_model<embedder_type>("bert_embedding");
  const encoder_model from_gguf = open_model<embedder_type>("bert_embedding/model.gguf");
  REQUIRE_MESSAGE(from_gguf.text() != nullptr, from_gguf.text_error().message);
  embedder a(from_json, {.threads = 1}), b(from_gguf, {.threads = 1});
  const auto x = a.embed(texts), y = b.embed(texts);
  REQUIRE(x.has_value());
  REQUIRE(y.has_value());
  for (std::size_t i = 0; i < texts.size(); ++i) CHECK(difference((*x)[i], (*y)[i]) <= tolerance);
}

TEST_CASE("without a tokenizer there are only tokens") {
  // It has one, which needs normal forms.
  const auto model = load_encoder<embedder_type>(INLAY_TEST_DATA "/models/bert_embedding", {.threads = 1});
  REQUIRE(model.has_value());
  REQUIRE(model->text() == nullptr);
  embedder e(*model, {.threads = 1});
  refused(e.embed("hello"), model->text_error().code, "normalizes");
  CHECK(e.embed_tokens(std::vector{encoded_text{{2, 7, 3}, {}}}).has_value());
}

TEST_CASE("answers for every token are no embeddings") {
  const encoder_model model = open_model<bert<embedding_config, gelu_erf, every_token>>("bert_embedding");
  CHECK(model.facts().per_token);
  embedder e(model, {.threads = 1});
  refused(e.embed("hello"), errc::unsupported, "every token");
}
