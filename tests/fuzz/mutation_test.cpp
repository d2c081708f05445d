// SPDX-License-Identifier: Apache-2.0
// A deterministic stand-in for the fuzzers that every test run can afford: valid small files with thousands of
// mutations each.
#include <doctest/doctest.h>

#include <cstddef>
#include <span>
#include <string>

#include "tests/fuzz/exercise.hpp"
#include "tests/fuzz/mutate.hpp"

namespace inlay {
namespace {

using fuzz::bytes;
using fuzz::read_file;
using fuzz::survivors;

TEST_CASE("mutated GGUF files are read or refused") {
  const bytes file = read_file(INLAY_TEST_DATA "/io/small.gguf");
  const int accepted = survivors(file, 20'000, [](std::span<const std::byte> b) { return fuzz::read_gguf(b); });
  CHECK(accepted > 100);     // mutations of values leave a file valid,
  CHECK(accepted < 19'000);  // of structure seldom
}

TEST_CASE("mutated safetensors files are read or refused") {
  for (const std::string name : {"model-00001-of-00002", "model-00002-of-00002"}) {
    const bytes file = read_file(INLAY_TEST_DATA "/io/sharded/" + name + ".safetensors");
    const int accepted =
        survivors(file, 10'000, [](std::span<const std::byte> b) { return fuzz::read_safetensors(b); });
    CHECK(accepted > 100);
    CHECK(accepted < 9'000);
  }
}

TEST_CASE("mutated JSON files are read or refused") {
  for (const std::string name : {"config.json", "model.safetensors.index.json"}) {
    const bytes file = read_file(INLAY_TEST_DATA "/io/sharded/" + name);
    const int accepted = survivors(file, 10'000, [](std::span<const std::byte> b) { return fuzz::read_json(b); });
    CHECK(accepted > 100);
    CHECK(accepted < 9'000);
  }
}

}  // namespace
}  // namespace inlay
