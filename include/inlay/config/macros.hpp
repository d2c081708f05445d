// SPDX-License-Identifier: Apache-2.0
// Compiler and feature macros. Everything configurable by the user is listed here:
//   INLAY_TARGETS      bit set of Highway targets to compile (kernels/highway/targets.hpp has the default)
//   INLAY_LINKED       what does not depend on a model's type is in a library (inlay::runtime), not compiled here
//   INLAY_ASSERTS      1/0: check hot-code contracts (default: on unless NDEBUG)
// and, at run time, the environment variable INLAY_TARGET forces one compiled CPU target by name.
#pragma once

#if defined(__clang__)
#define INLAY_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define INLAY_UNROLL _Pragma("GCC unroll 32")
#else
#define INLAY_UNROLL
#endif

#if defined(__GNUC__) || defined(__clang__)
#define INLAY_INLINE inline __attribute__((always_inline))
#define INLAY_NOINLINE __attribute__((noinline))
#define INLAY_RESTRICT __restrict__
#elif defined(_MSC_VER)
#define INLAY_INLINE __forceinline
#define INLAY_NOINLINE __declspec(noinline)
#define INLAY_RESTRICT __restrict
#else
#define INLAY_INLINE inline
#define INLAY_NOINLINE
#define INLAY_RESTRICT
#endif

// Begins the definition of a function that a cheap header only declares. Every translation unit that includes the
// definition emits it, used or not, so that those that include just the declaration link; the linker keeps one.
#if defined(__GNUC__) || defined(__clang__)
#define INLAY_DEFINITION inline __attribute__((used))
#define INLAY_EMITS_DEFINITIONS 1
#else
#define INLAY_DEFINITION inline
#define INLAY_EMITS_DEFINITIONS 0
#endif

#ifndef INLAY_ASSERTS
#ifdef NDEBUG
#define INLAY_ASSERTS 0
#else
#define INLAY_ASSERTS 1
#endif
#endif

// A contract of hot code: a debug check, nothing in release builds.
#if INLAY_ASSERTS
#include <cassert>
#define INLAY_ASSERT(...) assert((__VA_ARGS__))
#else
#define INLAY_ASSERT(...) static_cast<void>(0)
#endif
