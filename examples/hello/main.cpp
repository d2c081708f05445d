// SPDX-License-Identifier: Apache-2.0
// hello FILE    asks SmolLM2-135M-Instruct a question (a GGUF file or a folder of safetensors)

#include <inlay/inlay.hpp>
#include <iostream>
#include <string_view>

int main(int argc, char** argv) {
  const auto model = inlay::load<inlay::models::smollm2_135m>(argc > 1 ? argv[1] : "SmolLM2-135M-Instruct.gguf");
  if (!model) {
    std::cerr << model.error() << '\n';
    return 1;
  }
  inlay::session chat(*model);
  for (std::string_view piece : chat.reply("Why is the sky blue?")) std::cout << piece << std::flush;
  std::cout << '\n';
  if (!chat.failure()) return 0;
  std::cerr << *chat.failure() << '\n';
  return 1;
}
