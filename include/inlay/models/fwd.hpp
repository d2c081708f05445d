// SPDX-License-Identifier: Apache-2.0
// The names of the published models: enough to call load<models::smollm2_135m>().
#pragma once

namespace inlay::models {

struct all_minilm_l6_v2;
struct all_minilm_l12_v2;
struct bge_small_en;
struct bge_base_en;

struct llama3_2_1b;
struct llama3_2_3b;
struct smollm2_135m;
struct smollm2_360m;
struct smollm2_1_7b;
struct tinyllama_1_1b;

struct gemma3_270m;
struct gemma3_1b;
struct gemma3_4b;
struct gemma3_12b;

struct gemma4_e2b;
struct gemma4_e4b;
struct gemma4_12b;
struct gemma4_26b_a4b;
struct gemma4_31b;

struct mistral_7b_v0_1;
struct mistral_7b_v0_3;
struct mistral_nemo_12b;
struct mistral_small_24b;
struct ministral_8b;
struct ministral3_3b;
struct ministral3_8b;

struct nemotron3_nano_4b;
struct nemotron_nano_9b_v2;
struct nemotron3_nano_30b_a3b;

struct openelm_270m;
struct openelm_450m;
struct openelm_1_1b;
struct openelm_3b;

struct phi3_5_mini;
struct phi4_mini;
struct phi4;

struct qwen2_5_0_5b;
struct qwen2_5_1_5b;
struct qwen2_5_3b;

struct qwen3_0_6b;
struct qwen3_1_7b;
struct qwen3_4b;
struct qwen3_30b_a3b;

struct qwen3_5_0_8b;
struct qwen3_5_2b;
struct qwen3_5_4b;

}  // namespace inlay::models
