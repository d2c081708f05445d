// SPDX-License-Identifier: Apache-2.0
// The published models have the published numbers of parameters. All of it is checked by the compiler.
#include <doctest/doctest.h>

#include "inlay/models/bert.hpp"
#include "inlay/models/gemma3.hpp"
#include "inlay/models/gemma4.hpp"
#include "inlay/models/llama.hpp"
#include "inlay/models/mistral.hpp"
#include "inlay/models/mobilebert.hpp"
#include "inlay/models/nemotron_h.hpp"
#include "inlay/models/openelm.hpp"
#include "inlay/models/phi3.hpp"
#include "inlay/models/qwen2.hpp"
#include "inlay/models/qwen3.hpp"
#include "inlay/models/qwen3_5.hpp"

namespace {

using namespace inlay::models;

static_assert(llama3_2_1b::parameter_count == 1'235'814'400);
static_assert(llama3_2_3b::parameter_count == 3'212'749'824);
static_assert(tinyllama_1_1b::parameter_count == 1'100'048'384);
static_assert(smollm2_135m::parameter_count == 134'515'008);
static_assert(smollm2_360m::parameter_count == 361'821'120);
static_assert(smollm2_1_7b::parameter_count == 1'711'376'384);

// Published counts include the pooler, which embeddings do not use.
template <bert_config C>
constexpr std::size_t with_pooler = bert_embedder<C>::parameter_count + C.width * (C.width + 1);
static_assert(with_pooler<bert_base_config> == 109'482'240);
static_assert(with_pooler<minilm_l6_config> == 22'713'216);
static_assert(with_pooler<minilm_l12_config> == 33'360'000);
static_assert(mobilebert<mobilebert_config{}, inlay::first_token>::parameter_count == 24'581'888);

static_assert(gemma3_270m::parameter_count == 268'098'176);
static_assert(gemma3_1b::parameter_count == 999'885'952);
static_assert(gemma3_4b::parameter_count == 3'880'263'168);
static_assert(gemma3_12b::parameter_count == 11'766'034'176);

static_assert(mistral_7b_v0_1::parameter_count == 7'241'732'096);
static_assert(mistral_7b_v0_3::parameter_count == 7'248'023'552);
static_assert(mistral_nemo_12b::parameter_count == 12'247'782'400);
static_assert(mistral_small_24b::parameter_count == 23'572'403'200);
static_assert(ministral_8b::parameter_count == 8'019'808'256);

static_assert(openelm_270m::parameter_count == 271'527'168);
static_assert(openelm_450m::parameter_count == 457'179'136);
static_assert(openelm_1_1b::parameter_count == 1'079'891'456);
static_assert(openelm_3b::parameter_count == 3'036'647'424);

static_assert(phi3_5_mini::parameter_count == 3'821'079'552);
static_assert(phi4_mini::parameter_count == 3'836'021'760);
static_assert(phi4::parameter_count == 14'659'507'200);

static_assert(qwen2_5_0_5b::parameter_count == 494'032'768);
static_assert(qwen2_5_1_5b::parameter_count == 1'543'714'304);
static_assert(qwen2_5_3b::parameter_count == 3'085'938'688);

static_assert(qwen3_5_0_8b::parameter_count == 752'393'024);
static_assert(qwen3_5_2b::parameter_count == 1'881'825'088);

static_assert(nemotron_nano_9b_v2::parameter_count == 8'888'227'328);
// Published counts are without the biases that correct the router: 23 layers of 128 experts.
static_assert(nemotron3_nano_30b_a3b::parameter_count - 23 * 128 == 31'577'937'344);

// Known to two or three figures only.
constexpr bool about(std::size_t count, double billions) {
  const double ratio = static_cast<double>(count) / (billions * 1e9);
  return ratio > 0.995 && ratio < 1.005;
}
static_assert(about(qwen3_5_4b::parameter_count, 4.206));
static_assert(about(nemotron3_nano_4b::parameter_count, 3.97));
static_assert(about(gemma4_e2b::parameter_count, 4.63));
static_assert(about(gemma4_e4b::parameter_count, 7.46));
static_assert(about(gemma4_12b::parameter_count, 11.9));
static_assert(about(gemma4_26b_a4b::parameter_count, 25.2));
static_assert(about(gemma4_31b::parameter_count, 30.7));
static_assert(about(ministral3_3b::parameter_count, 3.43));
static_assert(about(ministral3_8b::parameter_count, 8.49));

static_assert(qwen3_0_6b::parameter_count == 596'049'920);
static_assert(qwen3_1_7b::parameter_count == 1'720'574'976);
static_assert(qwen3_4b::parameter_count == 4'022'468'096);
static_assert(qwen3_30b_a3b::parameter_count == 30'532'122'624);

// What is absent takes no room: a weight is a reference, the state four words an attention layer.
static_assert(sizeof(llama3_2_1b) < 16 * 1024);
static_assert(smollm2_135m::kv_cache_bytes(2048) == 30ull * 2 * 3 * 64 * 2 * 2048);
static_assert(llama3_2_1b::kv_cache_bytes(8192, inlay::dtype::q8_0) == 16ull * 2 * 8 * 8192 * 2 * 34);

}  // namespace

TEST_CASE("compiled") { CHECK(smollm2_135m::block_count == 30); }
