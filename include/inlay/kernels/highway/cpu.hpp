// SPDX-License-Identifier: Apache-2.0
// What this CPU and its operating system support, as a set of Highway's target bits: the one thing that run-time
// dispatch would otherwise need the compiled Highway library for.
#pragma once

#include <cstdint>

#include "hwy/detect_compiler_arch.h"
#include "hwy/detect_targets.h"

#if HWY_ARCH_X86
#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#if defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif HWY_ARCH_ARM_A64
#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif
#elif (HWY_ARCH_PPC || HWY_ARCH_S390X) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace inlay::kernels::detail {

/// Stands beside Highway's bits, of which none is this one on any machine that has AMX: products of bf16 by matrix
/// units may be used.
inline constexpr std::int64_t amx_target = 1;

#if defined(__APPLE__) && (HWY_ARCH_X86 || HWY_ARCH_ARM_A64)
inline bool system_reports(const char* feature) {
  int value = 0;
  std::size_t size = sizeof value;
  return sysctlbyname(feature, &value, &size, nullptr, 0) == 0 && value != 0;
}
#endif

#if HWY_ARCH_X86

struct cpuid_words {
  std::uint32_t a = 0, b = 0, c = 0, d = 0;
};

/// All zero where the CPU does not have the leaf.
inline cpuid_words cpuid(std::uint32_t leaf, std::uint32_t subleaf = 0) {
  cpuid_words r;
#if defined(_MSC_VER) && !defined(__clang__)
  int words[4];
  __cpuid(words, static_cast<int>(leaf & 0x80000000u));
  if (static_cast<std::uint32_t>(words[0]) < leaf) return r;
  __cpuidex(words, static_cast<int>(leaf), static_cast<int>(subleaf));
  r = {static_cast<std::uint32_t>(words[0]), static_cast<std::uint32_t>(words[1]), static_cast<std::uint32_t>(words[2]),
       static_cast<std::uint32_t>(words[3])};
#else
  if (__get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d) == 0) return {};
#endif
  return r;
}

/// Which register files the operating system saves (XCR0). Only where cpuid reports OSXSAVE.
inline std::uint32_t extended_control_register() {
#if defined(_MSC_VER) && !defined(__clang__)
  return static_cast<std::uint32_t>(_xgetbv(0));
#else
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
#endif
}

inline bool is_intel() { return cpuid(0).b == 0x756e6547u; }  // "Genu"

constexpr bool has_bits(std::uint32_t word, std::uint32_t bits) { return (word & bits) == bits; }
constexpr std::uint32_t bit(int i) { return std::uint32_t{1} << i; }

/// Linux saves tiles only for processes that asked for it, which this one then has.
inline bool may_use_tiles() {
#if defined(__linux__) && HWY_ARCH_X86_64
  constexpr long request_permission = 0x1023, tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}

inline std::int64_t detect_targets() {
  std::int64_t targets = HWY_EMU128 | HWY_SCALAR;
  const cpuid_words basic = cpuid(1);
  const cpuid_words features = cpuid(7);
  const cpuid_words more = features.a >= 1 ? cpuid(7, 1) : cpuid_words{};
  const cpuid_words extended = cpuid(0x80000001u);

  if (!has_bits(basic.d, bit(25) | bit(26))) return targets;  // SSE, SSE2
  targets |= HWY_SSE2;
  if (!has_bits(basic.c, bit(0) | bit(9))) return targets;  // SSE3, SSSE3
  targets |= HWY_SSSE3;
  if (!has_bits(basic.c, bit(1) | bit(19) | bit(20) | bit(25))) return targets;  // PCLMUL, SSE4.1, SSE4.2, AES
  targets |= HWY_SSE4;

  if (!has_bits(basic.c, bit(26) | bit(27))) return targets;  // XSAVE, OSXSAVE
  const std::uint32_t saved = extended_control_register();
  if (!has_bits(saved, bit(1) | bit(2))) return targets;                // xmm, ymm
  if (!has_bits(basic.c, bit(12) | bit(28) | bit(29))) return targets;  // FMA, AVX, F16C
  if (!has_bits(features.b, bit(3) | bit(5) | bit(8))) return targets;  // BMI1, AVX2, BMI2
  if (!has_bits(extended.c, bit(5))) return targets;                    // LZCNT
  targets |= HWY_AVX2;

#if defined(__APPLE__)  // saves the wide registers from a thread's first use on, so XCR0 does not tell
  if (!system_reports("hw.optional.avx512f")) return targets;
#else
  if (!has_bits(saved, bit(5) | bit(6) | bit(7))) return targets;  // opmask, zmm0-15, zmm16-31
#endif
  // F, DQ, CD, BW, VL
  if (!has_bits(features.b, bit(16) | bit(17) | bit(28) | bit(30) | bit(31))) return targets;
  targets |= HWY_AVX3;
  // VBMI, VBMI2, GFNI, VAES, VPCLMULQDQ, VNNI, BITALG, VPOPCNTDQ
  if (!has_bits(features.c, bit(1) | bit(6) | bit(8) | bit(9) | bit(10) | bit(11) | bit(12) | bit(14))) return targets;
  targets |= HWY_AVX3_DL;
  if (!has_bits(more.a, bit(5))) return targets;  // BF16
  // Saved tiles and their configuration; AMX-BF16, AMX-TILE
  if (has_bits(saved, bit(17) | bit(18)) && has_bits(features.d, bit(22) | bit(24)) && may_use_tiles())
    targets |= amx_target;
  // Highway reserves AVX3_ZEN4 for AMD because of its compress instructions, which these kernels do not use.
  targets |= HWY_AVX3_ZEN4;
  if (has_bits(features.d, bit(23))) targets |= HWY_AVX3_SPR;  // FP16
  return targets;
}

#elif HWY_ARCH_ARM_A64

inline std::int64_t detect_targets() {
  std::int64_t targets = HWY_EMU128 | HWY_SCALAR | HWY_NEON_WITHOUT_AES;
#if defined(__linux__)
  const unsigned long first = getauxval(AT_HWCAP);
  const unsigned long second = getauxval(AT_HWCAP2);
  const bool aes = (first & (1ul << 3)) != 0;
  const bool half_and_dot = (first & (1ul << 10)) != 0 && (first & (1ul << 20)) != 0;  // ASIMDHP, ASIMDDP
  const bool bf16 = (second & (1ul << 14)) != 0;
#elif defined(__APPLE__)
  const bool aes = system_reports("hw.optional.arm.FEAT_AES");
  const bool half_and_dot =
      system_reports("hw.optional.arm.FEAT_FP16") && system_reports("hw.optional.arm.FEAT_DotProd");
  const bool bf16 = system_reports("hw.optional.arm.FEAT_BF16");
#else
  const bool aes = false;
  const bool half_and_dot = false;
  const bool bf16 = false;
#endif
  if (aes) targets |= HWY_NEON;
  if (aes && half_and_dot && bf16) targets |= HWY_NEON_BF16;
  return targets;
}

#elif HWY_ARCH_PPC && defined(__linux__)

inline std::int64_t detect_targets() {
  const unsigned long second = getauxval(AT_HWCAP2);
  std::int64_t targets = HWY_EMU128 | HWY_SCALAR;
  if ((second & 0x80000000ul) == 0 || (second & 0x02000000ul) == 0) return targets;  // ISA 2.07, vector crypto
  targets |= HWY_PPC8;
  if ((second & 0x00800000ul) != 0) targets |= HWY_PPC9;   // ISA 3.0
  if ((second & 0x00040000ul) != 0) targets |= HWY_PPC10;  // ISA 3.1
  return targets;
}

#elif HWY_ARCH_S390X && defined(__linux__)

inline std::int64_t detect_targets() {
  const unsigned long first = getauxval(AT_HWCAP);
  std::int64_t targets = HWY_EMU128 | HWY_SCALAR;
  if ((first & 2048) != 0 && (first & 8192) != 0) targets |= HWY_Z14;        // VX, VXE
  if ((targets & HWY_Z14) != 0 && (first & 32768) != 0) targets |= HWY_Z15;  // VXRS_EXT2
  return targets;
}

#else

inline std::int64_t detect_targets() { return HWY_EMU128 | HWY_SCALAR; }

#endif

}  // namespace inlay::kernels::detail
