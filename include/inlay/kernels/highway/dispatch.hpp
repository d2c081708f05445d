// SPDX-License-Identifier: Apache-2.0
// The kernel policy that picks, when the program first needs a kernel, the best of the compiled CPU targets
// (highway/targets.hpp) that this machine supports. The environment variable INLAY_TARGET names another compiled and
// supported target to use instead, for tests and comparisons; selected_target() tells what came of it.
//
// Nothing has to be linked. Translation units may be compiled with different INLAY_TARGETS: the list of targets is part
// of every type and function here that depends on it.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string_view>

#include "inlay/config/macros.hpp"
#include "inlay/kernels/highway/cpu.hpp"
#include "inlay/kernels/policy.hpp"
#include "inlay/kernels/table.hpp"
#include "inlay/quant/cache_row.hpp"
#include "inlay/quant/codec.hpp"

#include "inlay/kernels/highway/foreach_target.hpp"

namespace inlay::kernels {

namespace detail {

template <class... Kernels>
struct target_list {};
template <class First, class... Rest>
struct without_first {
  using type = target_list<Rest...>;
};

// clang-format off
// Best first; the last one is the baseline.
using compiled_targets = without_first<void
#if INLAY_AMX_HOST == HWY_AVX3_DL
    , inlay_N_AVX3_DL::amx_kernels
#elif INLAY_AMX_HOST == HWY_AVX3_ZEN4
    , inlay_N_AVX3_ZEN4::amx_kernels
#elif INLAY_AMX_HOST == HWY_AVX3_SPR
    , inlay_N_AVX3_SPR::amx_kernels
#endif
#if INLAY_COMPILED_TARGETS & HWY_AVX3_SPR
    , inlay_N_AVX3_SPR::kernels
#endif
#if INLAY_COMPILED_TARGETS & HWY_AVX3_ZEN4
    , inlay_N_AVX3_ZEN4::kernels
#endif
#if INLAY_COMPILED_TARGETS & HWY_AVX3_DL
    , inlay_N_AVX3_DL::kernels
#endif
#if INLAY_COMPILED_TARGETS & HWY_AVX3
    , inlay_N_AVX3::kernels
#endif
#if INLAY_COMPILED_TARGETS & HWY_AVX2
    , inlay_N_AVX2::kernels
#endif
#if INLAY_COMPILED_TARGETS & HWY_SSE4
    , INLAY_NAMESPACE_SSE4::kernels
#endif
#if INLAY_COMPILED_TARGETS & HWY_SSSE3
    , INLAY_NAMESPACE_SSSE3::kernels
#endif
#if INLAY_COMPILED_TARGETS & HWY_SSE2
    , INLAY_NAMESPACE_SSE2::kernels
#endif
#if INLAY_COMPILED_TARGETS & HWY_NEON_BF16
    , inlay_N_NEON_BF16::kernels
#endif
#if INLAY_COMPILED_TARGETS & HWY_NEON
    , inlay_N_NEON::kernels
#endif
#if INLAY_COMPILED_TARGETS & HWY_NEON_WITHOUT_AES
    , inlay_N_NEON_WITHOUT_AES::kernels
#endif
#if INLAY_COMPILED_TARGETS & HWY_WASM_EMU256
    , inlay_N_WASM_EMU256::kernels
#endif
#if INLAY_COMPILED_TARGETS & HWY_WASM
    , inlay_N_WASM::kernels
#endif
#if INLAY_COMPILED_TARGETS & HWY_PPC10
    , inlay_N_PPC10::kernels
#endif
#if INLAY_COMPILED_TARGETS & HWY_PPC9
    , inlay_N_PPC9::kernels
#endif
#if INLAY_COMPILED_TARGETS & HWY_PPC8
    , inlay_N_PPC8::kernels
#endif
#if INLAY_COMPILED_TARGETS & HWY_Z15
    , inlay_N_Z15::kernels
#endif
#if INLAY_COMPILED_TARGETS & HWY_Z14
    , inlay_N_Z14::kernels
#endif
#if INLAY_COMPILED_TARGETS & HWY_EMU128
    , inlay_N_EMU128::kernels
#endif
    >::type;
// clang-format on

}  // namespace detail

enum class target_request : std::uint8_t {
  none,         ///< INLAY_TARGET is not set or empty
  honoured,     ///< it names the selected target
  unsupported,  ///< it names a compiled target that this machine does not support; the best one was selected
  unknown,      ///< it names no compiled target; the best one was selected
};

struct target_selection {
  std::string_view name;  ///< of the selected target
  target_request request = target_request::none;
  std::size_t index = 0;  ///< of the selected target among the compiled ones, best first
};

namespace detail {

template <class... Kernels>
target_selection select_target(target_list<Kernels...>) {
  constexpr std::array<std::string_view, sizeof...(Kernels)> names = {Kernels::name...};
  constexpr std::array<std::int64_t, sizeof...(Kernels)> bits = {Kernels::target...};
  // The baseline is what the compiler was allowed to assume of the machine.
  const std::int64_t supported = detect_targets() | bits.back();
  target_selection best;
  while ((supported & bits[best.index]) == 0) ++best.index;
  best.name = names[best.index];
  const char* const variable = std::getenv("INLAY_TARGET");
  const std::string_view wanted = variable != nullptr ? variable : "";
  if (wanted.empty()) return best;
  best.request = target_request::unknown;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == wanted) {
      if ((supported & bits[i]) != 0) return {names[i], target_request::honoured, i};
      best.request = target_request::unsupported;
    }
  return best;
}

/// The selection of this process, made once.
template <class Targets>
const target_selection& selection() {
  static const target_selection selected = select_target(Targets());
  return selected;
}

/// The kernel policy that dispatches over a list of targets.
template <class Targets>
struct dispatched_over;

template <class... Kernels>
struct dispatched_over<target_list<Kernels...>> : through_table<dispatched_over<target_list<Kernels...>>> {
  template <formula::formula F, class... More>
  static void map(F f, std::size_t n, float* out, const float* first, const More*... more) {
    using function = void (*)(F, std::size_t, float*, const float*, const More*...);
    static constexpr function functions[] = {&Kernels::template map<F, More...>...};
    functions[selection<target_list<Kernels...>>().index](f, n, out, first, more...);
  }
  static const kernel_table& table() {
    static constexpr const kernel_table* tables[] = {&table_of<Kernels>...};
    return *tables[selection<target_list<Kernels...>>().index];
  }
};

template <class F, class... Kernels>
void for_each_supported(F& f, target_list<Kernels...>) {
  const std::int64_t supported = detect_targets();
  std::size_t index = 0;
  ((++index == sizeof...(Kernels) || (supported & Kernels::target) != 0 ? f(Kernels()) : void()), ...);
}

template <class F, class... Kernels>
void with_selected(F& f, target_list<Kernels...>) {
  const std::size_t selected = selection<target_list<Kernels...>>().index;
  std::size_t index = 0;
  ((index++ == selected ? f(Kernels()) : void()), ...);
}

}  // namespace detail

/// The kernels of the target that selected_target() names; a call costs about a nanosecond more than a direct one.
using dispatched = detail::dispatched_over<detail::compiled_targets>;
static_assert(kernel_policy<dispatched>);

/// Which target `dispatched` uses in this process and whether INLAY_TARGET was followed.
template <class Targets = detail::compiled_targets>
target_selection selected_target() {
  return detail::selection<Targets>();
}

/// Calls f(K()) with the kernel policy of each compiled target that this machine supports, best first. K::name is the
/// target's name.
template <class F, class Targets = detail::compiled_targets>
void for_each_target(F f) {
  detail::for_each_supported(f, Targets());
}

/// Calls f(K()) with the selected target's own policy: everything f does with K is compiled for that target, and once
/// for each other one.
template <class F, class Targets = detail::compiled_targets>
void with_selected_target(F f) {
  detail::with_selected(f, Targets());
}

}  // namespace inlay::kernels
