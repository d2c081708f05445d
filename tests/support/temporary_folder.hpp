// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <system_error>

namespace inlay_test {

/// A new empty folder, removed at the end of the test.
class temporary_folder {
 public:
  temporary_folder() {
    std::random_device random;
    path_ =
        std::filesystem::temp_directory_path() / ("inlay-test-" + std::to_string(random()) + std::to_string(random()));
    REQUIRE(std::filesystem::create_directory(path_));
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string path() const { return path_.string(); }
  std::string operator/(std::string_view name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace inlay_test
