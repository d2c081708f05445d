// SPDX-License-Identifier: Apache-2.0
// inspect FILE    what a checkpoint is: metadata, tensors, storage, memory, and the C++ type that runs it.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <inlay/generate/describe_type.hpp>
#include <inlay/io/json.hpp>
#include <inlay/io/open_checkpoint.hpp>
#include <string>

#include "tensors.hpp"

namespace {

constexpr std::size_t longest_value = 100;

int fail(const inlay::error& why) {
  std::fprintf(stderr, "%s\n", why.message.c_str());
  return 1;
}

std::string shortened(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  if (text.size() <= longest_value) return text;
  const std::string size = " ... (" + std::to_string(text.size()) + " bytes)";
  return text.substr(0, longest_value) + size;
}

std::string text_of(const inlay::gguf_value& value) {
  if (const auto word = value.as<std::string_view>()) return shortened(std::string(*word));
  if (const auto yes = value.as<bool>()) return *yes ? "true" : "false";
  if (const auto number = value.as<std::int64_t>()) return std::to_string(*number);
  if (const auto number = value.as<double>()) {
    char text[32];
    std::snprintf(text, sizeof text, "%.7g", *number);
    return text;
  }
  const auto list = value.as<inlay::gguf_array>();
  if (!list) return "";
  std::string out = std::to_string(list->size()) + " of " + std::string(inlay::name(list->element_type()));
  if (list->element_type() == inlay::gguf_type::string) {
    std::size_t shown = 0;
    for (const std::string_view word : list->strings()) {
      out += (shown == 0 ? ": " : ", ") + shortened(std::string(word));
      if (++shown == 4) break;
    }
  } else {
    for (std::size_t i = 0; i < list->size() && i < 16; ++i) {
      char text[32] = "?";
      if (const auto yes = list->at<bool>(i))
        std::snprintf(text, sizeof text, "%s", *yes ? "true" : "false");
      else if (const auto number = list->at<double>(i))
        std::snprintf(text, sizeof text, "%.7g", *number);
      out += (i == 0 ? ": " : ", ") + std::string(text);
    }
  }
  return out;
}

void print_metadata(const inlay::checkpoint& file) {
  if (file.gguf() != nullptr) {
    std::printf("\nMetadata\n");
    for (const inlay::gguf_entry& e : file.gguf()->metadata())
      std::printf("  %-48s %s\n", shortened(std::string(e.key)).c_str(), text_of(e.value).c_str());
    return;
  }
  if (file.config().empty()) return;
  std::printf("\n%s\n", file.config_path().c_str());
  const auto document = inlay::parse_json(file.config(), file.config_path());
  if (!document || !document->is_object()) return;
  for (const auto& [key, value] : document->items())
    std::printf("  %-48s %s\n", shortened(key).c_str(), shortened(value.dump()).c_str());
}

void print_tensors(const inlay::checkpoint& file) {
  std::printf("\nTensors\n");
  for (const tensor_group& g : group_tensors(file))
    std::printf("  %-56s %5zu x %-22s %s\n", shortened(g.name).c_str(), g.count, g.shape.c_str(), g.type.c_str());
  std::printf("\nStorage\n");
  for (const storage_share& s : storage_mix(file))
    std::printf("  %-8s %6zu tensors %12.1f M weights %10.1f MB %7.2f bits a weight\n", s.type.c_str(), s.tensors,
                s.weights / 1e6, s.bytes / 1e6, s.weights == 0.0 ? 0.0 : s.bytes * 8.0 / s.weights);
}

void print_memory(const inlay::checkpoint& file, std::size_t context) {
  const auto layers = inlay::describe_memory(file);
  if (!layers || layers->empty()) return;
  constexpr std::size_t batch = 256;
  double cached = 0.0, recurrent = 0.0;
  for (const inlay::models::layer_memory& m : *layers) {
    const std::size_t all = inlay::models::bytes(m, context, inlay::dtype::f16, batch);
    recurrent += static_cast<double>(m.recurrent_floats * sizeof(float));
    cached += static_cast<double>(all - m.recurrent_floats * sizeof(float));
  }
  std::printf("\nMemory of a sequence of %zu tokens\n", context);
  std::printf("  %-32s %10.1f MB\n", "keys and values, in F16", cached / 1e6);
  if (recurrent != 0.0) std::printf("  %-32s %10.1f MB\n", "recurrent state", recurrent / 1e6);
  std::printf("  %-32s %10.1f MB\n", "the checkpoint's files", static_cast<double>(file.file_bytes()) / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  std::string path, name = "my_model";
  std::size_t context = 4096;
  bool only_type = false;
  CLI::App app("Tells what a checkpoint is, and the C++ type that runs it.");
  app.option_defaults()->always_capture_default();
  app.add_option("file", path, "GGUF file, or folder or file of safetensors")->required();
  app.add_option("-c,--context", context, "Tokens to count memory for")->check(CLI::Range(1, 1 << 24));
  app.add_option("--name", name, "What to call the type");
  app.add_flag("--type", only_type, "Print the type's declaration alone");
  CLI11_PARSE(app, argc, argv);

  const auto file = inlay::open_checkpoint(path);
  if (!file) return fail(file.error());
  const auto type = inlay::describe_type(*file, name);
  if (only_type) {
    if (!type) return fail(type.error());
    std::printf("%s", type->declaration.c_str());
    return 0;
  }
  double weights = 0.0;
  for (const storage_share& s : storage_mix(*file)) weights += s.weights;
  std::printf("%s: %s, %.1f MB, %zu tensors, %.1f M weights\n", path.c_str(),
              file->gguf() != nullptr ? "GGUF" : "safetensors", static_cast<double>(file->file_bytes()) / 1e6,
              file->tensors().size() + file->unreadable().size(), weights / 1e6);
  print_metadata(*file);
  print_tensors(*file);
  print_memory(*file, context);
  std::printf("\nType\n");
  if (!type) return fail(type.error());
  const char* load = type->encoder ? "load_encoder" : "load";
  std::printf(
      "#include <inlay/inlay.hpp>  // or inlay/generate/%s.hpp and %s\n\n%s\n// auto model = inlay::%s<%s>(\"%s\");\n",
      load, type->header.c_str(), type->declaration.c_str(), load, name.c_str(), path.c_str());
  return 0;
}
