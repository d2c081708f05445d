// SPDX-License-Identifier: Apache-2.0
// Every tiny checkpoint as a GGUF of ours: it states what the reference's file states, and computes the same; and that
// file as a folder, whose config.json says what the published one says. Prints
// the largest difference of each to transformers, relative to the largest logit, as read and as converted. With
// INLAY_CONVERTED in the environment the files are left in that folder (tests/reference/second_judge.py).
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include "inlay/convert/convert.hpp"
#include "inlay/generate/describe_type.hpp"
#include "inlay/io/checkpoint.hpp"
#include "tests/convert/same_config.hpp"
#include "tests/golden/golden_encoder.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/tiny_models.hpp"

namespace {

using namespace inlay;

bool exists(const std::string& path) { return std::ifstream(path).good(); }

checkpoint open(const std::string& path) {
  auto file = open_checkpoint(path);
  REQUIRE_MESSAGE(file.has_value(), file.error().message);
  return *std::move(file);
}

/// Where the files that are made stay.
std::string folder_for_files(const inlay_test::temporary_folder& scratch) {
  const char* kept = std::getenv("INLAY_CONVERTED");
  return kept != nullptr ? kept : scratch.path();
}

template <class Model>
double difference_to(const std::string& path, const std::string& expected) {
  const auto model = detail::load_for<Model, kernels::standard>(open(path), {.threads = 1});
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  const auto e = golden::read_expectation(expected);
  golden::runner run(*model, e.input_ids.size(), 1);
  return golden::difference(run.read(e.input_ids, e.input_ids.size()), e.logits);
}

bool same_value(const gguf_value& a, const gguf_value& b) {
  if (const auto text = a.as<std::string_view>()) return b.as<std::string_view>() == text;
  if (const auto numbers = a.as<gguf_array>()) {
    const auto others = b.as<gguf_array>();
    return others && others->element_type() == numbers->element_type() &&
           std::equal(numbers->bytes().begin(), numbers->bytes().end(), others->bytes().begin(), others->bytes().end());
  }
  const auto x = a.as<double>(), y = b.as<double>();
  if (x && y) return std::fabs(*x - *y) <= 1e-6 * std::fabs(*x);
  return a.as<bool>() && a.as<bool>() == b.as<bool>();
}

/// What the reference says of the architecture we say too. It also has defaults of its own that say nothing.
void check_metadata(const std::string& name, const checkpoint& made) {
  if (!exists(golden::path(name, "model.gguf"))) return;
  const checkpoint reference = open(golden::path(name, "model.gguf"));
  const std::string architecture(*reference.gguf()->get<std::string_view>("general.architecture"));
  for (const gguf_entry& e : reference.gguf()->metadata()) {
    const std::string key(e.key);
    if (!key.starts_with(architecture + ".")) continue;
    if (name.starts_with("nemotron_h") &&  // has neither positions nor an end
        (key.ends_with("rope.dimension_count") || key.ends_with("finetuned") || key.ends_with("context_length")))
      continue;
    if (key == "phi3.rope.scaling.original_context_length" && !name.ends_with("longrope")) continue;
    if (key == "qwen3moe.feed_forward_length") continue;  // of dense layers, which it has none of
    INFO(key);
    const gguf_value* ours = made.gguf()->find(key);
    REQUIRE(ours != nullptr);
    CHECK(same_value(e.value, *ours));
  }
}

/// The GGUF that was made as a folder again: what its config.json says is what the published one says.
template <class Model>
void check_config(const std::string& name, const std::string& made, const std::string& folder) {
  const auto report = convert<Model>(open(made), folder);
  REQUIRE_MESSAGE(report.has_value(), report.error().message);
  const checkpoint published = open(golden::path(name)), back = open(folder);
  const auto theirs = parse_json(published.config(), published.config_path());
  const auto ours = parse_json(back.config(), back.config_path());
  REQUIRE((theirs.has_value() && ours.has_value()));
  inlay_test::check_same_config(*theirs, *ours);
  const auto published_type = describe_type(published, "model"), type = describe_type(back, "model");
  REQUIRE_MESSAGE(type.has_value(), type.error().message);
  CHECK(type->declaration == published_type->declaration);
}

}  // namespace

TEST_CASE("every family") {
  const inlay_test::temporary_folder scratch;
  const std::string folder = folder_for_files(scratch);
  tiny::for_each_decoder([&]<class Model>(const std::string& name) {
    INFO(name);
    const std::string made = folder + "/" + name + ".gguf";
    const auto report = convert<Model>(open(golden::path(name)), made, {.type = file_type::f32});
    REQUIRE_MESSAGE(report.has_value(), report.error().message);
    check_metadata(name, open(made));
    double read = 0.0, converted = 0.0;
    for (const char* expected : {"expected.safetensors", "expected.long.safetensors"}) {
      const std::string path = golden::path(name, expected);
      if (!exists(path)) continue;
      read = std::max(read, difference_to<Model>(golden::path(name), path));
      converted = std::max(converted, difference_to<Model>(made, path));
    }
    CHECK(read <= golden::f32_tolerance);
    CHECK(converted <= golden::f32_tolerance);
    check_config<Model>(name, made, folder + "/" + name);
    std::printf("%s %.1e %.1e\n", name.c_str(), read, converted);
  });
}

TEST_CASE("every encoder") {
  const inlay_test::temporary_folder scratch;
  const std::string folder = folder_for_files(scratch);
  const auto check = [&]<class Model>(const char* name, const char* tensor) {
    INFO(name);
    const golden::encoder_expectation expected(name);
    const auto difference = [&](const std::string& path) {
      const auto model = load_encoder<Model>(path, {.threads = 1});
      REQUIRE_MESSAGE(model.has_value(), model.error().message);
      return golden::difference(golden::run(*model, expected.texts, 1), expected[tensor]);
    };
    const double read = difference(golden::path(name));
    CHECK(read <= golden::f32_tolerance);
    const std::string made = folder + "/" + name + ".gguf";
    const auto report = convert<Model>(open(golden::path(name)), made, {.type = file_type::f32});
    REQUIRE_MESSAGE(report.has_value(), report.error().message);
    check_metadata(name, open(made));
    const double converted = difference(made);
    const auto labels = load_encoder<Model>(golden::path(name))->labels();
    if (!labels.empty()) CHECK(load_encoder<Model>(made)->labels() == labels);
    CHECK(converted <= golden::f32_tolerance);
    check_config<Model>(name, made, folder + "/" + name);
    std::printf("%s %.1e %.1e\n", name, read, converted);
  };
  check.template operator()<tiny::bert_embedding::model>("bert_embedding", "embedding");
  check.template operator()<tiny::bert_classifier::model>("bert_classifier", "logits");
  check.template operator()<tiny::mobilebert_classifier::model>("mobilebert_classifier", "logits");
}
