// SPDX-License-Identifier: Apache-2.0
// Opens a GGUF file, or all files of a split one, as a checkpoint.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/io/gguf.hpp"
#include "inlay/io/mapped_file.hpp"

namespace inlay {

namespace detail {

inline constexpr std::uint64_t max_gguf_files = 1000;

/// The name of file `number` (from 1) of `count`: as `path`, which must end in -NNNNN-of-NNNNN.gguf; else empty.
inline std::string gguf_sibling(std::string_view path, std::uint64_t number, std::uint64_t count) {
  constexpr std::string_view pattern = "-00000-of-00000.gguf";
  const auto digits = [](std::uint64_t value) {
    const std::string text = std::to_string(value);
    return std::string(5 - text.size(), '0') + text;
  };
  if (path.size() <= pattern.size()) return {};
  const std::string_view end = path.substr(path.size() - pattern.size());
  for (std::size_t i = 0; i < end.size(); ++i) {
    const bool digit = end[i] >= '0' && end[i] <= '9';
    if (pattern[i] == '0' ? !digit : end[i] != pattern[i]) return {};
  }
  return concat(path.substr(0, path.size() - pattern.size()), "-", digits(number), "-of-", digits(count), ".gguf");
}

inline void add_gguf_tensors(const gguf_file& file, checkpoint::parts& parts) {
  for (const gguf_tensor& tensor : file.tensors()) {
    result<tensor_view> view = file.view(tensor);
    if (view) {
      parts.tensors.push_back(*view);
    } else {
      parts.unreadable.push_back({tensor.name, std::move(view).error()});
    }
  }
}

/// How many files the checkpoint consists of, of which this is the first.
inline result<std::uint64_t> gguf_file_count(const mapped_file& first) {
  const result<gguf_file> file = gguf_file::parse(first.bytes(), first.path());
  if (!file) return unexpected<error>(file.error());
  const auto number = file->get_or<std::uint64_t>("split.no", 0);
  if (!number) return unexpected<error>(number.error());
  if (*number != 0) {
    return fail(errc::argument, concat(first.path(), ": is file ", *number,
                                       " (counted from 0) of a split checkpoint; open file 0 of it."));
  }
  return file->get_or<std::uint64_t>("split.count", 1);
}

/// Maps the other files of a split checkpoint. The first is mapped already.
inline result<void> map_gguf_siblings(std::uint64_t count, std::vector<mapped_file>& files) {
  const std::string first = files.front().path();
  if (count > max_gguf_files) {
    return fail(errc::unsupported,
                concat(first, ": is one of ", count, " files; at most ", max_gguf_files, " are read."));
  }
  for (std::uint64_t number = 2; number <= count; ++number) {
    std::string path = gguf_sibling(first, number, count);
    if (path.empty()) {
      return fail(errc::format,
                  concat(first, ": is one of ", count, " files, but its name does not end in -NNNNN-of-NNNNN.gguf."));
    }
    result<mapped_file> file = mapped_file::open(std::move(path));
    if (!file) return unexpected<error>(std::move(file).error());
    files.push_back(std::move(*file));
  }
  return {};
}

}  // namespace detail

/// `path` is a .gguf file; of a split one, the first. errc::io, errc::format, or errc::unsupported, naming the file.
inline result<checkpoint> open_gguf(std::string path) {
  checkpoint::parts parts;
  parts.kind = checkpoint::container::gguf;
  parts.path = path;
  result<mapped_file> first = mapped_file::open(std::move(path));
  if (!first) return unexpected<error>(std::move(first).error());
  parts.files.push_back(std::move(*first));
  const result<std::uint64_t> count = detail::gguf_file_count(parts.files[0]);
  if (!count) return unexpected<error>(count.error());
  const result<void> mapped = detail::map_gguf_siblings(*count, parts.files);
  if (!mapped) return unexpected<error>(mapped.error());

  // From here on parts.files keeps its elements in place: the views refer to their paths.
  for (std::size_t i = 0; i < parts.files.size(); ++i) {
    result<gguf_file> file = gguf_file::parse(parts.files[i].bytes(), parts.files[i].path());
    if (!file) return unexpected<error>(std::move(file).error());
    const auto number = i == 0 ? result<std::uint64_t>(0) : file->get<std::uint64_t>("split.no");
    if (!number) return unexpected<error>(number.error());
    if (*number != i) {
      return fail(errc::format, concat(file->path(), ": says that it is file ", *number,
                                       " of the split checkpoint, not ", i, " (counted from 0)."));
    }
    detail::add_gguf_tensors(*file, parts);
    if (i == 0) parts.metadata = std::move(*file);
  }
  const std::uint64_t tensors = parts.tensors.size() + parts.unreadable.size();
  const auto expected_tensors = parts.metadata->get_or<std::uint64_t>("split.tensors.count", tensors);
  if (!expected_tensors) return unexpected<error>(expected_tensors.error());
  if (*expected_tensors != tensors) {
    return fail(errc::format, concat(parts.path, ": the split checkpoint has ", tensors, " tensors, but must have ",
                                     *expected_tensors, "."));
  }
  return checkpoint::from(std::move(parts));
}

}  // namespace inlay
