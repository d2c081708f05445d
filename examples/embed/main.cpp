// SPDX-License-Identifier: Apache-2.0
// embed MODEL < TEXTS    reads a text a line and prints how alike they are: the cosines of their embeddings
//
// MODEL is all-MiniLM-L6-v2: a folder of safetensors and tokenizer.json, or a GGUF file.

#include <inlay/inlay.hpp>
#include <inlay/text/unicode_forms_utf8proc.hpp>
#include <iomanip>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace {

int fail(const inlay::error& why) {
  std::cerr << why << '\n';
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: embed MODEL < TEXTS\n";
    return 2;
  }
  // BERT takes accents and capitals away, which needs the tables of Unicode.
  const auto model =
      inlay::load_encoder<inlay::models::all_minilm_l6_v2>(argv[1], {.text = {.forms = &inlay::unicode_from_utf8proc}});
  if (!model) return fail(model.error());

  std::vector<std::string> lines;
  for (std::string line; std::getline(std::cin, line);)
    if (!line.empty()) lines.push_back(line);

  inlay::embedder embedder(*model, {.max_tokens = 256});  // as many as it was trained on
  const auto vectors = embedder.embed(std::vector<std::string_view>(lines.begin(), lines.end()));
  if (!vectors) return fail(vectors.error());

  for (std::size_t i = 0; i < lines.size(); ++i) {
    for (std::size_t j = 0; j < lines.size(); ++j)
      std::cout << std::fixed << std::setprecision(4) << std::setw(8) << inlay::cosine((*vectors)[i], (*vectors)[j]);
    std::cout << "   " << lines[i] << '\n';
  }
}
