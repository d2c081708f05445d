// SPDX-License-Identifier: Apache-2.0
// Qwen2.5, Qwen3, Gemma 3, Phi-3 and Mistral against transformers.
#include "golden.hpp"
#include "inlay/kernels/plain.hpp"
#include "inlay/models/gemma3.hpp"
#include "inlay/models/mistral.hpp"
#include "inlay/models/phi3.hpp"
#include "inlay/models/qwen2.hpp"
#include "inlay/models/qwen3.hpp"

namespace {

using namespace inlay::models;

template <class Model, class K>
void check_safetensors(std::string_view name, std::string_view expected = "expected.safetensors") {
  golden::check<Model, K>(golden::path(name), golden::path(name, expected), golden::f32_tolerance);
}
template <class Model, class K>
void check_both(std::string_view name, std::string_view expected = "expected.safetensors") {
  check_safetensors<Model, K>(name, expected);
  golden::check<Model, K>(golden::path(name, "model.gguf"), golden::path(name, expected), golden::f32_tolerance);
}

#define POLICIES inlay::kernels::plain, inlay::kernels::standard

}  // namespace

TEST_CASE_TEMPLATE("Qwen2.5", K, POLICIES) {
  struct tied : qwen2<{.vocab = 272,
                       .width = 48,
                       .layers = 2,
                       .heads = 6,
                       .kv_heads = 2,
                       .head_dim = 8,
                       .inner = 80,
                       .rope = {.theta = 1e6f},
                       .epsilon = 1e-6f,
                       .tied = true}> {};
  struct yarn : qwen2<{.vocab = 272,
                       .width = 48,
                       .layers = 2,
                       .heads = 3,
                       .kv_heads = 1,
                       .head_dim = 16,
                       .inner = 80,
                       .rope = {.yarn = {.factor = 4.0f, .original_context = 128.0f}},
                       .epsilon = 1e-6f}> {};
  check_both<tied, K>("qwen2_tied");
  check_both<yarn, K>("qwen2_yarn");
}

TEST_CASE_TEMPLATE("Qwen3", K, POLICIES) {
  struct tied : qwen3<{.vocab = 272,
                       .width = 48,
                       .layers = 2,
                       .heads = 4,
                       .kv_heads = 2,
                       .head_dim = 32,
                       .inner = 96,
                       .tied = true}> {};
  struct untied
      : qwen3<{.vocab = 272, .width = 48, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 16, .inner = 96}> {};
  check_both<tied, K>("qwen3_tied");
  check_both<untied, K>("qwen3_untied");
}

TEST_CASE_TEMPLATE("Qwen3 with a dense layer among experts", K, POLICIES) {
  constexpr qwen3_config sparse{.vocab = 272,
                                .width = 48,
                                .layers = 3,
                                .heads = 4,
                                .kv_heads = 2,
                                .head_dim = 16,
                                .inner = 32,
                                .experts = 4,
                                .top_k = 3,
                                .normalise = false,
                                .tied = true};
  constexpr qwen3_config dense{
      .vocab = 272, .width = 48, .layers = 3, .heads = 4, .kv_heads = 2, .head_dim = 16, .inner = 96};
  struct mixed : inlay::causal_lm<{.vocab = 272, .width = 48}, qwen3_block<sparse>, qwen3_block<dense>,
                                  qwen3_block<sparse>, inlay::rms_norm<{.epsilon = 1e-6f}>, inlay::tied_head> {
    static constexpr inlay::checkpoint_description checkpoint() { return qwen3<sparse>::checkpoint(); }
  };
  check_safetensors<mixed, K>("qwen3_moe_mixed");
}

TEST_CASE_TEMPLATE("Gemma 3", K, POLICIES) {
  struct local_global : gemma3<{.vocab = 272,
                                .width = 32,
                                .layers = 7,
                                .heads = 4,
                                .kv_heads = 1,
                                .head_dim = 16,
                                .inner = 48,
                                .window = 8,
                                .query_scale = 16.0f}> {};
  struct linear : gemma3<{.vocab = 272,
                          .width = 32,
                          .layers = 6,
                          .heads = 2,
                          .kv_heads = 2,
                          .head_dim = 16,
                          .inner = 48,
                          .window = 8,
                          .query_scale = 16.0f,
                          .global_linear_factor = 8.0f}> {};
  check_both<local_global, K>("gemma3_local_global");
  check_both<linear, K>("gemma3_linear");
}

TEST_CASE_TEMPLATE("Phi-3", K, POLICIES) {
  struct plain_rope : phi3<{.vocab = 272,
                            .width = 64,
                            .layers = 2,
                            .heads = 4,
                            .kv_heads = 1,
                            .head_dim = 16,
                            .inner = 64,
                            .rope = {.theta = 250'000.0f}}> {};
  struct window : phi3<{.vocab = 272,
                        .width = 48,
                        .layers = 2,
                        .heads = 4,
                        .kv_heads = 4,
                        .head_dim = 12,
                        .inner = 64,
                        .window = 7}> {};
  check_both<plain_rope, K>("phi3_plain");
  check_both<window, K>("phi3_window");
}

TEST_CASE_TEMPLATE("LongRoPE, within the original context and beyond it", K, POLICIES) {
  constexpr inlay::longrope_scaling scaling{.original_context = 40.0f, .context = 1280.0f};
  struct whole : phi3<{.vocab = 272,
                       .width = 48,
                       .layers = 2,
                       .heads = 4,
                       .kv_heads = 4,
                       .head_dim = 12,
                       .inner = 64,
                       .rope = {.longrope = scaling}}> {};
  struct partial : phi3<{.vocab = 272,
                         .width = 64,
                         .layers = 2,
                         .heads = 4,
                         .kv_heads = 2,
                         .head_dim = 16,
                         .inner = 64,
                         .rope = {.dim = 12, .longrope = scaling},
                         .tied = true}> {};
  check_both<whole, K>("phi3_longrope");
  check_both<whole, K>("phi3_longrope", "expected.long.safetensors");
  check_both<partial, K>("phi3_partial_longrope");
  check_both<partial, K>("phi3_partial_longrope", "expected.long.safetensors");
}

TEST_CASE_TEMPLATE("Mistral", K, POLICIES) {
  struct head_dim : mistral<{.vocab = 272,
                             .width = 64,
                             .layers = 2,
                             .heads = 3,
                             .kv_heads = 1,
                             .head_dim = 16,
                             .inner = 96,
                             .rope = {.theta = 1e8f}}> {};
  struct yarn : mistral<{.vocab = 272,
                         .width = 48,
                         .layers = 2,
                         .heads = 2,
                         .kv_heads = 1,
                         .head_dim = 32,
                         .inner = 96,
                         .rope = {.yarn = {.factor = 16.0f, .original_context = 32.0f, .attention_factor = 1.0f}},
                         .tied = true,
                         .temperature_beta = 0.1f,
                         .temperature_period = 32.0f}> {};
  check_both<head_dim, K>("mistral_head_dim");
  check_both<yarn, K>("ministral3_yarn");
}
