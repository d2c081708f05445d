// SPDX-License-Identifier: Apache-2.0
// Compiles INLAY_TARGET_INCLUDE, which is kernels-inl.hpp unless a test says otherwise, once for each target of
// INLAY_COMPILED_TARGETS.
//
// Highway's own foreach_target.h allows one driver per translation unit, and that one belongs to the program. So this
// is a private loop: Highway's ops are taken once more per target, into namespaces of our own (hwy::inlay_N_AVX2, ...),
// and every macro is left as it was found. A program may use Highway and its foreach_target.h before this header, after
// it, or around it. It leans on Highway's internals, which tests/include_orders checks against each Highway version.
#pragma once

// What the kernels use, included before the first target.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

#include "inlay/config/macros.hpp"
#include "inlay/kernels/highway/cpu.hpp"
#include "inlay/kernels/highway/targets.hpp"
#include "inlay/kernels/policy.hpp"
#if INLAY_AMX_HOST != 0
#include "inlay/kernels/highway/amx.hpp"
#endif
#include "inlay/quant/cache_row.hpp"
#include "inlay/quant/codec.hpp"

// Kernels that differ with what other targets a translation unit has differ in name as well.
#if INLAY_SMALL_TARGETS & HWY_SSE2
#define INLAY_NAMESPACE_SSE2 inlay_small_N_SSE2
#else
#define INLAY_NAMESPACE_SSE2 inlay_N_SSE2
#endif
#if INLAY_SMALL_TARGETS & HWY_SSSE3
#define INLAY_NAMESPACE_SSSE3 inlay_small_N_SSSE3
#else
#define INLAY_NAMESPACE_SSSE3 inlay_N_SSSE3
#endif
#if INLAY_SMALL_TARGETS & HWY_SSE4
#define INLAY_NAMESPACE_SSE4 inlay_small_N_SSE4
#else
#define INLAY_NAMESPACE_SSE4 inlay_N_SSE4
#endif

#ifndef INLAY_TARGET_INCLUDE
#define INLAY_TARGET_INCLUDE "inlay/kernels/highway/kernels-inl.hpp"
#endif

#pragma push_macro("HWY_TARGET")
#pragma push_macro("HWY_TARGET_TOGGLE")
#pragma push_macro("HWY_HIGHWAY_INCLUDED")
#pragma push_macro("HWY_HIGHWAY_PER_TARGET")
#pragma push_macro("HWY_SET_MACROS_PER_TARGET")

// highway.h holds a part that is included once, which stays the program's, and the ops, which we want.
#undef HWY_HIGHWAY_INCLUDED
#define HWY_HIGHWAY_INCLUDED

// Each op has a macro that flips from pass to pass, and all flip together. Ours start in their phase, which one of them
// tells, and end in it.
#undef HWY_TARGET_TOGGLE
#undef HWY_HIGHWAY_PER_TARGET
#undef INLAY_TOGGLE_PHASE
#ifdef HIGHWAY_HWY_OPS_SHARED_TOGGLE
#define HWY_TARGET_TOGGLE
#define HWY_HIGHWAY_PER_TARGET
#define INLAY_TOGGLE_PHASE
#endif

#define N_SCALAR inlay_N_SCALAR
#define N_EMU128 inlay_N_EMU128
#define N_SSE2 INLAY_NAMESPACE_SSE2
#define N_SSSE3 INLAY_NAMESPACE_SSSE3
#define N_SSE4 INLAY_NAMESPACE_SSE4
#define N_AVX2 inlay_N_AVX2
#define N_AVX3 inlay_N_AVX3
#define N_AVX3_DL inlay_N_AVX3_DL
#define N_AVX3_ZEN4 inlay_N_AVX3_ZEN4
#define N_AVX3_SPR inlay_N_AVX3_SPR
#define N_AVX10_2 inlay_N_AVX10_2
#define N_NEON_WITHOUT_AES inlay_N_NEON_WITHOUT_AES
#define N_NEON inlay_N_NEON
#define N_NEON_BF16 inlay_N_NEON_BF16
#define N_WASM inlay_N_WASM
#define N_WASM_EMU256 inlay_N_WASM_EMU256
#define N_PPC8 inlay_N_PPC8
#define N_PPC9 inlay_N_PPC9
#define N_PPC10 inlay_N_PPC10
#define N_Z14 inlay_N_Z14
#define N_Z15 inlay_N_Z15
#define N_LSX inlay_N_LSX
#define N_LASX inlay_N_LASX

#if INLAY_COMPILED_TARGETS & HWY_EMU128
#undef HWY_TARGET
#define HWY_TARGET HWY_EMU128
#include "inlay/kernels/highway/target-inl.hpp"
#endif
#if INLAY_COMPILED_TARGETS & HWY_SSE2
#undef HWY_TARGET
#define HWY_TARGET HWY_SSE2
#include "inlay/kernels/highway/target-inl.hpp"
#endif
#if INLAY_COMPILED_TARGETS & HWY_SSSE3
#undef HWY_TARGET
#define HWY_TARGET HWY_SSSE3
#include "inlay/kernels/highway/target-inl.hpp"
#endif
#if INLAY_COMPILED_TARGETS & HWY_SSE4
#undef HWY_TARGET
#define HWY_TARGET HWY_SSE4
#include "inlay/kernels/highway/target-inl.hpp"
#endif
#if INLAY_COMPILED_TARGETS & HWY_AVX2
#undef HWY_TARGET
#define HWY_TARGET HWY_AVX2
#include "inlay/kernels/highway/target-inl.hpp"
#endif
#if INLAY_COMPILED_TARGETS & HWY_AVX3
#undef HWY_TARGET
#define HWY_TARGET HWY_AVX3
#include "inlay/kernels/highway/target-inl.hpp"
#endif
#if INLAY_COMPILED_TARGETS & HWY_AVX3_DL
#undef HWY_TARGET
#define HWY_TARGET HWY_AVX3_DL
#include "inlay/kernels/highway/target-inl.hpp"
#endif
#if INLAY_COMPILED_TARGETS & HWY_AVX3_ZEN4
#undef HWY_TARGET
#define HWY_TARGET HWY_AVX3_ZEN4
#include "inlay/kernels/highway/target-inl.hpp"
#endif
#if INLAY_COMPILED_TARGETS & HWY_AVX3_SPR
#undef HWY_TARGET
#define HWY_TARGET HWY_AVX3_SPR
#include "inlay/kernels/highway/target-inl.hpp"
#endif
#if INLAY_COMPILED_TARGETS & HWY_NEON_WITHOUT_AES
#undef HWY_TARGET
#define HWY_TARGET HWY_NEON_WITHOUT_AES
#include "inlay/kernels/highway/target-inl.hpp"
#endif
#if INLAY_COMPILED_TARGETS & HWY_NEON
#undef HWY_TARGET
#define HWY_TARGET HWY_NEON
#include "inlay/kernels/highway/target-inl.hpp"
#endif
#if INLAY_COMPILED_TARGETS & HWY_NEON_BF16
#undef HWY_TARGET
#define HWY_TARGET HWY_NEON_BF16
#include "inlay/kernels/highway/target-inl.hpp"
#endif
#if INLAY_COMPILED_TARGETS & HWY_WASM
#undef HWY_TARGET
#define HWY_TARGET HWY_WASM
#include "inlay/kernels/highway/target-inl.hpp"
#endif
#if INLAY_COMPILED_TARGETS & HWY_WASM_EMU256
#undef HWY_TARGET
#define HWY_TARGET HWY_WASM_EMU256
#include "inlay/kernels/highway/target-inl.hpp"
#endif
#if INLAY_COMPILED_TARGETS & HWY_PPC8
#undef HWY_TARGET
#define HWY_TARGET HWY_PPC8
#include "inlay/kernels/highway/target-inl.hpp"
#endif
#if INLAY_COMPILED_TARGETS & HWY_PPC9
#undef HWY_TARGET
#define HWY_TARGET HWY_PPC9
#include "inlay/kernels/highway/target-inl.hpp"
#endif
#if INLAY_COMPILED_TARGETS & HWY_PPC10
#undef HWY_TARGET
#define HWY_TARGET HWY_PPC10
#include "inlay/kernels/highway/target-inl.hpp"
#endif
#if INLAY_COMPILED_TARGETS & HWY_Z14
#undef HWY_TARGET
#define HWY_TARGET HWY_Z14
#include "inlay/kernels/highway/target-inl.hpp"
#endif
#if INLAY_COMPILED_TARGETS & HWY_Z15
#undef HWY_TARGET
#define HWY_TARGET HWY_Z15
#include "inlay/kernels/highway/target-inl.hpp"
#endif

// After an odd number of passes, one more for the ops alone, of the cheapest target that has not been, restores the
// phase.
#if defined(HWY_TARGET_TOGGLE) != defined(INLAY_TOGGLE_PHASE)
#undef HWY_TARGET
#define HWY_TARGET HWY_SCALAR
#define INLAY_OPS_ONLY
#include "inlay/kernels/highway/target-inl.hpp"
#undef INLAY_OPS_ONLY
#endif
#undef INLAY_TOGGLE_PHASE
#undef INLAY_TARGET_INCLUDE

#undef N_SCALAR
#undef N_EMU128
#undef N_SSE2
#undef N_SSSE3
#undef N_SSE4
#undef N_AVX2
#undef N_AVX3
#undef N_AVX3_DL
#undef N_AVX3_ZEN4
#undef N_AVX3_SPR
#undef N_AVX10_2
#undef N_NEON_WITHOUT_AES
#undef N_NEON
#undef N_NEON_BF16
#undef N_WASM
#undef N_WASM_EMU256
#undef N_PPC8
#undef N_PPC9
#undef N_PPC10
#undef N_Z14
#undef N_Z15
#undef N_LSX
#undef N_LASX

#pragma pop_macro("HWY_TARGET")
#include "hwy/ops/set_macros-inl.h"  // HWY_NAMESPACE and its like, for the target that was current
#pragma pop_macro("HWY_SET_MACROS_PER_TARGET")
#pragma pop_macro("HWY_HIGHWAY_PER_TARGET")
#pragma pop_macro("HWY_HIGHWAY_INCLUDED")
#pragma pop_macro("HWY_TARGET_TOGGLE")
