// SPDX-License-Identifier: Apache-2.0
// Reads tests/data/quant/blocks.txt (written by tests/reference/blocks.py).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "inlay/core/dtype.hpp"

namespace inlay::test {

struct block_line {
  bool decodes = false;  ///< else it says how to encode
  dtype type{};
  std::vector<std::byte> blocks;
  std::vector<float> floats;
};

inline std::vector<std::byte> from_hex(const std::string& text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::vector<std::byte> bytes(text.size() / 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::byte>(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
  }
  return bytes;
}

inline std::optional<dtype> dtype_named(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  for (std::size_t i = 0; i < dtype_count; ++i) {
    if (name(static_cast<dtype>(i)) == text) return static_cast<dtype>(i);
  }
  return std::nullopt;
}

inline std::vector<block_line> read_block_file(const std::string& path) {
  std::ifstream file(path);
  std::vector<block_line> lines;
  std::string what, type, blocks, floats;
  while (file >> what >> type >> blocks >> floats) {
    block_line line;
    line.decodes = what == "decode";
    line.type = dtype_named(type).value();
    line.blocks = from_hex(blocks);
    const std::vector<std::byte> bytes = from_hex(floats);
    line.floats.resize(bytes.size() / sizeof(float));
    std::memcpy(line.floats.data(), bytes.data(), bytes.size());
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace inlay::test
