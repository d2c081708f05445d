// SPDX-License-Identifier: Apache-2.0
// The published models that run on any machine: what open() takes when it is not told otherwise.
#pragma once

#include "inlay/generate/zoo.hpp"
#include "inlay/models/gemma3.hpp"
#include "inlay/models/gemma4.hpp"
#include "inlay/models/llama.hpp"
#include "inlay/models/mistral.hpp"
#include "inlay/models/nemotron_h.hpp"
#include "inlay/models/openelm.hpp"
#include "inlay/models/phi3.hpp"
#include "inlay/models/qwen2.hpp"
#include "inlay/models/qwen3.hpp"
#include "inlay/models/qwen3_5.hpp"

namespace inlay {

struct small_zoo
    : zoo<models::smollm2_135m, models::smollm2_360m, models::smollm2_1_7b, models::tinyllama_1_1b, models::llama3_2_1b,
          models::llama3_2_3b, models::qwen2_5_0_5b, models::qwen2_5_1_5b, models::qwen2_5_3b, models::qwen3_0_6b,
          models::qwen3_1_7b, models::qwen3_4b, models::qwen3_5_0_8b, models::qwen3_5_2b, models::qwen3_5_4b,
          models::gemma3_270m, models::gemma3_1b, models::gemma3_4b, models::gemma4_e2b, models::gemma4_e4b,
          models::phi3_5_mini, models::phi4_mini, models::ministral3_3b, models::nemotron3_nano_4b,
          models::openelm_270m> {};

}  // namespace inlay
