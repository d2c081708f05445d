// SPDX-License-Identifier: Apache-2.0
// Somebody's program: knows models by name, from the cheap header.
#include <inlay/api.hpp>

#include <cstdio>

int main() {
  const auto model = inlay::load<inlay::models::smollm2_135m>("no/such/model.gguf");
  if (model) return 1;
  std::printf("%s\n", model.error().message.c_str());
  return model.error().message.find("no/such/model.gguf") == std::string::npos ? 1 : 0;
}
