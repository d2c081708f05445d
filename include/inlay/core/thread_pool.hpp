// SPDX-License-Identifier: Apache-2.0
// The smallest fork and join: run(tasks, f) calls f(0) ... f(tasks - 1) on the calling thread and the pool's workers.
// Each thread has a run of consecutive tasks of its own, so that what it reads is consecutive too, and takes from the
// others' when it is done with them.
// Workers spin for some microseconds after a job, since the next one of the same forward pass follows at once, and
// then sleep. (Highway's contrib pool needs libhwy linked.)
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>

#include "inlay/config/macros.hpp"
#include "inlay/core/read_trail.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace inlay {

class thread_pool {
 public:
  /// `threads` counts the caller: 0 or 1 make a pool without workers. If the system refuses a thread, the pool is
  /// smaller; size() tells.
  explicit thread_pool(std::size_t threads) {
    if (threads < 2) return;
    shared_ = std::make_unique<shared>();
    shares_ = std::make_unique<share[]>(threads);
    trail_ = std::make_unique<read_trail>(threads);
    shared_->shares = shares_.get();
    workers_ = std::make_unique<handle[]>(threads - 1);
    while (count_ + 1 < threads && start(workers_[count_])) ++count_;
    shared_->threads = size();
  }
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;
  ~thread_pool() {
    if (count_ == 0) return;
    shared_->stop.store(true, std::memory_order_relaxed);
    for (std::size_t t = 1; t <= count_; ++t) shares_[t].generation.fetch_add(1, std::memory_order_seq_cst);
    wake();
    for (std::size_t i = 0; i < count_; ++i) join(workers_[i]);
  }

  /// Threads that work on a job, the caller included.
  std::size_t size() const { return count_ + 1; }

  /// Calls f(i) once for each i < tasks, in any order, on any of the threads; returns when all are done.
  template <class F>
  void run(std::size_t tasks, const F& f) {
    if (count_ == 0 || tasks < 2) {
      for (std::size_t i = 0; i < tasks; ++i) f(i);
      return;
    }
    const auto call = [](const void* closure, std::size_t i) { (*static_cast<const F*>(closure))(i); };
    fork(tasks, call, &f);
    work(*shared_, 0);
    // Who fell asleep while the job was handed out, unseen, is woken now, when that order costs nothing any more.
    if (shared_->sleeping.fetch_add(0, std::memory_order_seq_cst) != 0) wake();
    // A worker that is not running holds its task until the system lets it: spinning on would only be in its way.
    for (std::size_t t = 1; t <= count_; ++t)
      for (int i = 0; shares_[t].done.load(std::memory_order_acquire) != generation_; ++i) {
        if (ahead_.step()) continue;
        i < spins ? pause() : std::this_thread::yield();
      }
  }

  /// The same. Thread t begins with reading reads(t), a span of bytes, and many such jobs come again and again in the
  /// same order: a thread that waits asks for what it reads next.
  template <class F, class Reads>
  void run(std::size_t tasks, const F& f, const Reads& reads) {
    if (count_ != 0) {
      trail_->add(reads);
      expect_as_before();
    }
    run(tasks, f);
  }

  /// Thread t will read reads(t) first after the next job.
  template <class Reads>
  void expect(const Reads& reads) {
    if (count_ == 0) return;
    for (std::size_t t = 0; t <= count_; ++t) shares_[t].next_read = reads(t);
    ahead_ = prefetch_span(shares_[0].next_read);
  }
  /// The job that followed the last of the jobs that come again and again will follow it again.
  void expect_as_before() {
    expect([&](std::size_t t) { return trail_->next(t); });
  }
  /// What thread t is expected to read first after the job; empty: not known.
  std::span<const std::byte> expected(std::size_t t) const {
    return count_ == 0 ? std::span<const std::byte>() : shares_[t].next_read;
  }

 private:
  using function = void (*)(const void*, std::size_t);
  /// What one thread is told of a job. A line of its own is all that a worker looks at while it waits.
  struct alignas(64) share {
    std::atomic<std::uint32_t> generation{0};
    std::atomic<std::size_t> next{0};
    std::size_t end = 0;
    function call = nullptr;
    const void* closure = nullptr;
    std::span<const std::byte> next_read;
    alignas(64) std::atomic<std::uint32_t> done{0};  ///< the generation whose job has been done
  };
  struct shared {
    std::atomic<std::uint32_t> sleeping{0};
    std::atomic<bool> stop{false};
    std::atomic<std::size_t> numbers{0};  ///< given out to workers
    share* shares = nullptr;
    std::size_t threads = 0;  ///< that work on the job
  };

  static constexpr int spins = 4000;  // some 50 to 100 microseconds

  static void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  void fork(std::size_t tasks, function call, const void* closure) {
    ++generation_;
    for (std::size_t t = 0; t <= count_; ++t) {
      share& s = shares_[t];
      s.next.store(tasks * t / size(), std::memory_order_relaxed);
      s.end = tasks * (t + 1) / size();
      s.call = call;
      s.closure = closure;
    }
    for (std::size_t t = 1; t <= count_; ++t) shares_[t].generation.store(generation_, std::memory_order_release);
    if (shared_->sleeping.load(std::memory_order_relaxed) != 0) wake();
  }
  void wake() {
    for (std::size_t t = 1; t <= count_; ++t) shares_[t].generation.notify_one();
  }

  static void work(const shared& s, std::size_t self) {
    const function call = s.shares[self].call;
    const void* const closure = s.shares[self].closure;
    for (std::size_t turn = 0; turn < s.threads; ++turn) {
      share& from = s.shares[self + turn < s.threads ? self + turn : self + turn - s.threads];
      while (from.next.load(std::memory_order_relaxed) < from.end) {
        const std::size_t i = from.next.fetch_add(1, std::memory_order_relaxed);
        if (i < from.end) call(closure, i);
      }
    }
  }

  static void serve(shared& s) {
    const std::size_t self = s.numbers.fetch_add(1, std::memory_order_relaxed) + 1;
    share& own = s.shares[self];
    const std::byte* asked = nullptr;
    prefetch_span ahead;
    for (std::uint32_t seen = 0;;) {
      for (int i = 0; i < spins && own.generation.load(std::memory_order_acquire) == seen; ++i)
        if (!ahead.step()) pause();
      if (own.generation.load(std::memory_order_acquire) == seen) {
        s.sleeping.fetch_add(1, std::memory_order_seq_cst);
        own.generation.wait(seen, std::memory_order_seq_cst);
        s.sleeping.fetch_sub(1, std::memory_order_relaxed);
      }
      const std::uint32_t now = own.generation.load(std::memory_order_acquire);
      if (now == seen) continue;
      seen = now;
      if (s.stop.load(std::memory_order_relaxed)) return;
      work(s, self);
      if (own.next_read.data() != asked) {
        ahead = prefetch_span(own.next_read);
        asked = own.next_read.data();
      }
      own.done.store(seen, std::memory_order_release);
    }
  }

#if defined(__unix__) || defined(__APPLE__)
  using handle = pthread_t;
  /// Kernels keep their tiles there; some systems give threads less by default.
  static constexpr std::size_t stack_bytes = std::size_t{2} << 20;
  bool start(handle& h) {
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return false;
    const auto body = [](void* s) -> void* { return serve(*static_cast<shared*>(s)), nullptr; };
    std::size_t by_default = 0;
    pthread_attr_getstacksize(&attributes, &by_default);
    const bool enough = by_default >= stack_bytes || pthread_attr_setstacksize(&attributes, stack_bytes) == 0;
    const bool started = enough && pthread_create(&h, &attributes, body, shared_.get()) == 0;
    pthread_attr_destroy(&attributes);
    return started;
  }
  static void join(handle& h) { pthread_join(h, nullptr); }
#else
  using handle = std::thread;
  bool start(handle& h) {
    h = std::thread([s = shared_.get()] { serve(*s); });
    return true;
  }
  static void join(handle& h) { h.join(); }
#endif

  std::unique_ptr<shared> shared_;
  std::unique_ptr<share[]> shares_;
  std::unique_ptr<handle[]> workers_;
  std::unique_ptr<read_trail> trail_;
  prefetch_span ahead_;  ///< the caller's
  std::size_t count_ = 0;
  std::uint32_t generation_ = 0;
};

/// The threads a computation of this machine is best run on by default: its logical CPUs, at least 1.
inline std::size_t default_threads() {
  const unsigned n = std::thread::hardware_concurrency();
  return n == 0 ? 1 : n;
}

}  // namespace inlay
