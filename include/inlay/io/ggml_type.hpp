// SPDX-License-Identifier: Apache-2.0
// The numbers by which GGUF files name storage types. Those the library cannot decode are listed too: their geometry
// lets a file that holds them be checked and described.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "inlay/core/dtype.hpp"

namespace inlay {

struct ggml_type {
  std::uint32_t number;
  std::string_view name;
  std::uint16_t weights;  ///< of a block
  std::uint16_t bytes;
};

namespace detail {

inline constexpr ggml_type ggml_types[] = {
    {0, "F32", 1, 4},         {1, "F16", 1, 2},         {2, "Q4_0", 32, 18},      {3, "Q4_1", 32, 20},
    {6, "Q5_0", 32, 22},      {7, "Q5_1", 32, 24},      {8, "Q8_0", 32, 34},      {9, "Q8_1", 32, 36},
    {10, "Q2_K", 256, 84},    {11, "Q3_K", 256, 110},   {12, "Q4_K", 256, 144},   {13, "Q5_K", 256, 176},
    {14, "Q6_K", 256, 210},   {15, "Q8_K", 256, 292},   {16, "IQ2_XXS", 256, 66}, {17, "IQ2_XS", 256, 74},
    {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50},   {20, "IQ4_NL", 32, 18},   {21, "IQ3_S", 256, 110},
    {22, "IQ2_S", 256, 82},   {23, "IQ4_XS", 256, 136}, {24, "I8", 1, 1},         {25, "I16", 1, 2},
    {26, "I32", 1, 4},        {27, "I64", 1, 8},        {28, "F64", 1, 8},        {29, "IQ1_M", 256, 56},
    {30, "BF16", 1, 2},       {34, "TQ1_0", 256, 54},   {35, "TQ2_0", 256, 66},   {39, "MXFP4", 32, 17},
    {40, "NVFP4", 64, 36},    {41, "Q1_0", 128, 18},    {42, "Q2_0", 64, 18},
};

}  // namespace detail

/// Null where no type is known to have this number.
constexpr const ggml_type* find_ggml_type(std::uint32_t number) {
  for (const ggml_type& type : detail::ggml_types) {
    if (type.number == number) return &type;
  }
  return nullptr;
}

constexpr const ggml_type& to_ggml_type(dtype type) {
  for (const ggml_type& candidate : detail::ggml_types) {
    if (candidate.name == name(type)) return candidate;
  }
  return detail::ggml_types[0];  // not reached: every dtype is in the table
}

/// Nothing where the library does not decode the type.
constexpr std::optional<dtype> to_dtype(const ggml_type& stored) {
  for (std::size_t i = 0; i < dtype_count; ++i) {
    if (name(static_cast<dtype>(i)) == stored.name) return static_cast<dtype>(i);
  }
  return std::nullopt;
}

namespace detail {

consteval bool ggml_types_agree() {
  for (std::size_t i = 0; i < dtype_count; ++i) {
    const auto type = static_cast<dtype>(i);
    const ggml_type& stored = to_ggml_type(type);
    if (stored.name != name(type) || stored.weights != geometry(type).weights || stored.bytes != geometry(type).bytes) {
      return false;
    }
  }
  return true;
}
static_assert(ggml_types_agree());

}  // namespace detail
}  // namespace inlay
