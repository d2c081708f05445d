// SPDX-License-Identifier: Apache-2.0
// Which storage type each tensor of a quantized GGUF gets. The mixtures have the names and the rules of llama.cpp, so
// that a file is of the size and quality its name promises: tensors that matter more get more bits, and rows that are
// no whole number of blocks fall back to a type of smaller blocks.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "inlay/core/dtype.hpp"

namespace inlay {

/// The numbers are those of "general.file_type".
enum class file_type : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q8_0 = 7,
  q5_0 = 8,
  q5_1 = 9,
  q2_k = 10,
  q3_k_s = 11,
  q3_k_m = 12,
  q3_k_l = 13,
  q4_k_s = 14,
  q4_k_m = 15,
  q5_k_s = 16,
  q5_k_m = 17,
  q6_k = 18,
  iq2_xxs = 19,
  q2_k_s = 21,
  iq4_nl = 25,
  iq4_xs = 30,
  bf16 = 32,
  mxfp4_moe = 38,
};

struct file_type_entry {
  file_type type;
  std::string_view name;
  dtype most;  ///< what tensors without a rule get
};
inline constexpr std::array<file_type_entry, 22> file_types{{
    {file_type::f32, "F32", dtype::f32},
    {file_type::f16, "F16", dtype::f16},
    {file_type::bf16, "BF16", dtype::bf16},
    {file_type::q4_0, "Q4_0", dtype::q4_0},
    {file_type::q4_1, "Q4_1", dtype::q4_1},
    {file_type::q5_0, "Q5_0", dtype::q5_0},
    {file_type::q5_1, "Q5_1", dtype::q5_1},
    {file_type::q8_0, "Q8_0", dtype::q8_0},
    {file_type::q2_k, "Q2_K", dtype::q2_k},
    {file_type::q2_k_s, "Q2_K_S", dtype::q2_k},
    {file_type::q3_k_s, "Q3_K_S", dtype::q3_k},
    {file_type::q3_k_m, "Q3_K_M", dtype::q3_k},
    {file_type::q3_k_l, "Q3_K_L", dtype::q3_k},
    {file_type::q4_k_s, "Q4_K_S", dtype::q4_k},
    {file_type::q4_k_m, "Q4_K_M", dtype::q4_k},
    {file_type::q5_k_s, "Q5_K_S", dtype::q5_k},
    {file_type::q5_k_m, "Q5_K_M", dtype::q5_k},
    {file_type::q6_k, "Q6_K", dtype::q6_k},
    {file_type::iq2_xxs, "IQ2_XXS", dtype::iq2_xxs},
    {file_type::iq4_nl, "IQ4_NL", dtype::iq4_nl},
    {file_type::iq4_xs, "IQ4_XS", dtype::iq4_xs},
    {file_type::mxfp4_moe, "MXFP4_MOE", dtype::mxfp4},
}};

constexpr const file_type_entry& entry_of(file_type type) {
  for (const file_type_entry& e : file_types)
    if (e.type == type) return e;
  return file_types[0];
}
constexpr std::string_view name(file_type type) { return entry_of(type).name; }
/// By its name in capitals; the short names Q3_K, Q4_K and Q5_K are the medium mixtures.
constexpr std::optional<file_type> find_file_type(std::string_view name) {
  if (name == "Q3_K") return file_type::q3_k_m;
  if (name == "Q4_K") return file_type::q4_k_m;
  if (name == "Q5_K") return file_type::q5_k_m;
  for (const file_type_entry& e : file_types)
    if (e.name == name) return e.type;
  return std::nullopt;
}

/// A tensor as the rules see it.
struct tensor_outline {
  std::string_view name;  ///< in a GGUF
  dtype type = dtype::f32;
  unsigned rank = 0;
  std::uint64_t columns = 0;
};

/// What the rules ask about the model.
struct mix_facts {
  std::size_t layers = 0;
  std::size_t heads_per_kv_head = 1;
  std::size_t experts = 0;  ///< 0: none
  bool importance = false;  ///< importances of the columns are known
};

namespace detail {

enum class tensor_role : std::uint8_t { output, embedding, qkv, kv, v, k, q, attention_output, up, gate, down, other };

constexpr bool has_part(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

constexpr tensor_role role_of(std::string_view name) {
  struct entry {
    std::string_view part;
    tensor_role role;
  };
  if (name == "output.weight") return tensor_role::output;
  if (name == "token_embd.weight" || name == "per_layer_token_embd.weight") return tensor_role::embedding;
  for (const entry& e :
       {entry{"attn_qkv.weight", tensor_role::qkv}, entry{"attn_kv_b.weight", tensor_role::kv},
        entry{"attn_v.weight", tensor_role::v}, entry{"attn_k.weight", tensor_role::k},
        entry{"attn_q.weight", tensor_role::q}, entry{"attn_output.weight", tensor_role::attention_output},
        entry{"ffn_up", tensor_role::up}, entry{"ffn_gate", tensor_role::gate}, entry{"ffn_down", tensor_role::down}})
    if (has_part(name, e.part)) return e.role;
  return tensor_role::other;
}

/// Number of the block in "blk.12.attn_v.weight"; -1 outside the blocks.
constexpr int block_of(std::string_view name) {
  if (!name.starts_with("blk.")) return -1;
  int number = 0;
  for (const char c : name.substr(4)) {
    if (c < '0' || c > '9' || number > 1'000'000) break;
    number = 10 * number + (c - '0');
  }
  return number;
}

/// Small tensors, vectors, norms, routers and convolutions stay as they are.
constexpr bool is_quantizable(const tensor_outline& t) {
  if (t.rank < 2 || !t.name.ends_with("weight") || t.name.ends_with("_norm.weight")) return false;
  for (const std::string_view part :
       {"ffn_gate_inp.weight", "altup", "laurel", "per_layer_model_proj", "ssm_conv1d", "shortconv.conv", "attn_rel_b",
        "position_embd", "token_types", ".patch_embd", ".patch_merger", "_norm.weight"})
    if (has_part(t.name, part)) return false;
  return true;
}

/// A type whose blocks divide the row.
constexpr dtype fit_columns(dtype wanted, std::uint64_t columns) {
  const auto fits = [columns](dtype t) { return columns % geometry(t).weights == 0; };
  if (fits(wanted)) return wanted;
  dtype smaller = wanted;
  switch (wanted) {
    case dtype::iq4_xs:
    case dtype::iq2_xxs:
      smaller = dtype::iq4_nl;
      break;
    case dtype::q2_k:
    case dtype::q3_k:
      smaller = dtype::q4_0;
      break;
    case dtype::q4_k:
      smaller = dtype::q5_0;
      break;
    case dtype::q5_k:
      smaller = dtype::q5_1;
      break;
    case dtype::q6_k:
      smaller = dtype::q8_0;
      break;
    default:
      break;
  }
  return fits(smaller) ? smaller : dtype::f16;
}

/// Follows the tensors of a file in the order of its blocks.
class mixture {
 public:
  mixture(file_type type, const mix_facts& facts, int attention_values, bool tied)
      : type_(type), facts_(facts), layers_(static_cast<int>(facts.layers)), values_(attention_values), tied_(tied) {}

  dtype next(const tensor_outline& t) {
    const tensor_role role = role_of(t.name);
    const dtype most = entry_of(type_).most;
    if (role == tensor_role::output || (tied_ && role == tensor_role::embedding)) return of_output(most, t.columns);
    if (type_ == file_type::mxfp4_moe) return t.rank > 2 ? dtype::mxfp4 : dtype::q8_0;
    switch (role) {
      case tensor_role::qkv:
      case tensor_role::kv:
      case tensor_role::v:
        return of_values(most, next_value_++);
      case tensor_role::embedding:
        return is(file_type::iq2_xxs) ? dtype::q2_k : most;
      case tensor_role::k:
        if (facts_.experts != 8) return most;
        return is(file_type::iq2_xxs) ? dtype::q4_k : dtype::q8_0;
      case tensor_role::down:
        return of_down(most, facts_.experts > 1 ? block_of(t.name) : next_down_++);
      case tensor_role::attention_output:
        return of_attention_output(most);
      default:
        return most;
    }
  }

 private:
  template <class... Types>
  bool is(Types... types) const {
    return ((type_ == types) || ...);
  }
  /// The first and the last eighth of the layers, and every third between.
  static bool wants_more(int i, int count) { return i < count / 8 || i >= 7 * count / 8 || (i - count / 8) % 3 == 2; }

  dtype of_output(dtype most, std::uint64_t columns) const {
    if (type_ == file_type::mxfp4_moe || columns % geometry(most).weights != 0) return dtype::q8_0;
    if (is(file_type::iq2_xxs)) return dtype::q5_k;
    return most == dtype::q8_0 ? most : dtype::q6_k;
  }

  dtype of_values(dtype most, int i) const {
    if (is(file_type::iq2_xxs)) return facts_.heads_per_kv_head >= 4 || facts_.experts >= 4 ? dtype::q4_k : dtype::q2_k;
    if (facts_.experts == 8) return dtype::q8_0;
    const bool grouped = facts_.heads_per_kv_head >= 4;
    if (is(file_type::q2_k)) return grouped ? dtype::q4_k : dtype::q3_k;
    if (is(file_type::q2_k_s) && grouped) return dtype::q4_k;
    if (is(file_type::q3_k_m)) return i < 2 ? dtype::q5_k : dtype::q4_k;
    if (is(file_type::q3_k_l)) return dtype::q5_k;
    if (is(file_type::iq4_nl, file_type::iq4_xs) && grouped) return dtype::q5_k;
    if (is(file_type::q4_k_m, file_type::q5_k_m) && wants_more(i, values_)) return dtype::q6_k;
    if (is(file_type::q4_k_s) && i < 4) return dtype::q5_k;
    return most;
  }

  dtype of_down(dtype most, int i) const {
    const bool early = i < layers_ / 8;
    if (is(file_type::q2_k)) return dtype::q3_k;
    if (is(file_type::iq2_xxs) && early) return dtype::q2_k;
    if (is(file_type::q2_k_s) && early) return dtype::q4_k;
    if (is(file_type::q3_k_m)) return i < layers_ / 16 ? dtype::q5_k : dtype::q4_k;
    if (is(file_type::q3_k_l)) return dtype::q5_k;
    if (is(file_type::q4_k_m, file_type::q5_k_m) && wants_more(i, layers_)) return dtype::q6_k;
    if (is(file_type::q4_k_s) && early) return dtype::q5_k;
    if (is(file_type::iq4_nl, file_type::iq4_xs) && early && !facts_.importance) return dtype::q5_k;
    // With importances the first of them are known to go wrong in types without a minimum.
    if (is(file_type::q4_0) && early && facts_.importance) return dtype::q4_1;
    if (is(file_type::q5_0) && early && facts_.importance) return dtype::q5_1;
    return most;
  }

  dtype of_attention_output(dtype most) const {
    if (facts_.experts == 8)
      return is(file_type::iq2_xxs, file_type::q2_k, file_type::q3_k_s, file_type::q3_k_m, file_type::iq4_nl,
                file_type::q4_k_s, file_type::q4_k_m, file_type::iq4_xs)
                 ? dtype::q5_k
                 : most;
    if (is(file_type::q2_k)) return dtype::q3_k;
    if (is(file_type::q3_k_m)) return dtype::q4_k;
    if (is(file_type::q3_k_l)) return dtype::q5_k;
    return most;
  }

  file_type type_;
  mix_facts facts_;
  int layers_;
  int values_;  // how many tensors have the role of attention values
  bool tied_;
  int next_value_ = 0;
  int next_down_ = 0;
};

}  // namespace detail

/// A storage type for every tensor of a file. `pure`: the file type's own for all that are quantized at all.
inline std::vector<dtype> choose_types(std::span<const tensor_outline> tensors, file_type type, const mix_facts& facts,
                                       bool pure = false) {
  using detail::tensor_role;
  int values = 0;
  bool tied = true;
  for (const tensor_outline& t : tensors) {
    const tensor_role role = detail::role_of(t.name);
    values += role == tensor_role::v || role == tensor_role::qkv || role == tensor_role::kv;
    tied = tied && role != tensor_role::output;
  }
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const int block_a = detail::block_of(tensors[a].name), block_b = detail::block_of(tensors[b].name);
    return block_a != block_b ? block_a < block_b : a < b;
  });
  detail::mixture mix(type, facts, values, tied);
  std::vector<dtype> chosen(tensors.size());
  for (const std::size_t i : order) {
    const tensor_outline& t = tensors[i];
    const dtype most = entry_of(type).most;
    if (!detail::is_quantizable(t))
      chosen[i] = t.type;
    else if (is_float(most))
      chosen[i] = most;
    else
      chosen[i] = detail::fit_columns(pure ? most : mix.next(t), t.columns);
  }
  return chosen;
}

}  // namespace inlay
