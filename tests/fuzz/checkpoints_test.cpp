// SPDX-License-Identifier: Apache-2.0
// Damaged checkpoints and adapters, all the way: a file that is taken is described, and the model
// generates whatever its numbers are.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/generate/describe_type.hpp"
#include "inlay/generate/embedder.hpp"
#include "inlay/generate/load.hpp"
#include "inlay/generate/load_encoder.hpp"
#include "inlay/generate/lora.hpp"
#include "inlay/generate/session.hpp"
#include "tests/fuzz/exercise.hpp"
#include "tests/fuzz/mutate.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/tiny_models.hpp"

namespace {

using namespace inlay;

const std::string checkpoints = INLAY_TEST_DATA "/models/";
const std::vector<token_id> prompt = {5, 80, 100, 33, 7, 60, 12};

void write_file(const std::string& path, std::span<const std::byte> content) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
  REQUIRE(file.good());
}

/// Where the tensors of a GGUF begin: what comes before has more meaning a byte.
std::size_t header_bytes(std::span<const std::byte> file) {
  const auto parsed = gguf_file::parse(file, "whole.gguf");
  REQUIRE(parsed.has_value());
  std::size_t first = file.size();
  for (const gguf_tensor& t : parsed->tensors()) {
    const auto view = parsed->view(t);
    if (view) first = std::min(first, static_cast<std::size_t>(view->data.data() - file.data()));
  }
  return first;
}

void generate_some(const language_model& model) {
  for (const float temperature : {0.0f, 1.0f}) {
    session s(model,
              {.context = 24, .threads = 1, .batch = 5, .sampling = {.temperature = temperature, .top_p = 0.9f}});
    for (const std::string_view piece : s.generate(prompt, {.max_tokens = 3})) CHECK(piece.size() < 1000);
    if (s.failure()) CHECK(s.failure()->message.size() > 4);
  }
}

/// True where the path is still a model of the type.
template <class Model>
bool runs(const std::string& path) {
  if (const auto file = open_checkpoint(path)) {
    fuzz::check(describe_type(*file, "model"));
    fuzz::check(describe_memory(*file));
  }
  const auto model = load<Model>(path, {.threads = 1});
  if (!fuzz::check(model)) return false;
  generate_some(*model);
  return true;
}

/// Damages the header and, more seldom, all of the file.
template <class Reader>
void damage(const std::string& original, const std::string& copy, int rounds, Reader&& read) {
  const fuzz::bytes file = fuzz::read_file(original);
  const auto write_and_read = [&](std::span<const std::byte> content) {
    write_file(copy, content);
    return read(copy);
  };
  const int left = fuzz::survivors(file, rounds, write_and_read, header_bytes(file)) +
                   fuzz::survivors(file, rounds / 2, write_and_read);
  CHECK(left > 0);
  CHECK(left < rounds);
}

TEST_CASE_TEMPLATE_DEFINE("damaged checkpoints are refused or generate", Model, checkpoint_files) {
  const inlay_test::temporary_folder folder;
  damage(checkpoints + tiny::name_of<Model>() + "/model.gguf", folder / "model.gguf", 400, runs<Model>);
}

using llama = tiny::llama_tied::model;
using mamba = tiny::nemotron_h_moe::model;
TEST_CASE_TEMPLATE_INVOKE(checkpoint_files, llama, tiny::qwen3_moe::model, tiny::gemma4_e4b::model,
                          tiny::phi3_longrope::model, tiny::qwen35_multimodal::model, mamba);

TEST_CASE("damaged encoders are refused or embed") {
  const inlay_test::temporary_folder folder;
  damage(checkpoints + "bert_embedding/model.gguf", folder / "model.gguf", 400, [](const std::string& path) {
    const auto model = load_encoder<tiny::bert_embedding::model>(path, {.threads = 1});
    if (!fuzz::check(model)) return false;
    embedder e(*model, {.threads = 1});
    fuzz::check(e.embed("one two"));
    return true;
  });
}

TEST_CASE("damaged config.json files are refused or generate") {
  const inlay_test::temporary_folder folder;
  const std::string original = checkpoints + "nemotron_h_moe/";
  std::filesystem::copy_file(original + "model.safetensors", folder / "model.safetensors");
  const int left = fuzz::survivors(fuzz::read_file(original + "config.json"), 1000, [&](const fuzz::bytes& content) {
    write_file(folder / "config.json", content);
    return runs<mamba>(folder.path());
  });
  CHECK(left > 0);
  CHECK(left < 1000);
}

TEST_CASE("damaged adapters are refused or change the model") {
  const auto model = load<llama>(checkpoints + "llama_tied", {.threads = 1});
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  const auto applies = [&](const std::string& path) {
    const auto adapter = load_lora(*model, path);
    if (!fuzz::check(adapter)) return false;
    session s(*model, {.context = 24, .threads = 1, .batch = 5});
    const active_adapter active[] = {{*adapter, 1.0f}};
    fuzz::check(s.use_adapters(active));
    for (const std::string_view piece : s.generate(prompt, {.max_tokens = 3})) CHECK(piece.size() < 1000);
    return true;
  };
  const inlay_test::temporary_folder folder;
  damage(INLAY_TEST_DATA "/lora/llama_a/adapter.gguf", folder / "adapter.gguf", 1000, applies);

  const std::string original = INLAY_TEST_DATA "/lora/llama_a/";
  std::filesystem::copy_file(original + "adapter_model.safetensors", folder / "adapter_model.safetensors");
  const int left =
      fuzz::survivors(fuzz::read_file(original + "adapter_config.json"), 500, [&](const fuzz::bytes& content) {
        write_file(folder / "adapter_config.json", content);
        return applies(folder.path());
      });
  CHECK(left > 0);
  CHECK(left < 500);
}

}  // namespace
