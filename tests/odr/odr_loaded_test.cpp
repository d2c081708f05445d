// SPDX-License-Identifier: Apache-2.0
// The two shared libraries of odr_test.cpp, loaded while the program runs, beside a part of its own.
#include <dlfcn.h>
#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "tests/odr/part.hpp"

TEST_CASE("libraries that are loaded one after the other keep their own targets and kernels") {
  std::vector<float> a(257), b(257);
  double dot = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = std::sin(static_cast<float>(i));
    b[i] = std::cos(0.37f * static_cast<float>(i));
    dot += static_cast<double>(a[i]) * b[i];
  }
  const odr::report own = odr::baseline(a.data(), b.data(), a.size());
  for (const int mode : {RTLD_LOCAL, RTLD_GLOBAL}) {
    std::vector<void*> libraries;
    for (const auto& [library, part] :
         {std::pair{ODR_LIBRARY_A, "odr_a_narrow"}, std::pair{ODR_LIBRARY_B, "odr_b_wide"},
          std::pair{ODR_LIBRARY_B, "odr_b_baseline"}}) {
      const std::string name = part;
      CAPTURE(name);
      void* const loaded = dlopen(library, RTLD_NOW | mode);
      REQUIRE(loaded != nullptr);
      libraries.push_back(loaded);
      using entry = void (*)(const float*, const float*, std::size_t, odr::report*);
      const auto run = reinterpret_cast<entry>(dlsym(loaded, part));
      REQUIRE(run != nullptr);
      odr::report report{};
      run(a.data(), b.data(), a.size(), &report);
      CHECK((report.selected & report.compiled) != 0);
      CHECK(std::abs(report.dot - dot) <= 1e-4);
      CHECK(std::abs(report.product - own.product) <= 0.5);
      if (name == "odr_b_wide") CHECK(report.compiled != own.compiled);
      // The program's own part is as it was.
      const odr::report again = odr::baseline(a.data(), b.data(), a.size());
      CHECK(again.selected == own.selected);
      CHECK(again.dot == own.dot);
      CHECK(again.product == own.product);
    }
    for (void* const library : libraries) dlclose(library);
  }
}
