// SPDX-License-Identifier: Apache-2.0
// A conversation with a model: chat MODEL; or one answer: chat MODEL --prompt TEXT. Answers go to standard output, all
// else to standard error.

#include <cstdio>
#include <iostream>
#include <string>
#include <utility>

#include "../support/terminal.hpp"
#include "models.hpp"
#include "options.hpp"
#include "template.hpp"

namespace {

using clock_type = std::chrono::steady_clock;

double seconds_since(clock_type::time_point t) { return std::chrono::duration<double>(clock_type::now() - t).count(); }

int fail(const inlay::error& why) {
  std::cerr << why << '\n';
  return 1;
}

void print_rate(const char* what, std::size_t tokens, double seconds) {
  std::fprintf(stderr, "%-8s %6zu tokens %9.1f tokens/s\n", what, tokens,
               seconds > 0.0 ? static_cast<double>(tokens) / seconds : 0.0);
}

class conversation {
 public:
  conversation(const inlay::language_model& model, const options& o) : options_(o), session_(model, o.session) {
    answering = &session_;
  }

  /// Prints the answer and returns the program's exit code.
  int answer(const std::string& text) {
    const std::size_t before = session_.position();
    for (const std::string_view piece : session_.reply(text, options_.generation)) std::cout << piece << std::flush;
    std::cout << std::endl;
    if (session_.failure()) return fail(*session_.failure());
    const inlay::session_metrics& m = session_.metrics();
    // The last token is read with the next prompt.
    note(session_.position() + 1 < before + m.prompt_tokens + m.generated_tokens);
    if (options_.stats) {
      print_rate("prompt", m.prompt_tokens, m.prompt_seconds);
      print_rate("answer", m.generated_tokens, m.generate_seconds);
    }
    return 0;
  }

  /// Lines of standard input, each a turn, until it ends.
  int run() {
    if (session_.failure()) return fail(*session_.failure());
    const bool prompts = terminal::input_is_terminal();
    bool interrupted = false;  // by a Ctrl-C since the last line
    using input = terminal::line_reader::input;
    for (std::string line;;) {
      if (prompts) std::cout << "> " << std::flush;
      const input got = lines_.read(line);
      if (prompts && got != input::line) std::cout << '\n';
      if (got == input::end || (got == input::interrupt && interrupted)) return 0;
      if (got == input::interrupt) {
        std::cerr << "Ctrl-C once more, or Ctrl-D, ends the chat.\n";
        interrupted = true;
        continue;
      }
      if (line.empty()) continue;
      if (const int code = answer(line); code != 0) return code;
      interrupted = session_.finished() == inlay::finish::stopped;
      lines_.forget_interrupts();
    }
  }

 private:
  void note(bool forgot_turns) const {
    if (forgot_turns) std::cerr << "The context is full: the oldest turns were forgotten (--context, --when-full).\n";
    if (session_.finished() == inlay::finish::context_full)
      std::cerr << "The context of " << options_.session.context << " tokens is full (--context, --when-full).\n";
  }

  inline static inlay::session* answering = nullptr;  // for the signal handler
  const options& options_;
  inlay::session session_;
  terminal::line_reader lines_{[] { answering->stop(); }};
};

}  // namespace

int main(int argc, char** argv) {
  auto parsed = parse(argc, argv, model_types());
  if (const int* code = std::get_if<int>(&parsed)) return *code;
  options o = std::get<options>(std::move(parsed));

  const auto start = clock_type::now();
  auto any = [&] {
    terminal::progress_bar bar("loading");
    return inlay::open(o.model, {.threads = o.session.threads, .progress = bar});
  }();
  if (!any) return fail(any.error());
  const double load_seconds = seconds_since(start);
  inlay::language_model& model = any->model;
  if (model.text() == nullptr) return fail(model.text_error());
  auto stops = set_template(model, o.chat_template);
  if (!stops) return fail(stops.error());
  o.generation.stop_tokens = *std::move(stops);
  if (!model.chat())
    return fail({inlay::errc::unsupported, o.model + ": has no chat format that is known; it may be a base model."});
  for (const std::string& name : model.facts().unknown_tensors)
    std::cerr << "note: the model type has no use for the tensor " << name << '\n';
  if (model.trained_context() != 0 && o.session.context > model.trained_context())
    std::cerr << "note: the model was trained for a context of " << model.trained_context() << " tokens\n";

  conversation chat(model, o);
  const int code = o.prompt ? chat.answer(*o.prompt) : chat.run();
  if (o.stats)
    std::fprintf(stderr, "%-8s %13.2f s   %s, %.0f M parameters\n%-8s %12.0f MB  peak\n", "load", load_seconds,
                 std::string(any->type).c_str(), static_cast<double>(model.facts().parameters) / 1e6, "memory",
                 static_cast<double>(terminal::peak_memory()) / 1e6);
  return code;
}
