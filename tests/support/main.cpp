// SPDX-License-Identifier: Apache-2.0
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>

#include "tests/support/skip.hpp"

namespace {
constexpr int skipped_code = 77;  // SKIP_RETURN_CODE of every test
bool skipped = false;
}  // namespace

void inlay_test::skip(const char* reason) {
  skipped = true;
  std::printf("skipped: %s\n", reason);
}

int main(int argc, char** argv) {
  doctest::Context context(argc, argv);
  const int failed = context.run();
  if (context.shouldExit() || failed != 0) return failed;
  return skipped ? skipped_code : 0;
}
