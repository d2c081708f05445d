// SPDX-License-Identifier: Apache-2.0
// Owned memory for weights, caches and scratch: one zeroed block, aligned for every vector, in huge pages where the
// system has them to give. And a cursor that hands out parts of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <utility>

#include "inlay/config/macros.hpp"
#include "inlay/core/error.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#define INLAY_HAS_MMAP 1
#else
#define INLAY_HAS_MMAP 0
#endif

namespace inlay {

/// Alignment of every part of a buffer, in bytes: the widest vector and the usual cache line.
inline constexpr std::size_t buffer_alignment = 64;

constexpr std::size_t align_up(std::size_t bytes, std::size_t alignment = buffer_alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

class buffer {
 public:
  buffer() = default;
  /// Zeroed; pages are taken from the system when they are first touched.
  static result<buffer> allocate(std::size_t bytes) {
    buffer b;
    if (bytes == 0) return b;
    b.size_ = bytes;
#if INLAY_HAS_MMAP
    // Large blocks start on a huge-page boundary, so that the system can back all of them, but for a last part of one,
    // with huge pages.
    constexpr std::size_t huge = std::size_t{2} << 20;
    b.mapped_ = bytes >= huge ? bytes + huge : bytes;
    void* base = mmap(nullptr, b.mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (base == MAP_FAILED) return fail(errc::memory, concat("The system gave no ", bytes, " bytes of memory."));
    b.base_ = static_cast<std::byte*>(base);
    b.data_ = b.base_;
    if (bytes >= huge) {
      const auto address = reinterpret_cast<std::uintptr_t>(base);
      b.data_ += align_up(address, huge) - address;
#if defined(MADV_HUGEPAGE)
      madvise(b.data_, bytes / huge * huge, MADV_HUGEPAGE);
#endif
    }
#else
    b.base_ = static_cast<std::byte*>(std::calloc(bytes + buffer_alignment, 1));
    if (b.base_ == nullptr) return fail(errc::memory, concat("The system gave no ", bytes, " bytes of memory."));
    b.data_ =
        b.base_ + (align_up(reinterpret_cast<std::uintptr_t>(b.base_)) - reinterpret_cast<std::uintptr_t>(b.base_));
#endif
    return b;
  }
  buffer(buffer&& other) noexcept { *this = std::move(other); }
  buffer& operator=(buffer&& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(mapped_, other.mapped_);
    return *this;
  }
  ~buffer() {
    if (base_ == nullptr) return;
#if INLAY_HAS_MMAP
    munmap(base_, mapped_);
#else
    std::free(base_);
#endif
  }

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  std::byte* base_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t mapped_ = 0;
};

/// Hands out aligned parts of a block, one after another. `frame` gives back what was taken while it lived.
class arena {
 public:
  arena() = default;
  arena(std::byte* data, std::size_t size) : data_(data), size_(size) {}

  /// `count` objects of T, aligned to buffer_alignment. The block must have been made large enough.
  template <class T>
  T* take(std::size_t count) {
    std::byte* part = data_ + used_;
    used_ += align_up(count * sizeof(T));
    highest_ = used_ > highest_ ? used_ : highest_;
    INLAY_ASSERT(used_ <= size_);
    return reinterpret_cast<T*>(part);
  }
  std::size_t used() const { return used_; }
  std::size_t highest() const { return highest_; }  ///< the most that was ever in use, bytes
  std::size_t size() const { return size_; }

  class frame {
   public:
    explicit frame(arena& a) : arena_(a), used_(a.used_) {}
    frame(const frame&) = delete;
    frame& operator=(const frame&) = delete;
    ~frame() { arena_.used_ = used_; }

   private:
    arena& arena_;
    std::size_t used_;
  };

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t used_ = 0;
  std::size_t highest_ = 0;
};

/// Bytes that arena::take<float>(count) uses.
constexpr std::size_t float_bytes(std::size_t count) { return align_up(count * sizeof(float)); }

}  // namespace inlay
