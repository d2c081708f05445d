// SPDX-License-Identifier: Apache-2.0
// An error that nobody looks at.
#include "inlay/core/error.hpp"

inlay::result<int> parse() { return 1; }

int main() {
#ifdef INLAY_COMPILE_FAIL_MENDED
  return parse() ? 0 : 1;
#else
  parse();
#endif
}
