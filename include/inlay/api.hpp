// SPDX-License-Identifier: Apache-2.0
// The cheap header: models by name, loading, sessions, embedders and classifiers, for every translation unit of a
// program but one. That one includes inlay/inlay.hpp and says INLAY_INSTANTIATE(model) for each model type it loads
// (INLAY_INSTANTIATE_ENCODER for encoders).
#pragma once

#include "inlay/config/version.hpp"
#include "inlay/generate/classifier.hpp"
#include "inlay/generate/embedder.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/generate/open.hpp"
#include "inlay/generate/session.hpp"
#include "inlay/models/fwd.hpp"
