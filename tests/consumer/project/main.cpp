// SPDX-License-Identifier: Apache-2.0
#include <inlay/core/error.hpp>

#include <cstdio>

int main() {
  const auto reason = inlay::fail(inlay::errc::missing, inlay::concat("tensor ", 7));
  std::printf("%s\n", reason.error().message.c_str());
  return reason.error().message == "tensor 7" ? 0 : 1;
}
