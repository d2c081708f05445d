// SPDX-License-Identifier: Apache-2.0
// Where the threads of a pool begin to read in each job, and which job came after it the last time. Passes over a model
// repeat one another, so a thread that waits can ask for what it will read next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace inlay {

/// Memory that is asked for piece by piece. Nothing is read: it need not be there any more.
class prefetch_span {
 public:
  prefetch_span() = default;
  explicit prefetch_span(std::span<const std::byte> memory)
      : next_(memory.data()), left_((memory.size() + line - 1) / line) {}

  /// Asks for the next lines; false when nothing is left.
  bool step() {
    if (left_ == 0) return false;
    for (std::size_t i = 0; i < lines_a_step && left_ != 0; ++i, --left_, next_ += line) {
#if defined(__GNUC__) || defined(__clang__)
      __builtin_prefetch(next_, 0, 2);  // into the second cache
#endif
    }
    return true;
  }

 private:
  static constexpr std::size_t line = 64, lines_a_step = 8;
  const std::byte* next_ = nullptr;
  std::size_t left_ = 0;
};

class read_trail {
 public:
  explicit read_trail(std::size_t threads)
      : threads_(threads), jobs_(new job[slots]()), first_(new std::span<const std::byte>[slots * threads]()) {}

  /// A job begins whose thread t reads reads(t) first.
  template <class Reads>
  void add(const Reads& reads) {
    const std::span<const std::byte> first = reads(std::size_t{0});
    const std::size_t slot = find(first.data());
    jobs_[slot].key = first.data();
    for (std::size_t t = 0; t < threads_; ++t) first_[slot * threads_ + t] = reads(t);
    jobs_[last_].next = static_cast<std::uint32_t>(slot);
    last_ = slot;
  }

  /// What thread t reads first in the job that followed the last one the time before; empty: not known.
  std::span<const std::byte> next(std::size_t thread) const { return first_[jobs_[last_].next * threads_ + thread]; }

 private:
  static constexpr std::size_t slots = 2048, tries = 8;
  struct job {
    const std::byte* key = nullptr;
    std::uint32_t next = 0;  ///< its slot; 0: none yet, since that one is never used
  };

  std::size_t find(const std::byte* key) const {
    const auto hash = static_cast<std::size_t>((reinterpret_cast<std::uintptr_t>(key) >> 6) * 0x9e3779b1u);
    for (std::size_t i = 0; i < tries; ++i) {
      const std::size_t slot = 1 + (hash + i) % (slots - 1);
      if (jobs_[slot].key == key || jobs_[slot].key == nullptr) return slot;
    }
    return 1 + hash % (slots - 1);
  }

  std::size_t threads_;
  std::unique_ptr<job[]> jobs_;
  std::unique_ptr<std::span<const std::byte>[]> first_;
  std::size_t last_ = 0;
};

}  // namespace inlay
