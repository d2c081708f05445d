// SPDX-License-Identifier: Apache-2.0
// Published weights against llama.cpp on the same file: prompt ids, and the first tokens that are generated greedily.
// Both round activations to 8 bits, each in its own way, so that near ties may fall differently: where the tokens part,
// the gap between the two is compared with what that rounding does to these very logits.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "golden.hpp"
#include "inlay/generate/session.hpp"
#include "inlay/kernels/plain.hpp"

namespace golden {

struct real_prompt {
  std::string question;
  std::vector<inlay::token_id> ids, greedy;
};

/// Lines: question, prompt ids, generated ids; those that begin with # are comments.
inline std::vector<real_prompt> read_prompts(const std::string& path) {
  const auto numbers = [](const std::string& line) {
    std::istringstream stream(line);
    std::vector<inlay::token_id> out;
    for (inlay::token_id id; stream >> id;) out.push_back(id);
    return out;
  };
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);)
    if (!line.starts_with('#')) lines.push_back(line);
  std::vector<real_prompt> out;
  for (std::size_t i = 0; i + 2 < lines.size(); i += 3)
    out.push_back({lines[i], numbers(lines[i + 1]), numbers(lines[i + 2])});
  return out;
}

/// Logits after `history`, from a model's own kernels and f32 caches.
inline std::vector<float> logits_after(const inlay::language_model& model,
                                       const std::vector<inlay::token_id>& history) {
  inlay::session s(model, {.context = history.size(), .kv_type = inlay::dtype::f32});
  REQUIRE(s.read(history).has_value());
  return {s.logits().begin(), s.logits().end()};
}

/// `ask(session, question, options)` puts a question to the model and returns its answer.
template <class Model, class Ask>
void check_real_weights(const std::string& path, const std::string& prompts, const Ask& ask) {
  const auto model = inlay::load<Model>(path);
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  REQUIRE_MESSAGE(model->text() != nullptr, model->text_error().message);
  CHECK(model->facts().unknown_tensors.empty());

  const auto list = read_prompts(prompts);
  REQUIRE(list.size() == 5);
  for (const real_prompt& p : list) {
    INFO(p.question);
    inlay::session s(*model, {.context = 512, .kv_type = inlay::dtype::f32});
    std::vector<inlay::token_id> got;
    static_cast<void>(
        ask(s, p.question,
            inlay::generate_options{.max_tokens = p.greedy.size(),
                                    .ignore_model_stops = true,
                                    .on_token = [&](inlay::token_id id) { return got.push_back(id), true; }})
            .text());
    REQUIRE(s.position() >= p.ids.size());
    CHECK(std::equal(p.ids.begin(), p.ids.end(), s.history().begin()));
    REQUIRE(got.size() == p.greedy.size());

    const auto parted = std::mismatch(got.begin(), got.end(), p.greedy.begin());
    if (parted.first == got.end()) continue;
    std::vector<inlay::token_id> history = p.ids;
    history.insert(history.end(), got.begin(), parted.first);
    const auto ours = logits_after(*model, history);
    auto file = inlay::open_checkpoint(path);
    REQUIRE(file.has_value());
    const auto exact_model = inlay::detail::load_for<Model, inlay::kernels::plain>(*std::move(file), {});
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

}  // namespace golden
