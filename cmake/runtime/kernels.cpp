// SPDX-License-Identifier: Apache-2.0
// The kernels of all CPU targets. Needs INLAY_LINKED.
#include <inlay/kernels/linked_kernels.hpp>
