// SPDX-License-Identifier: Apache-2.0
// SmolLM2-135M-Instruct against llama.cpp on the same file: the ids of five prompts, and the first 32 greedy tokens.
// Both round activations to 8 bits, each in its own way, so that near ties may fall differently: where the tokens part,
// the gap between the two is compared with what that rounding does to these very logits.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "golden.hpp"
#include "inlay/generate/session.hpp"
#include "inlay/kernels/plain.hpp"
#include "inlay/models/llama.hpp"
#include "tests/support/model.hpp"

namespace {

using model_type = inlay::models::smollm2_135m;

struct prompt {
  std::string question;
  std::vector<inlay::token_id> ids, greedy;
};

std::vector<inlay::token_id> numbers(const std::string& line) {
  std::istringstream stream(line);
  std::vector<inlay::token_id> out;
  for (inlay::token_id id; stream >> id;) out.push_back(id);
  return out;
}

std::vector<prompt> read_prompts() {
  std::ifstream file(INLAY_TEST_DATA "/golden/smollm2_135m.txt");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);)
    if (!line.starts_with('#')) lines.push_back(line);
  std::vector<prompt> out;
  for (std::size_t i = 0; i + 2 < lines.size(); i += 3)
    out.push_back({lines[i], numbers(lines[i + 1]), numbers(lines[i + 2])});
  return out;
}

/// Logits after `history`, from a model's own kernels and f32 caches.
std::vector<float> logits_after(const inlay::language_model& model, const std::vector<inlay::token_id>& history) {
  inlay::session s(model, {.context = history.size(), .kv_type = inlay::dtype::f32});
  REQUIRE(s.read(history).has_value());
  return {s.logits().begin(), s.logits().end()};
}

}  // namespace

TEST_CASE("SmolLM2-135M-Instruct answers as llama.cpp does") {
  const auto path = inlay_test::model("SmolLM2-135M-Instruct.Q4_1.gguf");
  if (!path) return;
  const auto model = inlay::load<model_type>(*path);
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  REQUIRE_MESSAGE(model->text() != nullptr, model->text_error().message);
  REQUIRE(model->chat() != nullptr);
  CHECK(model->facts().unknown_tensors.empty());

  const auto prompts = read_prompts();
  REQUIRE(prompts.size() == 5);
  for (const prompt& p : prompts) {
    INFO(p.question);
    inlay::session s(*model, {.context = 512, .kv_type = inlay::dtype::f32});
    std::vector<inlay::token_id> got;
    static_cast<void>(s.reply(p.question, {.max_tokens = p.greedy.size(),
                                           .ignore_model_stops = true,
                                           .on_token = [&](inlay::token_id id) { return got.push_back(id), true; }})
                          .text());
    REQUIRE(s.position() >= p.ids.size());
    CHECK(std::equal(p.ids.begin(), p.ids.end(), s.history().begin()));

    const auto parted = std::mismatch(got.begin(), got.end(), p.greedy.begin());
    if (parted.first == got.end()) continue;
    std::vector<inlay::token_id> history = p.ids;
    history.insert(history.end(), got.begin(), parted.first);
    const auto ours = logits_after(*model, history);
    auto file = inlay::open_checkpoint(*path);
    REQUIRE(file.has_value());
    const auto exact_model = inlay::detail::load_for<model_type, inlay::kernels::plain>(*std::move(file), {});
    REQUIRE(exact_model.has_value());
    const auto exact = logits_after(*exact_model, history);
    const auto mine = static_cast<std::size_t>(*parted.first);
    const auto theirs = static_cast<std::size_t>(*parted.second);
    const float noise = std::fabs(ours[mine] - exact[mine]) + std::fabs(ours[theirs] - exact[theirs]);
    MESSAGE(p.question << ": parts from llama.cpp at token " << parted.first - got.begin() << ", gap "
                       << ours[mine] - ours[theirs] << ", rounding of activations " << noise << ", gap without it "
                       << exact[mine] - exact[theirs]);
    // Their logits carry a rounding error like ours.
    CHECK(ours[mine] - ours[theirs] <= 2.0f * noise);
  }
}
