// SPDX-License-Identifier: Apache-2.0
// Perplexity of a model on a text, counted as llama-perplexity counts it: windows of 512 tokens, back to back, each
// begun with BOS where the model wants one; the tokens of their second halves count. Prints one line of JSON.
//   bench_perplexity MODEL TEXT [--window 512] [--stride 512] [--windows N] [--kv f16] [--threads N] [--reference
//   MODEL]
// MODEL is any checkpoint that inlay::open() knows, TEXT a file that is read whole. A reference, such as the same
// weights in f32, is run beside it: then the mean divergence of the model's predictions from its is printed too.
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "bench/end_to_end/runner.hpp"
#include "bench/perplexity/perplexity.hpp"
#include "inlay/generate/open.hpp"
#include "inlay/io/mapped_file.hpp"
#include "inlay/kernels/default.hpp"

namespace inlay::bench {
namespace {

struct command {
  std::string model, text, reference = {};
  perplexity_options options = {};
  std::size_t threads = default_threads();
};

result<void> run(const command& c) {
  const auto file = mapped_file::open(c.text);
  if (!file) return unexpected<error>(file.error());
  const auto opened = open(c.model, {.threads = c.threads});
  if (!opened) return unexpected<error>(opened.error());
  const language_model& model = opened->model;
  if (model.text() == nullptr) return unexpected<error>(model.text_error());
  std::optional<opened_model> reference;
  if (!c.reference.empty()) {
    auto other = open(c.reference, {.threads = c.threads});
    if (!other) return unexpected<error>(other.error());
    reference = *std::move(other);
  }
  const std::string_view text(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  const auto tokens = model.text()->encode(text, {.add_special_tokens = true});
  perplexity_options options = c.options;
  if (const auto prefix = model.text()->prefix(); !prefix.empty()) options.begin = prefix.front();

  if (reference) options.reference = &reference->model;
  thread_pool pool(c.threads);
  const auto measured = measure_perplexity(model, pool, tokens, options, [](const perplexity& p) {
    std::fprintf(stderr, "\r%zu windows: %.4f +- %.4f ", p.windows, p.value, p.error);
  });
  std::fputc('\n', stderr);
  if (!measured) return unexpected<error>(measured.error());
  const std::string_view target = kernels::linked_kernels().name;
  std::printf(
      "{\"engine\": \"inlay\", \"file\": \"%s\", \"target\": \"%.*s\", \"kv\": \"%s\", \"text_tokens\": %zu, "
      "\"windows\": %zu, \"tokens\": %zu, \"perplexity\": %.5f, \"error\": %.5f",
      c.model.c_str(), static_cast<int>(target.size()), target.data(), std::string(name(options.kv_type)).c_str(),
      tokens.size(), measured->windows, measured->tokens, measured->value, measured->error);
  if (reference)
    std::printf(", \"divergence\": %.6f, \"divergence_error\": %.6f", measured->divergence, measured->divergence_error);
  std::printf("}\n");
  return {};
}

std::optional<command> parse(int count, char** arguments) {
  if (count < 3) return std::nullopt;
  command c{.model = arguments[1], .text = arguments[2]};
  for (int i = 3; i + 1 < count; i += 2) {
    const std::string_view option = arguments[i];
    const auto number = static_cast<std::size_t>(std::strtoul(arguments[i + 1], nullptr, 10));
    if (option == "--window")
      c.options.window = number;
    else if (option == "--stride")
      c.options.stride = number;
    else if (option == "--windows")
      c.options.windows = number;
    else if (option == "--reference")
      c.reference = arguments[i + 1];
    else if (option == "--threads")
      c.threads = number;
    else if (const auto type = find_cache_type(arguments[i + 1]); option == "--kv" && type)
      c.options.kv_type = *type;
    else
      return std::nullopt;
  }
  return c;
}

}  // namespace
}  // namespace inlay::bench

int main(int count, char** arguments) {
  using namespace inlay;
  result<void> done = fail(errc::argument,
                           "bench_perplexity MODEL TEXT [--window 512] [--stride 512] [--windows N] [--kv f16] "
                           "[--threads N] [--reference MODEL]");
  if (const auto command = bench::parse(count, arguments)) done = bench::run(*command);
  if (!done) std::fprintf(stderr, "%s\n", done.error().message.c_str());
  return done ? 0 : 1;
}
