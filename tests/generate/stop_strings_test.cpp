// SPDX-License-Identifier: Apache-2.0
#include "inlay/generate/stop_strings.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace {

/// What comes out when `text` goes in in pieces of `size` characters.
std::string through(std::vector<std::string> stops, std::string_view text, std::size_t size) {
  inlay::stop_strings s(std::move(stops));
  std::string out;
  for (std::size_t i = 0; i < text.size() && !s.found(); i += size) out += s.push(text.substr(i, size));
  out += s.finish("");
  return out;
}

}  // namespace

TEST_CASE("text without a stop string passes unchanged") {
  for (const std::size_t size : {1, 2, 3, 7, 100}) {
    CHECK(through({}, "hello world", size) == "hello world");
    CHECK(through({"###", "END"}, "## EN ##EN#", size) == "## EN ##EN#");
  }
}

TEST_CASE("text ends before the first stop string, however it is cut") {
  for (const std::size_t size : {1, 2, 3, 7, 100}) {
    CHECK(through({"STOP"}, "abc STOP def", size) == "abc ");
    CHECK(through({"STOP", "c S"}, "abc STOP def", size) == "ab");
    CHECK(through({"aab"}, "aaaab", size) == "aa");
    CHECK(through({"x"}, "x", size).empty());
  }
}

TEST_CASE("what may begin a stop string is held back until it is known") {
  inlay::stop_strings s({"<end>"});
  CHECK(s.push("a<e") == "a");
  CHECK(s.push("n") == "");
  CHECK(s.push("x") == "<enx");
  CHECK_FALSE(s.found());
  CHECK(s.push("<end>") == "");
  CHECK(s.found());
  CHECK(s.push("more") == "");
}

TEST_CASE("empty stop strings stop nothing") { CHECK(through({""}, "abc", 1) == "abc"); }
