// SPDX-License-Identifier: Apache-2.0
// Opens whatever a user points at: a file or a folder, GGUF or safetensors.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/io/mapped_file.hpp"
#include "inlay/io/open_gguf.hpp"
#include "inlay/io/open_safetensors.hpp"

namespace inlay {

namespace detail {

/// Names of the files of a folder that end in `suffix`, sorted.
inline result<std::vector<std::string>> files_ending_in(const std::string& folder, std::string_view suffix) {
  constexpr std::size_t most = 100'000;
  std::vector<std::string> names;
  std::error_code problem;
  std::filesystem::directory_iterator at(folder, problem);
  while (!problem && at != std::filesystem::directory_iterator() && names.size() < most) {
    std::string name = at->path().filename().string();
    if (name.ends_with(suffix)) names.push_back(std::move(name));
    at.increment(problem);
  }
  if (problem) return fail(errc::io, concat(folder, ": cannot be listed: ", problem.message(), "."));
  std::sort(names.begin(), names.end());
  return names;
}

inline std::string enumeration(const std::vector<std::string>& names) {
  constexpr std::size_t most = 10;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i)
    text += concat(i == 0 ? "" : ", ", in_quotes(names[i]));
  return names.size() > most ? text + ", ..." : text;
}

/// The file of a folder that stands for the whole checkpoint.
inline result<std::string> checkpoint_in(const std::string& folder) {
  const auto inside = [&folder](std::string_view name) { return (std::filesystem::path(folder) / name).string(); };
  for (const std::string_view usual : {"model.safetensors.index.json", "model.safetensors"}) {
    if (exists(inside(usual))) return inside(usual);
  }
  for (const std::string_view suffix : {".safetensors.index.json", ".safetensors", ".gguf"}) {
    result<std::vector<std::string>> names = files_ending_in(folder, suffix);
    if (!names) return unexpected<error>(std::move(names).error());
    // Of a split GGUF the first file stands for all.
    std::erase_if(*names, [](const std::string& name) {
      const std::string first = gguf_sibling(name, 1, 1);
      return !first.empty() && name.substr(0, name.size() - 14) != std::string_view(first).substr(0, first.size() - 14);
    });
    if (names->size() == 1) return inside(names->front());
    if (names->size() > 1) {
      return fail(errc::argument,
                  concat(folder, ": has several checkpoints; name one of them: ", enumeration(*names), "."));
    }
  }
  return fail(errc::missing, concat(folder, ": has neither safetensors nor a GGUF file in it."));
}

}  // namespace detail

template <class>
result<checkpoint> open_checkpoint(std::string path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    result<std::string> inside = detail::checkpoint_in(path);
    if (!inside) return unexpected<error>(std::move(inside).error());
    path = std::move(*inside);
  }
  if (path.ends_with(".json")) return open_safetensors(std::move(path));
  bool gguf = false;
  {
    const result<mapped_file> file = mapped_file::open(path);
    if (!file) return unexpected<error>(file.error());
    constexpr std::string_view magic = "GGUF";
    const auto bytes = file->bytes();
    gguf = bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
    if (!gguf && (bytes.size() < 9 || bytes[8] != std::byte{'{'})) {
      return fail(errc::format, concat(path, ": is neither a GGUF nor a safetensors file."));
    }
  }
  return gguf ? open_gguf(std::move(path)) : open_safetensors(std::move(path));
}

}  // namespace inlay
