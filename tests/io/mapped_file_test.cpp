// SPDX-License-Identifier: Apache-2.0
#include "inlay/io/mapped_file.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "tests/io/support.hpp"

namespace inlay {
namespace {

std::vector<std::byte> pattern(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + (i >> 8));
  return bytes;
}

TEST_CASE("a file is mapped as it is, and stays in place when its owner moves") {
  const test::temporary_folder folder;
  const std::vector<std::byte> expected = pattern(100'001);
  test::write_file(folder / "a", expected);
  mapped_file first = test::value_of(mapped_file::open(folder / "a"));
  CHECK(first.path() == folder / "a");
  const std::byte* where = first.bytes().data();
  mapped_file second = std::move(first);
  CHECK(second.bytes().data() == where);
  CHECK(std::equal(second.bytes().begin(), second.bytes().end(), expected.begin(), expected.end()));
  CHECK(first.bytes().empty());  // NOLINT(bugprone-use-after-move): moved-from files are empty
}

TEST_CASE("an empty file has no bytes") {
  const test::temporary_folder folder;
  test::write_file(folder / "empty", "");
  CHECK(test::value_of(mapped_file::open(folder / "empty")).bytes().empty());
}

TEST_CASE("what is no readable file is an error that names it") {
  const test::temporary_folder folder;
  test::check_error(mapped_file::open(folder / "absent"), errc::io, {folder / "absent", "opened"});
  test::check_error(mapped_file::open(folder.path()), errc::io, {folder.path()});
}

TEST_CASE("hints and released pages change no byte") {
  const test::temporary_folder folder;
  const std::vector<std::byte> expected = pattern(1'000'000);
  test::write_file(folder / "a", expected);
  const mapped_file file = test::value_of(mapped_file::open(folder / "a"));
  const auto all = file.bytes();
  file.advise(all, mapped_file::access::sequential);
  file.will_need(all.subspan(5000, 100'000));
  for (const auto part : {all, all.subspan(1, 10), all.subspan(4096, 8192), all.subspan(999'000), all.subspan(3, 0)}) {
    file.release(part);
    CHECK(std::equal(all.begin(), all.end(), expected.begin(), expected.end()));
  }
  file.advise(all, mapped_file::access::random);
  file.advise(all, mapped_file::access::normal);
  file.release(expected);  // not of this file: ignored
  CHECK_FALSE(file.contains(expected));
  CHECK(file.contains(all.subspan(1'000'000)));
}

TEST_CASE("parts are fetched into memory of the caller's") {
  const test::temporary_folder folder;
  const std::vector<std::byte> expected = pattern(100'001);
  test::write_file(folder / "a", expected);
  mapped_file opened = test::value_of(mapped_file::open(folder / "a"));
  const mapped_file file = std::move(opened);
  std::vector<std::byte> room(expected.size());
  for (const auto& [first, count] : {std::pair{0, 100'001}, {1, 10}, {4095, 8194}, {100'000, 1}, {7, 0}}) {
    const std::byte* found = file.fetch(file.bytes().subspan(first, count), room.data());
    CHECK(std::equal(found, found + count, expected.begin() + first));
#if INLAY_MAPS_FILES
    CHECK(found == room.data());
#endif
  }
  CHECK(file.fetch(expected, room.data()) == expected.data());  // not of this file: where it is
}

}  // namespace
}  // namespace inlay
