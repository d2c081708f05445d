// SPDX-License-Identifier: Apache-2.0
// A budget that the model does not keep.
#include "inlay/models/llama.hpp"

using model = inlay::models::smollm2_135m;
#ifdef INLAY_COMPILE_FAIL_MENDED
constexpr std::size_t megabytes = 64;
#else
constexpr std::size_t megabytes = 8;
#endif

static_assert(model::kv_cache_bytes(2048) + model::scratch_bytes(1) < megabytes << 20, "too large for the device");
