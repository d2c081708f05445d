// SPDX-License-Identifier: Apache-2.0
// A file that is there whole or not at all: written under another name and renamed when it is complete.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <utility>

#include "inlay/core/error.hpp"
#include "inlay/io/mapped_file.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace inlay {

/// Move-only. Until commit() the bytes are in `path`.part; without it they are removed again.
class atomic_file {
 public:
  /// errc::io where the file cannot be made.
  static result<atomic_file> create(std::string path) {
    atomic_file file;
    file.path_ = std::move(path);
    file.stream_ = std::fopen(file.part().c_str(), "wb");
    if (file.stream_ == nullptr) return fail(errc::io, file.problem("cannot be created"));
    return file;
  }

  atomic_file() = default;
  atomic_file(atomic_file&& other) noexcept { *this = std::move(other); }
  atomic_file& operator=(atomic_file&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(stream_, other.stream_);
    std::swap(size_, other.size_);
    return *this;
  }
  atomic_file(const atomic_file&) = delete;
  atomic_file& operator=(const atomic_file&) = delete;
  ~atomic_file() {
    if (stream_ == nullptr) return;
    std::fclose(stream_);
    std::remove(part().c_str());
  }

  const std::string& path() const { return path_; }
  /// Bytes written so far.
  std::uint64_t size() const { return size_; }

  result<void> write(std::span<const std::byte> bytes) {
    if (!bytes.empty() && std::fwrite(bytes.data(), 1, bytes.size(), stream_) != bytes.size()) {
      return fail(errc::io, problem("cannot be written"));
    }
    size_ += bytes.size();
    return {};
  }
  result<void> write_zeros(std::uint64_t count) {
    constexpr std::byte zeros[64]{};
    for (; count > sizeof zeros; count -= sizeof zeros) {
      if (result<void> written = write(zeros); !written) return written;
    }
    return write(std::span(zeros).first(static_cast<std::size_t>(count)));
  }

  /// Puts the file in its place, over one that was there. Nothing can be written after it.
  result<void> commit() {
    bool stored = std::fflush(stream_) == 0;
#if defined(__unix__) || defined(__APPLE__)
    stored = stored && fsync(fileno(stream_)) == 0;  // else a crash soon after could leave an empty file under the name
#endif
    if (!stored) return fail(errc::io, problem("cannot be written"));
    const bool closed = std::fclose(std::exchange(stream_, nullptr)) == 0;
#if defined(_WIN32)
    std::remove(path_.c_str());  // rename replaces nothing there
#endif
    if (!closed || std::rename(part().c_str(), path_.c_str()) != 0) {
      std::string message = problem("cannot be put in place");
      std::remove(part().c_str());
      return fail(errc::io, std::move(message));
    }
    return {};
  }

 private:
  std::string part() const { return path_ + ".part"; }
  std::string problem(const char* what) const {
    return concat(part(), ": ", what, ": ", detail::system_error_text(errno), ".");
  }

  std::string path_;
  std::FILE* stream_ = nullptr;
  std::uint64_t size_ = 0;
};

}  // namespace inlay
