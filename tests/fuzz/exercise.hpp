// SPDX-License-Identifier: Apache-2.0
// Reads everything a parsed file offers, as loaders do. Whatever the bytes are, each call must end in a value or in an
// error with a message; sanitizers watch the rest.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string_view>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/io/config_json.hpp"
#include "inlay/io/gguf.hpp"
#include "inlay/io/open_safetensors.hpp"
#include "inlay/io/safetensors.hpp"
#include "inlay/io/tensor_view.hpp"
#include "inlay/quant/codec.hpp"

namespace inlay::fuzz {

[[noreturn]] inline void fail_now() { __builtin_trap(); }
inline void expect(bool condition) {
  if (!condition) fail_now();
}

/// The outcome: true for a value.
template <class T>
bool check(const result<T>& outcome) {
  if (outcome) return true;
  const std::string& message = outcome.error().message;
  // A sentence of bounded length, whatever names the file has.
  const bool sentence = message.size() > 4 && message.size() < 2000 && message.back() == '.';
  if (!sentence) std::fprintf(stderr, "not a sentence: %s\n", message.c_str());
  expect(sentence);
  return false;
}

/// Every byte of the view is inside the file, and a row of it decodes.
inline void read_tensor(const tensor_view& tensor, std::span<const std::byte> file) {
  expect(tensor.data.empty() ||
         (tensor.data.data() >= file.data() && tensor.data.size() <= file.size() &&
          static_cast<std::size_t>(tensor.data.data() - file.data()) <= file.size() - tensor.data.size()));
  if (tensor.data.empty()) return;
  const std::uint64_t columns = tensor.columns();
  expect(columns % geometry(tensor.type).weights == 0);
  expect(tensor.data.size() == tensor.rows() * row_bytes(tensor.type, columns));
  std::vector<float> row(std::min<std::uint64_t>(columns, 256) / geometry(tensor.type).weights *
                         geometry(tensor.type).weights);
  const std::size_t last = tensor.data.size() - row_bytes(tensor.type, row.size());
  for (const std::size_t at : {std::size_t{0}, last})
    dequantize_row(tensor.type, tensor.data.data() + at, row.size(), row.data());
}

inline void read_value(const gguf_value& value) {
  const auto array = value.as<gguf_array>();
  if (!array) {
    if (const auto text = value.as<std::string_view>()) {
      expect(std::count(text->begin(), text->end(), '\0') <= static_cast<std::ptrdiff_t>(text->size()));
    }
    const auto whole = value.as<std::int64_t>();
    const auto number = value.as<float>();
    expect(!whole || number);
    return;
  }
  std::uint64_t strings = 0;
  std::size_t characters = 0;
  for (const std::string_view text : array->strings()) {
    ++strings;
    for (const char c : text) characters += c != 0;
  }
  expect(strings == (array->element_type() == gguf_type::string ? array->size() : 0));
  expect(characters <= array->bytes().size());
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(array->size(), 1000); ++i) {
    expect(array->at<double>(i).has_value() ==
           (fixed_size(array->element_type()) != 0 && array->element_type() != gguf_type::boolean));
  }
}

/// True where the bytes are a GGUF file.
inline bool read_gguf(std::span<const std::byte> bytes) {
  const result<gguf_file> file = gguf_file::parse(bytes, "fuzz.gguf");
  if (!check(file)) return false;
  for (const gguf_entry& entry : file->metadata()) {
    expect(file->find(entry.key) == &entry.value);
    read_value(entry.value);
    check(file->get<std::uint32_t>(entry.key));
    check(file->get<float>(entry.key));
    check(file->get<bool>(entry.key));
    check(file->get<std::string_view>(entry.key));
    check(file->get<gguf_array>(entry.key));
  }
  for (const gguf_tensor& tensor : file->tensors()) {
    expect(file->find_tensor(tensor.name) == &tensor);
    const result<tensor_view> view = file->view(tensor);
    if (check(view)) read_tensor(*view, bytes);
  }
  return true;
}

/// True where the bytes are a safetensors file.
inline bool read_safetensors(std::span<const std::byte> bytes) {
  const result<safetensors_file> file = safetensors_file::parse(bytes, "fuzz.safetensors");
  if (!check(file)) return false;
  std::size_t total = 0;
  for (const safetensors_tensor& tensor : file->tensors()) {
    expect(file->find(tensor.name) == &tensor);
    total += tensor.data.size();
    const result<tensor_view> view = file->view(tensor);
    if (check(view)) read_tensor(*view, bytes);
  }
  expect(total <= bytes.size());
  return true;
}

/// True where the bytes are a JSON object, as a config.json or an index is.
inline bool read_json(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  detail::safetensors_index index;
  if (check(index.read(text, "fuzz.index.json"))) {
    for (const auto& [tensor, file] : index.weight_map) expect(file.find('/') == std::string::npos);
  }
  const result<config_json> config = parse_config(text, "config.json");
  if (!check(config)) return false;
  for (const auto& [key, value] : config->root().items()) {
    check(config->get<std::uint32_t>(key));
    check(config->get<float>(key));
    check(config->get<bool>(key));
    check(config->get<std::string>(key));
  }
  const json copy = config->root();
  expect(copy.size() == config->root().size());
  return true;
}

}  // namespace inlay::fuzz
