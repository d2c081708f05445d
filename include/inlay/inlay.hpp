// SPDX-License-Identifier: Apache-2.0
// Everything. A program of one file includes this; larger ones include inlay/api.hpp elsewhere.
#pragma once

#include "inlay/api.hpp"
#include "inlay/generate/load.hpp"
#include "inlay/generate/load_encoder.hpp"
#include "inlay/generate/small_zoo.hpp"
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
