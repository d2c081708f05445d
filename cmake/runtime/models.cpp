// SPDX-License-Identifier: Apache-2.0
// Loading and running models: what does not depend on their types. Needs INLAY_LINKED.
#include <inlay/generate/runtime.hpp>
