// SPDX-License-Identifier: Apache-2.0
// The one file that knows model types and pays for compiling them. To chat with another model, add its type here.
#include "models.hpp"

#include <inlay/generate/known_model.hpp>
#include <inlay/models/llama.hpp>
#include <inlay/models/qwen2.hpp>
#include <inlay/models/qwen3.hpp>
#include <utility>

namespace {

using namespace inlay::models;

constexpr inlay::known_model known_models[] = {
    inlay::known<smollm2_135m>("smollm2-135m"), inlay::known<smollm2_360m>("smollm2-360m"),
    inlay::known<smollm2_1_7b>("smollm2-1.7b"), inlay::known<tinyllama_1_1b>("tinyllama-1.1b"),
    inlay::known<llama3_2_1b>("llama3.2-1b"),   inlay::known<llama3_2_3b>("llama3.2-3b"),
    inlay::known<qwen2_5_0_5b>("qwen2.5-0.5b"), inlay::known<qwen2_5_1_5b>("qwen2.5-1.5b"),
    inlay::known<qwen2_5_3b>("qwen2.5-3b"),     inlay::known<qwen3_0_6b>("qwen3-0.6b"),
    inlay::known<qwen3_1_7b>("qwen3-1.7b"),     inlay::known<qwen3_4b>("qwen3-4b"),
};

}  // namespace

inlay::result<loaded> load_any(const std::string& path, const inlay::load_options& options) {
  auto file = inlay::open_checkpoint(path);
  if (!file) return inlay::unexpected(std::move(file).error());
  const auto type = inlay::find_model(*file, known_models);
  if (!type) return inlay::unexpected(type.error());
  auto model = (*type)->load(*std::move(file), options);
  if (!model) return inlay::unexpected(std::move(model).error());
  return loaded{(*type)->name, *std::move(model)};
}

std::vector<std::string_view> model_types() {
  std::vector<std::string_view> names;
  for (const inlay::known_model& m : known_models) names.push_back(m.name);
  return names;
}
