// SPDX-License-Identifier: Apache-2.0
// A file as read-only memory. Where the system has no mmap, and where INLAY_NO_MMAP is defined, the whole file is read
// into memory instead: everything works, but the pages of tensors cannot be given back.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "inlay/core/buffer.hpp"
#include "inlay/core/error.hpp"

#if INLAY_HAS_MMAP && !defined(INLAY_NO_MMAP)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#define INLAY_MAPS_FILES 1
#else
#define INLAY_MAPS_FILES 0
#endif

namespace inlay {

namespace detail {

inline std::string system_error_text(int code) { return std::error_code(code, std::generic_category()).message(); }

}  // namespace detail

/// Move-only owner of the mapping. The bytes stay where they are when the object is moved. As with every mapping, a
/// file that another process shortens while it is open makes reads beyond its new end fail with a signal.
class mapped_file {
 public:
  enum class access : unsigned char { normal, sequential, random };

  mapped_file() = default;

  /// errc::io where the path is not a regular file that can be read.
  static result<mapped_file> open(std::string path);

  mapped_file(mapped_file&& other) noexcept { *this = std::move(other); }
  mapped_file& operator=(mapped_file&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(bytes_, other.bytes_);
    std::swap(copy_, other.copy_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;
  ~mapped_file() {
#if INLAY_MAPS_FILES
    if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
    if (descriptor_ >= 0) ::close(descriptor_);
#endif
  }

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return bytes_; }

  bool contains(std::span<const std::byte> part) const {
    const auto first = reinterpret_cast<std::uintptr_t>(bytes_.data());
    const auto begin = reinterpret_cast<std::uintptr_t>(part.data());
    return begin >= first && begin - first <= bytes_.size() && part.size() <= bytes_.size() - (begin - first);
  }

  /// Hints how `part` of bytes() will be read. A hint may do nothing.
  void advise(std::span<const std::byte> part, access pattern) const;
  /// Asks the system to start reading `part`.
  void will_need(std::span<const std::byte> part) const;
  /// Gives the memory of the whole pages inside `part` back to the system. They can still be read: from the file again.
  void release(std::span<const std::byte> part) const;
  /// Where `part` can be read: in `room`, which has space for a copy, unless that fails. Reads that are far apart bring
  /// less into memory so: a touch of the mapping can map megabytes around it.
  const std::byte* fetch(std::span<const std::byte> part, std::byte* room) const;

 private:
#if INLAY_MAPS_FILES
  enum class rounding : bool { outwards, inwards };
  void advise_pages(std::span<const std::byte> part, int advice, rounding round) const;
#endif

  std::string path_;
  std::span<const std::byte> bytes_;
  buffer copy_;  // of the file, where it is not mapped
  int descriptor_ = -1;
};

#if INLAY_MAPS_FILES

inline result<mapped_file> mapped_file::open(std::string path) {
  const auto failed = [&path](const char* what) {
    return fail(errc::io, concat(path, ": cannot be ", what, ": ", detail::system_error_text(errno), "."));
  };
  // O_NONBLOCK: a named pipe must not make this wait for a writer.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return failed("opened");
  mapped_file file;
  file.descriptor_ = descriptor;

  struct stat status{};
  if (fstat(descriptor, &status) != 0) return failed("examined");
  if (!S_ISREG(status.st_mode)) return fail(errc::io, concat(path, ": is not a regular file."));
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > std::numeric_limits<std::size_t>::max() / 2) {
    return fail(errc::memory, concat(path, ": ", size, " bytes do not fit in the address space."));
  }
  if (size != 0) {  // an empty mapping is an error
    void* base = mmap(nullptr, static_cast<std::size_t>(size), PROT_READ, MAP_SHARED, descriptor, 0);
    if (base == MAP_FAILED) return failed("mapped into memory");
    file.bytes_ = {static_cast<const std::byte*>(base), static_cast<std::size_t>(size)};
  }
  file.path_ = std::move(path);
  return file;
}

inline void mapped_file::advise_pages(std::span<const std::byte> part, int advice, rounding round) const {
  if (part.empty() || !contains(part)) return;
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  auto begin = reinterpret_cast<std::uintptr_t>(part.data());
  std::uintptr_t end = begin + part.size();
  if (round == rounding::outwards) {
    begin = begin / page * page;
  } else {
    begin = align_up(begin, page);
    // The last page of the file has nothing after its end that others could read.
    if (part.data() + part.size() != bytes_.data() + bytes_.size()) end = end / page * page;
  }
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, advice);
}

inline void mapped_file::advise(std::span<const std::byte> part, access pattern) const {
  const int advice = pattern == access::sequential ? MADV_SEQUENTIAL
                     : pattern == access::random   ? MADV_RANDOM
                                                   : MADV_NORMAL;
  advise_pages(part, advice, rounding::outwards);
}
inline void mapped_file::will_need(std::span<const std::byte> part) const {
  advise_pages(part, MADV_WILLNEED, rounding::outwards);
}
inline void mapped_file::release(std::span<const std::byte> part) const {
  advise_pages(part, MADV_DONTNEED, rounding::inwards);
}
inline const std::byte* mapped_file::fetch(std::span<const std::byte> part, std::byte* room) const {
  if (!contains(part)) return part.data();
  const ssize_t count = pread(descriptor_, room, part.size(), static_cast<off_t>(part.data() - bytes_.data()));
  return count == static_cast<ssize_t>(part.size()) ? room : part.data();
}

#else

inline result<mapped_file> mapped_file::open(std::string path) {
  std::FILE* const stream = std::fopen(path.c_str(), "rb");
  if (stream == nullptr) {
    return fail(errc::io, concat(path, ": cannot be opened: ", detail::system_error_text(errno), "."));
  }
  struct closer {
    std::FILE* stream;
    ~closer() { std::fclose(stream); }
  } const close_at_end{stream};

#if defined(_WIN32)
  const bool at_end = _fseeki64(stream, 0, SEEK_END) == 0;
  const long long size = at_end ? _ftelli64(stream) : -1;
#else
  const bool at_end = std::fseek(stream, 0, SEEK_END) == 0;
  const long long size = at_end ? std::ftell(stream) : -1;
#endif
  std::rewind(stream);
  if (size < 0 || static_cast<unsigned long long>(size) >= std::numeric_limits<std::size_t>::max() / 2) {
    return fail(errc::io, concat(path, ": is not a regular file."));
  }
  mapped_file file;
  result<buffer> memory = buffer::allocate(static_cast<std::size_t>(size));
  if (!memory) return fail(errc::memory, concat(path, ": ", memory.error().message));
  file.copy_ = std::move(*memory);
  file.bytes_ = {file.copy_.data(), static_cast<std::size_t>(size)};
  if (size != 0 && std::fread(file.copy_.data(), 1, file.bytes_.size(), stream) != file.bytes_.size()) {
    return fail(errc::io, concat(path, ": cannot be read to its end."));
  }
  file.path_ = std::move(path);
  return file;
}

inline void mapped_file::advise(std::span<const std::byte>, access) const {}
inline void mapped_file::will_need(std::span<const std::byte>) const {}
inline void mapped_file::release(std::span<const std::byte>) const {}
inline const std::byte* mapped_file::fetch(std::span<const std::byte> part, std::byte*) const { return part.data(); }

#endif

}  // namespace inlay
