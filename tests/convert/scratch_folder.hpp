// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "inlay/core/error.hpp"

namespace inlay_test {

/// A folder of its own for each test, gone with it.
class scratch_folder {
 public:
  explicit scratch_folder(std::string_view name)
      : path_(std::filesystem::temp_directory_path() /
              inlay::concat("inlay_", name, "_", reinterpret_cast<std::uintptr_t>(this))) {
    std::filesystem::create_directories(path_);
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string path() const { return path_.string(); }
  std::string operator/(std::string_view name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace inlay_test
