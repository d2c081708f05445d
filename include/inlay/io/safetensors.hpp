// SPDX-License-Identifier: Apache-2.0
// Reads safetensors files: safetensors_file::parse.
#pragma once

#include "inlay/io/safetensors_file.hpp"    // IWYU pragma: export
#include "inlay/io/safetensors_parser.hpp"  // IWYU pragma: export
