// SPDX-License-Identifier: Apache-2.0
// The models whose perplexity can be measured.
#include "inlay/generate/small_zoo.hpp"

INLAY_INSTANTIATE_ZOO(inlay::small_zoo);
