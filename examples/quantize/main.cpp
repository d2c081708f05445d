// SPDX-License-Identifier: Apache-2.0
// quantize INPUT OUTPUT --type Q4_K_M                           another storage type, another container, or both
// quantize INPUT OUTPUT --type Q4_K_M --calibrate TEXT.txt      so that it is best for text like that
//
// INPUT is a GGUF file or a folder of safetensors; OUTPUT a name that ends in .gguf, or a folder.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>

#include "../support/terminal.hpp"
#include "models.hpp"

namespace {

int fail(const inlay::error& why) {
  std::cerr << why << '\n';
  return 1;
}

std::string type_names() {
  std::string names;
  for (const inlay::file_type_entry& e : inlay::file_types) names += (names.empty() ? "" : " ") + std::string(e.name);
  return names;
}

}  // namespace

int main(int argc, char** argv) {
  conversion c;
  std::string type, importance, calibration, kept;
  double shard_megabytes = 0.0;
  inlay::calibration_options how;
  CLI::App app("Converts checkpoints between safetensors and GGUF, and quantizes them.");
  app.add_option("input", c.input, "GGUF file, or folder or file of safetensors")->required();
  app.add_option("output", c.output, "A name that ends in .gguf, or a folder for safetensors")->required();
  app.add_option("-t,--type", type, "Storage type, as stored if not given: " + type_names());
  app.add_flag("--pure", c.options.pure, "The same type for all tensors that are quantized");
  app.add_flag("--requantize", c.options.requantize, "Also quantize again what is quantized already");
  app.add_option("-i,--importance", importance, "Importance matrix of llama.cpp's imatrix program");
  app.add_option("--calibrate", calibration, "Text to run the model over, for an importance matrix");
  app.add_option("--chunk", how.chunk, "Tokens of it that are read together")->capture_default_str();
  app.add_option("--write-importance", kept, "GGUF to keep the importance matrix in");
  app.add_option("--shard-mb", shard_megabytes, "Most megabytes of a file of safetensors; 0: one file");
  app.add_option("--threads", c.options.threads, "0: one for each CPU")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  if (!type.empty()) {
    c.options.type = inlay::find_file_type(type);
    if (!c.options.type) {
      std::cerr << "There is no type " << type << "; there are " << type_names() << ".\n";
      return 2;
    }
  }
  std::optional<inlay::importance_matrix> matrix;
  if (!importance.empty()) {
    auto read = inlay::read_importance(importance);
    if (!read) return fail(read.error());
    matrix = *std::move(read);
    c.options.importance = &*matrix;
  }
  if (!calibration.empty()) {
    std::ifstream file(calibration, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    if (text.empty()) {
      std::cerr << calibration << ": cannot be read, or is empty.\n";
      return 1;
    }
    how.threads = c.options.threads;
    const auto sums = [&] {
      terminal::progress_bar bar("calibrating");
      how.progress = bar;
      return calibrate(c.input, text, how);
    }();
    if (!sums) return fail(sums.error());
    if (!kept.empty())
      if (const auto written = sums->write(kept); !written) return fail(written.error());
    matrix = sums->importance();
    c.options.importance = &*matrix;
  }
  c.options.shard_bytes = static_cast<std::uint64_t>(shard_megabytes * 1e6);

  const auto report = [&] {
    terminal::progress_bar bar("converting");
    c.options.progress = bar;
    return run(c);
  }();
  if (!report) return fail(report.error());
  for (const std::string& name : report->left_out) std::cerr << "note: left out: " << name << '\n';
  for (const std::string& note : report->notes) std::cerr << "note: " << note << '\n';
  std::printf("%s: %zu tensors, %.1f MB:", c.output.c_str(), report->tensors, static_cast<double>(report->bytes) / 1e6);
  for (std::size_t i = 0; i < inlay::dtype_count; ++i)
    if (report->types[i] != 0)
      std::printf(" %zu %s", report->types[i], std::string(inlay::name(static_cast<inlay::dtype>(i))).c_str());
  std::putchar('\n');
}
