// SPDX-License-Identifier: Apache-2.0
// What does not depend on a model's type, compiled once: the library inlay::runtime. Needs INLAY_LINKED.
#include <inlay/generate/runtime.hpp>
