// SPDX-License-Identifier: Apache-2.0
// A model's speed, and files to measure it on.
//   bench_model make SHAPE MIXTURE FILE
//   bench_model run FILE [--shape SHAPE] [--threads N] [--prompt 512] [--generate 64] [--depth 0] [--batches 2,4,8,16]
//                        [--batch 512] [--kv f16] [--no-peaks]
// run prints one line of JSON. A file's name begins with its shape's unless --shape says it. `--depth` tokens are read
// before prompt and generation are timed; `--batches` times steps of several tokens that all want logits. The machine's
// bandwidth, and the share of it that decoding reads weights at, are measured last, unless there is --no-peaks.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/resource.h>
#endif

#include "bench/end_to_end/runner.hpp"
#include "bench/end_to_end/shapes.hpp"
#include "bench/end_to_end/share.hpp"
#include "bench/end_to_end/synthetic.hpp"
#include "bench/peaks/peaks.hpp"
#include "bench/support/timing.hpp"
#include "inlay/io/open_gguf.hpp"
#include "inlay/kernels/default.hpp"

namespace inlay::bench {
namespace {

struct run_options {
  std::string file;
  std::string shape = {};
  std::size_t threads = default_threads(), prompt = 512, generate = 64, depth = 0, batch = 512;
  std::vector<std::size_t> batches = {};
  dtype kv_type = dtype::f16;
  bool peaks = true;
};

/// Bytes of the file's weights that the computation of one token reads.
result<double> token_bytes(const std::string& path, const model_shape& shape) {
  const auto file = open_gguf(path);
  if (!file) return unexpected<error>(file.error());
  double bytes = 0.0;
  for (const shape_tensor& t : shape.tensors)
    if (const tensor_view* found = file->find(t.name)) bytes += t.share * static_cast<double>(found->data.size());
  return bytes;
}

/// The most memory the process has held, bytes: files' pages included, and without them where the system tells.
struct memory_use {
  double peak = 0.0;
  double own = 0.0;
};
memory_use measure_memory() {
  memory_use m;
#if defined(__unix__) || defined(__APPLE__)
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  m.peak = static_cast<double>(usage.ru_maxrss) * 1024.0;
#endif
  if (std::FILE* status = std::fopen("/proc/self/status", "r")) {
    char line[256];
    unsigned long kilobytes = 0;
    while (std::fgets(line, sizeof line, status) != nullptr)
      if (std::sscanf(line, "RssAnon: %lu kB", &kilobytes) == 1) m.own = static_cast<double>(kilobytes) * 1024.0;
    std::fclose(status);
  }
  return m;
}

template <class F>
double fastest(int tries, const F& f) {
  double best = 1e9;
  for (int i = 0; i < tries; ++i) best = std::min(best, f());
  return best;
}

result<void> run(const run_options& o) {
  const auto begin = std::chrono::steady_clock::now();
  const auto since_begin = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  const result<std::string_view> shape = o.shape.empty() ? shape_of_file(o.file) : std::string_view(o.shape);
  if (!shape) return unexpected<error>(shape.error());
  const auto model = load_shape(*shape, o.file, {.threads = o.threads});
  if (!model) return unexpected<error>(model.error());
  const double load_seconds = since_begin();

  thread_pool pool(o.threads);
  const std::size_t most = o.batches.empty() ? 1 : *std::max_element(o.batches.begin(), o.batches.end());
  const std::size_t context = o.depth + std::max({o.prompt, o.generate, 16 * most, std::size_t{1}});
  auto sequence = runner::make(*model, pool,
                               {.context = context,
                                .batch = std::max(std::min(o.batch, context), most),
                                .most_wanted = most,
                                .kv_type = o.kv_type});
  if (!sequence) return unexpected<error>(std::move(sequence).error());
  sequence->read(1);
  const double first_token_seconds = since_begin();

  std::printf("{\"engine\": \"inlay\", \"file\": \"%s\", \"target\": \"%.*s\", \"threads\": %zu, \"depth\": %zu, ",
              o.file.c_str(), static_cast<int>(kernels::linked_kernels().name.size()),
              kernels::linked_kernels().name.data(), pool.size(), o.depth);
  const auto at_depth = [&] {
    sequence->reset();
    sequence->read(o.depth);
  };
  if (o.prompt != 0) {
    sequence->reset();
    sequence->read(std::min(o.prompt, o.batch));  // warm
    at_depth();
    std::printf("\"prompt\": %zu, \"pp\": %.2f, ", o.prompt,
                static_cast<double>(o.prompt) / seconds_of([&] { sequence->read(o.prompt); }));
  }
  if (o.generate != 0) {
    at_depth();
    const double seconds = seconds_of([&] {
      for (std::size_t i = 0; i < o.generate; ++i) sequence->read(1);
    });
    std::printf("\"generate\": %zu, \"tg\": %.2f, ", o.generate, static_cast<double>(o.generate) / seconds);
  }
  if (!o.batches.empty()) {
    std::printf("\"batch_seconds\": {");
    for (std::size_t i = 0; i < o.batches.size(); ++i) {
      at_depth();
      const double seconds =
          fastest(16, [&] { return seconds_of([&] { sequence->read(o.batches[i], o.batches[i]); }); });
      std::printf("%s\"%zu\": %.6f", i == 0 ? "" : ", ", o.batches[i], seconds);
    }
    std::printf("}, ");
  }
  const memory_use memory = measure_memory();
  const auto known = find_shape(*shape);
  if (!known) return unexpected<error>(known.error());
  const auto bytes = token_bytes(o.file, *known);
  if (!bytes) return unexpected<error>(bytes.error());
  if (const peak_loops* loops = find_peak_loops(kernels::linked_kernels().name); o.peaks && loops != nullptr) {
    const auto data = make_read_buffer(std::size_t{256} << 20, pool);
    if (!data) return unexpected<error>(data.error());
    std::printf("\"read_gb_per_s\": %.2f, \"round_trip_ns\": %.0f, ", measure_read(*loops, pool, *data, 8) / 1e9,
                measure_round_trip(pool) * 1e9);
    if (o.generate != 0) {
      at_depth();
      const bandwidth_share share = measure_share(*sequence, o.generate, *bytes, *loops, pool, *data);
      std::printf("\"share\": %.3f, \"share_lowest\": %.3f, \"share_highest\": %.3f, \"share_gb_per_s\": %.2f, ",
                  share.median, share.lowest, share.highest, share.read_bytes / 1e9);
    }
  }
  std::printf(
      "\"token_megabytes\": %.2f, \"load_seconds\": %.4f, \"first_token_seconds\": %.4f, \"file_megabytes\": %.1f, "
      "\"packed_megabytes\": %.1f, \"peak_megabytes\": %.1f, \"own_megabytes\": %.1f}\n",
      *bytes / 1e6, load_seconds, first_token_seconds, static_cast<double>(model->facts().file_bytes) / 1e6,
      static_cast<double>(model->facts().packed_bytes) / 1e6, memory.peak / 1e6, memory.own / 1e6);
  return {};
}

result<void> make(std::string_view shape, std::string_view mixture, std::string path) {
  const auto known = find_shape(shape);
  if (!known) return unexpected<error>(known.error());
  return write_synthetic(*known, mixture, std::move(path));
}

std::vector<std::size_t> numbers(const char* text) {
  std::vector<std::size_t> all;
  for (char* end = nullptr; *text != '\0'; text = *end == ',' ? end + 1 : end) {
    all.push_back(std::strtoul(text, &end, 10));
    if (end == text) break;
  }
  return all;
}

std::optional<run_options> parse(int count, char** arguments) {
  run_options o{.file = arguments[2]};
  for (int i = 3; i < count; ++i) {
    const std::string_view option = arguments[i];
    if (option == "--no-peaks") {
      o.peaks = false;
      continue;
    }
    if (++i == count) return std::nullopt;
    const char* value = arguments[i];
    const auto number = static_cast<std::size_t>(std::strtoul(value, nullptr, 10));
    if (option == "--shape")
      o.shape = value;
    else if (option == "--threads")
      o.threads = number;
    else if (option == "--prompt")
      o.prompt = number;
    else if (option == "--generate")
      o.generate = number;
    else if (option == "--depth")
      o.depth = number;
    else if (option == "--batch")
      o.batch = number;
    else if (option == "--batches")
      o.batches = numbers(value);
    else if (const auto type = find_cache_type(value); option == "--kv" && type)
      o.kv_type = *type;
    else
      return std::nullopt;
  }
  return o;
}

}  // namespace
}  // namespace inlay::bench

int main(int count, char** arguments) {
  using namespace inlay;
  const std::string_view what = count > 1 ? arguments[1] : "";
  result<void> done = fail(errc::argument, "bench_model make SHAPE MIXTURE FILE | bench_model run FILE [options]");
  if (what == "make" && count == 5) {
    done = bench::make(arguments[2], arguments[3], arguments[4]);
  } else if (what == "run" && count > 2) {
    if (const auto options = bench::parse(count, arguments)) done = bench::run(*options);
  }
  if (!done) std::fprintf(stderr, "%s\n", done.error().message.c_str());
  return done ? 0 : 1;
}
