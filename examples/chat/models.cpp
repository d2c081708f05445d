// SPDX-License-Identifier: Apache-2.0
// The one file that knows model types and pays for compiling them. To chat with other models, list their types:
//   using my_zoo = inlay::zoo<inlay::models::mistral_nemo_12b, inlay::small_zoo>;
#include "models.hpp"

#include <inlay/generate/small_zoo.hpp>

INLAY_INSTANTIATE_ZOO(inlay::small_zoo);

std::vector<std::string_view> model_types() {
  std::vector<std::string_view> names;
  for (const inlay::known_model& m : inlay::small_zoo::models()) names.push_back(m.name);
  return names;
}
