// SPDX-License-Identifier: Apache-2.0
// Which of Highway's CPU targets the kernels are compiled for. INLAY_TARGETS names those a build is to have beyond the
// baseline that the compiler's flags imply; INLAY_COMPILED_TARGETS is what comes of it. Independent of the order in
// which a program includes Highway and inlay.
#pragma once

#include "hwy/base.h"
#include "hwy/detect_targets.h"
#include "hwy/highway_export.h"
#include "hwy/targets.h"

#if HWY_VERSION_LT(1, 2)
#error "inlay needs Highway 1.2.0 or newer"
#endif

// The default is short, because a target costs seconds of compile time. Left out: targets that bring these kernels
// nothing over the one below them (NEON's AES, SSE4; AVX3_ZEN4 and AVX3_SPR, whose bf16 and f16 products no kernel
// uses) and AVX3, as AVX-512 without VNNI is rare.
#ifndef INLAY_TARGETS
#define INLAY_TARGETS (HWY_AVX2 | HWY_AVX3_DL | HWY_NEON_WITHOUT_AES | HWY_NEON_BF16 | HWY_WASM | HWY_PPC9 | HWY_Z14)
#endif

// Kernels keep vectors in arrays, which types of unknown size do not allow: an SVE machine runs the NEON kernels.
#define INLAY_SIZELESS_TARGETS (HWY_ALL_SVE | HWY_RVV)
#define INLAY_BASELINE_CANDIDATES (HWY_ENABLED_BASELINE & ~INLAY_SIZELESS_TARGETS)
#define INLAY_BASELINE_TARGET (INLAY_BASELINE_CANDIDATES & -INLAY_BASELINE_CANDIDATES)

#if INLAY_BASELINE_TARGET == 0 || INLAY_BASELINE_TARGET == HWY_SCALAR
#error \
    "inlay: Highway has no fixed-size vectors for these compiler flags. Use inlay::kernels::plain, which needs no \
Highway, or enable a vector unit (-msse2, -mfpu=neon-vfpv4, -msimd128)."
#endif

// Highway before 1.3.0 offers AVX3_DL only if a macro was defined before its first header.
#if HWY_ARCH_X86 && HWY_TARGETS != HWY_STATIC_TARGET && HWY_STATIC_TARGET > HWY_AVX3_DL
#define INLAY_ATTAINABLE_TARGETS (HWY_TARGETS | HWY_ENABLED(HWY_AVX3_DL))
#else
#define INLAY_ATTAINABLE_TARGETS HWY_TARGETS
#endif

// Lower bits are better targets; what the baseline supersedes is not compiled.
#define INLAY_COMPILED_TARGETS                                                                                \
  (((INLAY_ATTAINABLE_TARGETS) & (INLAY_TARGETS) & (INLAY_BASELINE_TARGET - 1LL) & ~INLAY_SIZELESS_TARGETS) | \
   INLAY_BASELINE_TARGET)

// Those of the compiled targets that have better ones beside them and no fused multiply-add.
#define INLAY_BEST_TARGET ((INLAY_COMPILED_TARGETS) & -(INLAY_COMPILED_TARGETS))
#define INLAY_SMALL_TARGETS ((HWY_SSE2 | HWY_SSSE3 | HWY_SSE4) & ~INLAY_BEST_TARGET)

// Matrix units (AMX), whose instructions the kernels of this target take by hand where it is compiled. It is offered
// where the processor and Linux have them (cpu.hpp), as a target of its own named AMX.
#if HWY_ARCH_X86_64 && defined(__linux__) && (defined(__GNUC__) || defined(__clang__))
#if INLAY_COMPILED_TARGETS & HWY_AVX3_DL
#define INLAY_AMX_HOST HWY_AVX3_DL
#elif INLAY_BASELINE_TARGET < HWY_AVX3_DL
#define INLAY_AMX_HOST INLAY_BASELINE_TARGET
#endif
#endif
#ifndef INLAY_AMX_HOST
#define INLAY_AMX_HOST 0
#endif
