// SPDX-License-Identifier: Apache-2.0
// Every tensor gets the storage type that llama.cpp's quantize gives it (tests/reference/mixtures.py).
#include <doctest/doctest.h>

#include <cstddef>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/convert/quantization_mix.hpp"
#include "inlay/core/error.hpp"

namespace {

using namespace inlay;

/// The outlines of tests/reference/mixtures.py.
struct outline {
  std::vector<std::string> names;
  std::vector<tensor_outline> tensors;
  mix_facts facts;

  void add(std::string name, unsigned rank, std::size_t columns) {
    names.push_back(std::move(name));
    tensors.push_back({"", dtype::f32, rank, columns});
  }
  void finish() {
    for (std::size_t i = 0; i < names.size(); ++i) tensors[i].name = names[i];
  }
};

void make(outline& made, std::size_t layers, std::size_t group, std::size_t width, std::size_t inner,
          std::size_t experts, bool tied) {
  made.facts = {.layers = layers, .heads_per_kv_head = group, .experts = experts};
  made.add("token_embd.weight", 2, width);
  made.add("output_norm.weight", 1, width);
  if (!tied) made.add("output.weight", 2, width);
  for (std::size_t i = 0; i < layers; ++i) {
    const auto add = [&](std::string_view name, unsigned rank, std::size_t columns) {
      made.add(concat("blk.", i, ".", name, ".weight"), rank, columns);
    };
    add("attn_norm", 1, width);
    add("attn_q", 2, width);
    add("attn_k", 2, width);
    add("attn_v", 2, width);
    add("attn_output", 2, width);
    add("ffn_norm", 1, width);
    if (experts != 0) add("ffn_gate_inp", 2, width);
    const std::string_view ending = experts != 0 ? "_exps" : "";
    const unsigned rank = experts != 0 ? 3 : 2;
    add(concat("ffn_gate", ending), rank, width);
    add(concat("ffn_up", ending), rank, width);
    add(concat("ffn_down", ending), rank, inner);
  }
  made.finish();
}

}  // namespace

TEST_CASE("mixtures are those of llama.cpp") {
  std::ifstream file(INLAY_TEST_DATA "/convert/mixtures.txt");
  int lines = 0;
  for (std::string line; std::getline(file, line); ++lines) {
    std::istringstream words(line);
    std::string kind, type;
    words >> kind >> type;
    INFO(kind << ' ' << type);
    outline model;
    if (kind == "grouped") make(model, 20, 4, 256, 512, 0, false);
    if (kind == "tied") make(model, 9, 2, 256, 256, 0, true);
    if (kind == "fallback") make(model, 8, 2, 288, 272, 0, false);
    if (kind == "experts") make(model, 8, 2, 256, 256, 8, false);
    const auto wanted = find_file_type(type);
    REQUIRE(wanted.has_value());
    const std::vector<dtype> chosen = choose_types(model.tensors, *wanted, model.facts);
    std::size_t at = 0;
    for (std::string run; words >> run;) {
      const std::size_t star = run.find('*');
      const std::size_t count = star == std::string::npos ? 1 : std::stoul(run.substr(0, star));
      const std::string expected = star == std::string::npos ? run : run.substr(star + 1);
      for (std::size_t i = 0; i < count; ++i, ++at) {
        REQUIRE(at < chosen.size());
        INFO(model.names[at]);
        CHECK(name(chosen[at]) == expected);
      }
    }
    CHECK(at == chosen.size());
  }
  CHECK(lines == 35);
}

TEST_CASE("one type for all, as far as rows allow") {
  outline model;
  make(model, 2, 2, 288, 272, 0, false);
  const auto chosen = choose_types(model.tensors, file_type::q6_k, model.facts, true);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    INFO(model.names[i]);
    const bool down = model.names[i].find("ffn_down") != std::string::npos;
    CHECK(chosen[i] == (model.tensors[i].rank == 1 ? dtype::f32 : down ? dtype::f16 : dtype::q8_0));
  }
  CHECK(find_file_type("Q4_K") == file_type::q4_k_m);
  CHECK_FALSE(find_file_type("q4_k").has_value());
}
