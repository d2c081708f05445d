// SPDX-License-Identifier: Apache-2.0
// custom_model FOLDER [PROMPT]     continues the prompt
// custom_model FOLDER --check      compares logits with those that PyTorch computed (expected.safetensors)
//
// FOLDER is where train.py wrote the model; the folder of this program has one. The model's type is in tiny_poet.hpp.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <inlay/io/mapped_file.hpp>
#include <inlay/io/safetensors.hpp>
#include <iostream>
#include <string>
#include <string_view>

#include "tiny_poet.hpp"

namespace {

int fail(const inlay::error& why) {
  std::cerr << why << '\n';
  return 1;
}

/// The largest difference of any logit of the prompt's positions, over the largest logit.
inlay::result<double> compare(const inlay::language_model& model, const std::string& path) {
  const auto bytes = inlay::mapped_file::open(path);
  if (!bytes) return inlay::unexpected(bytes.error());
  const auto file = inlay::safetensors_file::parse(bytes->bytes(), path);
  if (!file) return inlay::unexpected(file.error());
  const auto* ids = file->find("input_ids");
  const auto* logits = file->find("logits");
  const std::size_t row = model.vocab() * sizeof(float);
  if (ids == nullptr || logits == nullptr || logits->data.size() != ids->data.size() / sizeof(inlay::token_id) * row)
    return inlay::fail(inlay::errc::format, path + ": needs input_ids [T] and logits [T, vocab].");

  inlay::session session(model, {.context = 256, .kv_type = inlay::dtype::f32});
  double difference = 0.0, largest = 0.0;
  for (std::size_t i = 0; i < ids->data.size() / sizeof(inlay::token_id); ++i) {
    inlay::token_id id = 0;
    std::memcpy(&id, ids->data.data() + i * sizeof id, sizeof id);
    if (auto r = session.read({&id, 1}); !r) return inlay::unexpected(r.error());
    for (std::size_t j = 0; j < model.vocab(); ++j) {
      float expected = 0.0f;
      std::memcpy(&expected, logits->data.data() + i * row + j * sizeof expected, sizeof expected);
      const double here = std::fabs(session.logits()[j] - expected);
      difference = std::isfinite(here) ? std::max(difference, here) : INFINITY;
      largest = std::max(largest, std::fabs(static_cast<double>(expected)));
    }
  }
  return difference / largest;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: custom_model FOLDER [PROMPT | --check]\n";
    return 2;
  }
  const std::string folder = argv[1], argument = argc > 2 ? argv[2] : "Shall I compare thee";
  const auto model = inlay::load<tiny_poet>(folder + "/model.safetensors");
  if (!model) return fail(model.error());

  if (argument == "--check") {
    const auto difference = compare(*model, folder + "/expected.safetensors");
    if (!difference) return fail(difference.error());
    std::cout << "largest difference from PyTorch's logits: " << *difference << " of the largest logit\n";
    return *difference < 1e-4 ? 0 : 1;
  }

  inlay::session poet(*model, {.context = 1024, .sampling = {.temperature = 0.4f}});
  std::cout << argument;
  for (const std::string_view piece : poet.generate(argument, {.max_tokens = 600})) std::cout << piece << std::flush;
  std::cout << '\n';
  if (poet.failure()) return fail(*poet.failure());
}
