// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <CLI/CLI.hpp>

std::variant<options, int> parse(int argc, char** argv, const std::vector<std::string_view>& model_types) {
  options o;
  o.session.sampling = {.temperature = 0.2f, .top_p = 0.9f};
  inlay::sampling& sampling = o.session.sampling;

  CLI::App app("Chats with a language model. Ctrl-C stops an answer; Ctrl-D, or Ctrl-C once more, ends the chat.");
  app.option_defaults()->always_capture_default();
  app.add_option("model", o.model, "GGUF file, or folder or file of safetensors")->required();
  app.add_option("-p,--prompt", o.prompt, "Answer this and end, instead of a conversation");
  app.add_option("-s,--system", o.session.system, "System prompt, instead of the model's own");

  app.add_option(
      "--template", o.chat_template,
      "How conversations are written: auto, checkpoint (its own Jinja template, as it is), or a file with one");

  const std::string picking = "Picking tokens";
  app.add_option("-t,--temperature", sampling.temperature, "Higher is more varied, 0 always the likeliest token")
      ->check(CLI::Range(0.0, 100.0))
      ->group(picking);
  app.add_option("--top-k", sampling.top_k, "Only the K likeliest tokens, 0: all")->group(picking);
  app.add_option("--top-p", sampling.top_p, "Only the likeliest tokens that together have this probability")
      ->check(CLI::Range(0.0, 1.0))
      ->group(picking);
  app.add_option("--min-p", sampling.min_p, "Only tokens this many times as probable as the likeliest")
      ->check(CLI::Range(0.0, 1.0))
      ->group(picking);
  app.add_option("--repeat-penalty", sampling.repeat_penalty, "Makes recent tokens less likely, 1: does not")
      ->check(CLI::PositiveNumber)
      ->group(picking);
  app.add_option("--seed", sampling.seed, "The same seed gives the same answers")->group(picking);

  const std::string running = "Running";
  app.add_option("-n,--max-tokens", o.generation.max_tokens, "Longest answer")
      ->default_str("as the context allows")
      ->group(running);
  app.add_option("-c,--context", o.session.context, "Tokens the model can look back on")
      ->check(CLI::Range(1, 1 << 24))
      ->group(running);
  std::string when_full = "drop";
  app.add_option("--when-full", when_full, "When the context is full, end the answer or drop the oldest turns")
      ->check(CLI::IsMember({"stop", "drop"}))
      ->group(running);
  std::vector<std::string> kv_types;
  for (const inlay::dtype type : inlay::cache_types) kv_types.emplace_back(name(type));
  std::string kv_type(name(o.session.kv_type));
  app.add_option("--kv-type", kv_type, "Storage of keys and values")
      ->check(CLI::IsMember(kv_types, CLI::ignore_case))
      ->group(running);
  app.add_option("--threads", o.session.threads, "0: one for each CPU")->check(CLI::Range(0, 1024))->group(running);
  app.add_flag("--stats", o.stats, "Print speed, load time and peak memory on standard error")->group(running);

  std::string footer = "Model types:";
  for (const std::string_view type : model_types) footer.append(" ").append(type);
  app.footer(footer + "\n");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e);
  }
  if (when_full == "drop") o.session.when_full = inlay::full_context::drop_oldest_turns;
  for (const inlay::dtype type : inlay::cache_types)
    if (name(type) == kv_type) o.session.kv_type = type;
  return o;
}
