// SPDX-License-Identifier: Apache-2.0
// Conversations through session::reply, on a tiny model that is told to be a Zephyr chat model.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "inlay/generate/load.hpp"
#include "inlay/generate/session.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/kernels/plain.hpp"
#include "inlay/text/chat.hpp"
#include "tests/support/tiny_models.hpp"

namespace {

using model_type = tiny::llama_tied::model;

inlay::language_model load() {
  auto file = inlay::open_checkpoint(std::string(INLAY_TEST_DATA "/models/llama_tied/model.gguf"));
  REQUIRE_MESSAGE(file.has_value(), file.error().message);
  auto model = inlay::detail::load_for<model_type, inlay::kernels::plain>(*std::move(file), {.threads = 1});
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  REQUIRE(model->text() != nullptr);
  return *std::move(model);
}

const inlay::language_model& chat_model() {
  static const inlay::language_model model = [] {
    auto m = load();
    m.set_chat(inlay::any_chat_format(inlay::zephyr_chat{}));
    return m;
  }();
  return model;
}

/// Everything the model should have seen of a conversation whose last message it is answering.
std::vector<inlay::token_id> prompt_of(std::span<const inlay::message> conversation) {
  std::vector<inlay::token_id> ids;
  REQUIRE(inlay::encode_chat(*chat_model().chat(), *chat_model().text(), conversation, 0, ids).has_value());
  return ids;
}

/// As a format with a token of its own for the end of an answer.
struct chat_with_an_end : inlay::zephyr_chat {
  std::span<const std::string_view> stop_names() const noexcept {
    static constexpr std::string_view names[] = {"<s>"};
    return names;
  }
};

const inlay::generate_options three_tokens{.max_tokens = 3, .ignore_model_stops = true};

}  // namespace

TEST_CASE("every turn continues the conversation, as the chat format writes it") {
  inlay::session s(chat_model(), {.context = 1024, .threads = 1, .system = "Be brief."});
  std::string answer = s.reply("Hello!", three_tokens).text();
  CHECK(s.finished() == inlay::finish::max_tokens);
  CHECK(s.metrics().generated_tokens == 3);
  const auto first = prompt_of(s.conversation());
  CHECK(std::equal(first.begin(), first.end(), s.history().begin()));

  s.reply("And </s> now?", three_tokens).text();
  REQUIRE(s.conversation().size() == 4);
  CHECK(s.conversation()[0].role == inlay::chat_role::system);
  CHECK(s.conversation()[2].role == inlay::chat_role::assistant);
  CHECK(s.conversation()[2].content == answer);
  // What a user types is text: the only </s> tokens are those of the format.
  const auto eos = *chat_model().text()->specials().eos;
  CHECK(std::count(s.history().begin(), s.history().end(), eos) == 4);

  // A model that is shown the whole conversation at once sees the same, but for the answer's own tokenization.
  std::vector<inlay::token_id> seen(s.history().begin(),
                                    s.history().begin() + static_cast<std::ptrdiff_t>(first.size()));
  CHECK(seen == first);
}

TEST_CASE("an answer that ends with a stop token is closed once") {
  inlay::session s(chat_model(), {.context = 1024, .threads = 1});
  const auto eos = *chat_model().text()->specials().eos;
  const auto say_eos = [eos](std::span<float> logits) { logits[static_cast<std::size_t>(eos)] = 1e9f; };
  CHECK(s.reply("Hello!", {.on_logits = say_eos}).text().empty());
  CHECK(s.finished() == inlay::finish::stop_token);
  s.reply("Again", three_tokens).text();
  const auto expected = prompt_of(s.conversation());
  CHECK(std::equal(expected.begin(), expected.end(), s.history().begin()));
}

TEST_CASE("a full context drops the oldest turns and keeps the system prompt") {
  inlay::session s(
      chat_model(),
      {.context = 160, .threads = 1, .when_full = inlay::full_context::drop_oldest_turns, .system = "Be brief."});
  bool dropped = false;
  for (int turn = 0; turn < 8; ++turn) {
    const std::size_t before = s.conversation().size();
    s.reply("Question " + std::to_string(turn), three_tokens).text();
    CHECK(s.finished() == inlay::finish::max_tokens);
    CHECK(s.position() <= 160);
    CHECK(s.conversation().front().content == "Be brief.");
    CHECK(s.conversation().back().content == "Question " + std::to_string(turn));
    dropped |= s.conversation().size() <= before;
  }
  CHECK(dropped);
  const auto prompt = prompt_of(s.conversation());
  CHECK(s.position() >= prompt.size());

  // A context that stops says so, and the message that did not fit is taken back.
  inlay::session stops(chat_model(), {.context = 60, .threads = 1});
  stops.reply("Hi", three_tokens).text();
  const std::size_t position = stops.position();
  CHECK(stops.reply(std::string(100, 'x'), three_tokens).text().empty());
  CHECK(stops.finished() == inlay::finish::context_full);
  CHECK(stops.position() == position);
}

TEST_CASE("a conversation that is saved goes on elsewhere, and comes back to a mark") {
  const auto eos = *chat_model().text()->specials().eos;
  const auto say_eos = [eos](std::span<float> logits) { logits[static_cast<std::size_t>(eos)] = 1e9f; };
  for (const bool to_the_end : {false, true}) {
    inlay::session s(chat_model(), {.context = 1024, .threads = 1, .system = "Be brief.", .marks = 1});
    s.reply("Hello!", to_the_end ? inlay::generate_options{.on_logits = say_eos} : three_tokens).text();
    const auto mark = s.mark();
    REQUIRE(mark.has_value());
    const auto saved = s.save();
    REQUIRE(saved.has_value());
    inlay::session other(chat_model(), {.context = 1024, .threads = 1});
    const auto restored = other.restore(saved->bytes());
    REQUIRE_MESSAGE(restored.has_value(), restored.error().message);
    const std::string answer = s.reply("And now?", three_tokens).text();
    CHECK(other.reply("And now?", three_tokens).text() == answer);
    CHECK(std::equal(other.history().begin(), other.history().end(), s.history().begin(), s.history().end()));
    CHECK(other.conversation().front().content == "Be brief.");
    REQUIRE(s.rollback(*mark).has_value());
    CHECK(s.conversation().back().content == "Hello!");
    CHECK(s.reply("And now?", three_tokens).text() == answer);
    CHECK(std::equal(other.history().begin(), other.history().end(), s.history().begin(), s.history().end()));
    CHECK_FALSE(s.rewind(3).has_value());
  }
}

TEST_CASE("a checkpoint without a known chat format says so") {
  auto model = load();
  model.set_chat(std::nullopt);
  inlay::session s(model, {.context = 64, .threads = 1});
  CHECK(s.reply("Hello!").text().empty());
  CHECK(s.finished() == inlay::finish::failed);
  REQUIRE(s.failure().has_value());
  CHECK(s.failure()->message.find("chat format") != std::string::npos);
}

TEST_CASE("reset forgets the conversation") {
  inlay::session s(chat_model(), {.context = 256, .threads = 1});
  const std::string once = s.reply("Hello!", three_tokens).text();
  s.reset();
  CHECK(s.conversation().empty());
  CHECK(s.reply("Hello!", three_tokens).text() == once);
}

TEST_CASE("a format that is set brings its own end of an answer") {
  inlay::language_model model = load();
  const auto end = model.text()->find("<s>");
  REQUIRE(end.has_value());
  const auto ends = [&] { return std::count(model.stop_tokens().begin(), model.stop_tokens().end(), *end); };
  CHECK(ends() == 0);
  const std::size_t others = model.stop_tokens().size();
  model.set_chat(inlay::any_chat_format(inlay::zephyr_chat{}));
  CHECK(model.stop_tokens().size() == others);
  model.set_chat(inlay::custom_chat_format(chat_with_an_end{}));
  model.set_chat(inlay::custom_chat_format(chat_with_an_end{}));
  CHECK(ends() == 1);
  CHECK(model.stop_tokens().size() == others + 1);
}
