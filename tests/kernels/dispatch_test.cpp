// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "tests/kernels/support.hpp"

namespace inlay::test {
namespace {

using kernels::dispatched;
using kernels::target_request;

TEST_CASE("the selected target is the best supported one or the one that INLAY_TARGET names") {
  std::vector<std::string> supported;
  kernels::for_each_target([&]<class K>(K) { supported.emplace_back(K::name); });
  REQUIRE_FALSE(supported.empty());
  CHECK(std::set<std::string>(supported.begin(), supported.end()).size() == supported.size());

  const auto selected = kernels::selected_target();
  const char* variable = std::getenv("INLAY_TARGET");
  const std::string wanted = variable != nullptr ? variable : "";
  const bool can = std::find(supported.begin(), supported.end(), wanted) != supported.end();
  CHECK(selected.name == (can ? wanted : supported.front()));
  if (wanted.empty())
    CHECK(selected.request == target_request::none);
  else if (can)
    CHECK(selected.request == target_request::honoured);
  else
    CHECK((selected.request == target_request::unknown || selected.request == target_request::unsupported));
  if (wanted == "NO_SUCH_TARGET") CHECK(selected.request == target_request::unknown);

  std::size_t calls = 0;
  kernels::with_selected_target([&]<class K>(K) {
    CHECK(K::name == selected.name);
    ++calls;
  });
  CHECK(calls == 1);
}

TEST_CASE("dispatched kernels are those of the selected target") {
  const auto x = random_floats(100, 1);
  const auto w = random_floats(100, 2);
  kernels::with_selected_target([&]<class K>(K) {
    const auto same = [&](auto kernel) {
      std::vector<float> direct(x);
      std::vector<float> through(x);
      kernel(K(), direct.data());
      kernel(dispatched(), through.data());
      CHECK(direct == through);
    };
    same([&]<class P>(P, float* y) { y[0] = P::dot(x.data(), w.data(), x.size()); });
    same([&]<class P>(P, float* y) { P::rms_norm(x.data(), w.data(), y, x.size(), 1e-5f); });
    same([&]<class P>(P, float* y) { P::layer_norm(x.data(), w.data(), w.data(), y, x.size(), 1e-5f); });
    same([&]<class P>(P, float* y) { P::softmax(y, x.size()); });
    same([&]<class P>(P, float* y) { P::rope_half(y, w.data(), w.data(), 30, 35); });
    same([&]<class P>(P, float* y) { P::rope_interleaved(y, w.data(), w.data(), 30); });
    same([&]<class P>(P, float* y) {
      P::map(formula::gelu_erf(formula::a) * formula::b, x.size(), y, x.data(), w.data());
    });
    same([&]<class P>(P, float* y) { P::store(dtype::bf16, x.data(), x.size(), reinterpret_cast<std::byte*>(y)); });
    for (std::size_t type = 0; type < dtype_count; ++type) {
      CHECK(K::wants_quantized(static_cast<dtype>(type)) == dispatched::wants_quantized(static_cast<dtype>(type)));
      CHECK(K::panel_bytes(static_cast<dtype>(type), 64, 256) ==
            dispatched::panel_bytes(static_cast<dtype>(type), 64, 256));
    }
    CHECK(K::quantized_row_bytes(256) == dispatched::quantized_row_bytes(256));
  });
}

TEST_CASE("detection agrees with the compiler's own") {
  const std::int64_t targets = kernels::detail::detect_targets();
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  CHECK(((targets & HWY_AVX2) != 0) == avx2);
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512cd");
  CHECK(((targets & HWY_AVX3) != 0) == avx512);
  const bool vnni = __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi2") &&
                    __builtin_cpu_supports("avx512bitalg") && __builtin_cpu_supports("gfni");
  CHECK(((targets & HWY_AVX3_DL) != 0) == (avx512 && vnni));
#endif
  CHECK((targets & INLAY_BASELINE_TARGET) != 0);
}

}  // namespace
}  // namespace inlay::test
