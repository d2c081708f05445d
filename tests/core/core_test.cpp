// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "inlay/core/buffer.hpp"
#include "inlay/core/checksum.hpp"
#include "inlay/core/dtype.hpp"
#include "inlay/core/error.hpp"
#include "inlay/core/fixed_string.hpp"
#include "inlay/core/function_ref.hpp"
#include "inlay/core/join_arrays.hpp"
#include "inlay/core/read_trail.hpp"
#include "inlay/core/thread_pool.hpp"

namespace {

inlay::result<int> half(int x) {
  if (x % 2 != 0) return inlay::fail(inlay::errc::argument, inlay::concat(x, " is odd."));
  return x / 2;
}
inlay::result<void> even(int x) {
  const auto h = half(x);
  if (!h) return inlay::unexpected<inlay::error>(h.error());
  return {};
}

template <inlay::fixed_string Name>
struct named {
  static constexpr std::string_view name = Name;
};

}  // namespace

TEST_CASE("a result is a value or an error") {
  CHECK(*half(8) == 4);
  const auto odd = half(7);
  REQUIRE_FALSE(odd.has_value());
  CHECK(odd.error().code == inlay::errc::argument);
  CHECK(odd.error().message == "7 is odd.");
  CHECK(even(2).has_value());
  CHECK(even(3).error().message == "3 is odd.");

  inlay::result<std::unique_ptr<int>> owner = std::make_unique<int>(5);
  const std::unique_ptr<int> taken = *std::move(owner);
  CHECK(*taken == 5);
  struct stream {
    std::string text;
    void operator<<(std::string_view v) { text += v; }
  } out;
  out << odd.error();
  CHECK(out.text == "7 is odd.");
}

TEST_CASE("concat takes text and whole numbers") {
  CHECK(inlay::concat("a", std::string("b"), std::string_view("c"), 'd', 12, std::size_t{3}, -4) == "abcd123-4");
  CHECK(inlay::concat().empty());
}

TEST_CASE("fixed strings are template arguments") {
  static_assert(named<"gate">::name == "gate");
  static_assert(!std::is_same_v<named<"a">, named<"b">>);
  CHECK(named<"">::name.empty());
}

TEST_CASE("arrays are joined in their order") {
  static_assert(inlay::join_arrays(std::array{1}, std::array<int, 0>{}, std::array{2, 3}) == std::array{1, 2, 3});
  CHECK(inlay::join_arrays<int>().empty());
}

TEST_CASE("storage types know their blocks") {
  static_assert(inlay::row_bytes(inlay::dtype::q4_0, 64) == 36);
  static_assert(inlay::row_bytes(inlay::dtype::q6_k, 512) == 420);
  static_assert(inlay::row_bytes(inlay::dtype::bf16, 3) == 6);
  CHECK(inlay::name(inlay::dtype::q4_k) == "Q4_K");
  for (std::size_t i = 0; i < inlay::dtype_count; ++i) {
    const auto& g = inlay::geometry(static_cast<inlay::dtype>(i));
    CHECK(256 % g.weights == 0);
    CHECK(g.bytes > 0);
  }
}

TEST_CASE("buffers are zeroed, aligned and movable") {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{4096}, std::size_t{5} << 20}) {
    auto b = inlay::buffer::allocate(bytes);
    REQUIRE(b.has_value());
    CHECK(reinterpret_cast<std::uintptr_t>(b->data()) % inlay::buffer_alignment == 0);
    CHECK(b->size() == bytes);
    bool zero = true;
    for (std::size_t i = 0; i < bytes; ++i) zero &= b->data()[i] == std::byte{0};
    CHECK(zero);
    b->data()[bytes - 1] = std::byte{7};
    std::byte* where = b->data();
    inlay::buffer moved = *std::move(b);
    CHECK(moved.data() == where);
    CHECK(moved.data()[bytes - 1] == std::byte{7});
  }
  CHECK(inlay::buffer::allocate(0)->data() == nullptr);
  const auto huge = inlay::buffer::allocate(SIZE_MAX / 4);
  REQUIRE_FALSE(huge.has_value());
  CHECK(huge.error().code == inlay::errc::memory);
}

TEST_CASE("an arena hands out aligned parts and takes back frames") {
  alignas(64) std::array<std::byte, 1024> memory;
  inlay::arena a(memory.data(), memory.size());
  auto* first = a.take<float>(3);
  auto* second = a.take<char>(65);
  CHECK(reinterpret_cast<std::byte*>(second) - reinterpret_cast<std::byte*>(first) == 64);
  CHECK(a.used() == 64 + 128);
  {
    const inlay::arena::frame frame(a);
    static_cast<void>(a.take<double>(10));
    CHECK(a.used() == 64 + 128 + 128);
  }
  CHECK(a.used() == 64 + 128);
  CHECK(a.highest() == 64 + 128 + 128);
}

TEST_CASE("a pool runs every task once, whatever its size") {
  for (const std::size_t threads : {0, 1, 2, 3, 8}) {
    inlay::thread_pool pool(threads);
    CHECK(pool.size() == std::max<std::size_t>(threads, 1));
    for (const std::size_t tasks : {0, 1, 2, 7, 100}) {
      std::vector<std::atomic<int>> runs(tasks);
      pool.run(tasks, [&](std::size_t i) { ++runs[i]; });
      for (const auto& r : runs) CHECK(r == 1);
    }
  }
}

TEST_CASE("what one job writes, the next reads") {
  inlay::thread_pool pool(4);
  std::vector<std::uint64_t> values(64, 1);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::uint64_t> next(values.size());
    pool.run(values.size(), [&](std::size_t i) { next[i] = values[i] + values[(i + 1) % values.size()] % 7; });
    std::vector<std::uint64_t> expected(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) expected[i] = values[i] + values[(i + 1) % values.size()] % 7;
    REQUIRE(next == expected);
    values = next;
  }
}

TEST_CASE("a job that says what it reads is a job like any other") {
  std::vector<std::byte> memory(1 << 16);
  for (const std::size_t threads : {1, 2, 5}) {
    inlay::thread_pool pool(threads);
    for (int round = 0; round < 200; ++round) {
      std::vector<std::atomic<int>> runs(31);
      const std::size_t begin = round % 5 * 4096;
      pool.run(
          runs.size(), [&](std::size_t i) { ++runs[i]; },
          [&](std::size_t t) { return std::span<const std::byte>(memory).subspan(begin + t * 640, round % 3 * 1000); });
      if (round % 2 == 0) pool.run(3, [&](std::size_t i) { ++runs[i]; });
      for (std::size_t i = 0; i < runs.size(); ++i) REQUIRE(runs[i] == (i < 3 && round % 2 == 0 ? 2 : 1));
    }
  }
}

TEST_CASE("what a pool's threads are expected to read next is what followed the last time, or what is said") {
  std::vector<std::byte> memory(1000);
  const auto reads = [&](std::size_t job) {
    return [&memory, job](std::size_t t) { return std::span<const std::byte>(memory).subspan(100 * job + 50 * t, 10); };
  };
  for (const std::size_t threads : {1, 2, 3}) {
    inlay::thread_pool pool(threads);
    const auto expects = [&](std::size_t job) {
      bool right = true;
      for (std::size_t t = 0; t < pool.size(); ++t)
        right = right && pool.expected(t).data() == (pool.size() == 1 ? nullptr : reads(job)(t).data());
      return right;
    };
    const auto run = [&](std::size_t job) { pool.run(4, [](std::size_t) {}, reads(job)); };
    CHECK(pool.expected(0).empty());
    run(1);
    run(2);
    CHECK(pool.expected(0).empty());
    run(1);
    CHECK(expects(2));
    pool.expect(reads(5));
    pool.run(4, [](std::size_t) {});
    CHECK(expects(5));
    pool.expect_as_before();
    CHECK(expects(2));
  }
}

TEST_CASE("a trail tells what was read after a job the last time") {
  std::vector<std::byte> memory(1000);
  inlay::read_trail trail(2);
  const auto add = [&](std::size_t job, std::size_t bytes) {
    trail.add([&](std::size_t t) { return std::span<const std::byte>(memory).subspan(100 * job + 50 * t, bytes); });
  };
  const auto is = [&](std::size_t thread, std::size_t job) {
    return trail.next(thread).data() == memory.data() + 100 * job + 50 * thread;
  };
  CHECK(trail.next(0).empty());
  for (const std::size_t job : {1, 2, 3}) {
    add(job, 10 * job);
    CHECK(trail.next(1).empty());
  }
  add(1, 10);
  CHECK(is(0, 2));
  CHECK(is(1, 2));
  CHECK(trail.next(1).size() == 20);
  add(3, 30);  // not what was expected
  CHECK(is(1, 1));
  add(1, 10);
  CHECK(is(0, 3));

  // More jobs than it has room for: what is forgotten is not made up.
  std::vector<std::byte> many(64 * 9000);
  for (int pass = 0; pass < 2; ++pass)
    for (std::size_t job = 0; job < 9000; ++job) {
      trail.add([&](std::size_t) { return std::span<const std::byte>(many).subspan(64 * job, 1); });
      const auto next = trail.next(0);
      REQUIRE((next.size() <= 30 && (next.size() != 1 || (next.data() - many.data()) % 64 == 0)));
    }

  inlay::prefetch_span ahead(std::span<const std::byte>(many).first(64 * 20));
  int steps = 0;
  while (ahead.step()) ++steps;
  CHECK(steps == 3);
  CHECK_FALSE(inlay::prefetch_span().step());
}

TEST_CASE("function_ref calls what it was made from") {
  int sum = 0;
  auto add = [&](int a, int b) { return sum += a * b; };
  const inlay::function_ref<int(int, int)> f = add;
  CHECK(f(2, 3) == 6);
  CHECK(f(1, 1) == 7);
  CHECK_FALSE(static_cast<bool>(inlay::function_ref<void()>()));
}

TEST_CASE("a checksum depends on the bytes and their number, not on how they come") {
  std::vector<std::byte> bytes(41);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 37);
  const auto sum = [](std::span<const std::byte> all) {
    inlay::checksum c;
    c.add(all);
    return c.value();
  };
  const std::uint64_t whole = sum(bytes);
  for (std::size_t first = 0; first <= bytes.size(); ++first)
    for (std::size_t second = first; second <= bytes.size(); second += 3) {
      inlay::checksum c;
      c.add(std::span(bytes).first(first));
      c.add(std::span(bytes).subspan(first, second - first));
      c.add(std::span(bytes).subspan(second));
      CHECK(c.value() == whole);
    }
  for (std::size_t i = 0; i < bytes.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      bytes[i] ^= static_cast<std::byte>(1 << bit);
      CHECK(sum(bytes) != whole);
      bytes[i] ^= static_cast<std::byte>(1 << bit);
    }
  const std::vector<std::byte> zeros(17);
  for (std::size_t n = 0; n < zeros.size(); ++n) CHECK(sum(std::span(zeros).first(n)) != sum(zeros));
}
