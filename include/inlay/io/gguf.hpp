// SPDX-License-Identifier: Apache-2.0
// Reads GGUF files, versions 2 and 3, little-endian: gguf_file::parse.
#pragma once

#include "inlay/io/gguf_file.hpp"    // IWYU pragma: export
#include "inlay/io/gguf_parser.hpp"  // IWYU pragma: export
