// SPDX-License-Identifier: Apache-2.0
// The definitions of all that does not depend on a model's type and that cheap headers declare: loading, sessions. They
// come with generate/load.hpp, so that nothing has to be linked. With INLAY_LINKED they do not, and exactly one
// translation unit of the program includes this header, and one, the same or another, kernels/linked_kernels.hpp: those
// of the library inlay::runtime.
#pragma once

#include "inlay/generate/language_model_parts.hpp"
#include "inlay/generate/load_checkpoint_definitions.hpp"
#include "inlay/generate/lora_definitions.hpp"
#include "inlay/generate/session_definitions.hpp"
#if defined(INLAY_LINKED)
#include "inlay/generate/encoder_definitions.hpp"
#include "inlay/generate/known_model_definitions.hpp"

namespace inlay {
template result<checkpoint> open_checkpoint<>(std::string path);
}
#endif
