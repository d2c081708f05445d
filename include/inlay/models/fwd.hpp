// SPDX-License-Identifier: Apache-2.0
// The names of the published models: enough to call load<models::smollm2_135m>().
#pragma once

namespace inlay::models {

struct llama3_2_1b;
struct llama3_2_3b;
struct smollm2_135m;
struct smollm2_360m;
struct smollm2_1_7b;
struct tinyllama_1_1b;

struct qwen3_0_6b;
struct qwen3_1_7b;
struct qwen3_4b;
struct qwen3_30b_a3b;

}  // namespace inlay::models
