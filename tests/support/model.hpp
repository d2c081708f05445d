// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "tests/support/skip.hpp"

namespace inlay_test {

/// The path of a published model's file, for a test registered with inlay_test(... MODELS <name>). Where it could not
/// be downloaded there is none, and the test ends as skipped.
inline std::optional<std::string> model(const std::string& file) {
  const char* folder = std::getenv("INLAY_MODELS");
  std::string path = (folder != nullptr ? std::string(folder) : std::string(".")) + "/" + file;
  if (std::FILE* stream = std::fopen(path.c_str(), "rb")) {
    std::fclose(stream);
    return path;
  }
  skip((file + " is not here").c_str());
  return std::nullopt;
}

}  // namespace inlay_test
