// SPDX-License-Identifier: Apache-2.0
// Adapter files: a folder of PEFT (adapter_config.json, adapter_model.safetensors) or a GGUF. Tensors are named after
// the model's, so a family's table of names says what they change.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/generate/check_facts.hpp"
#include "inlay/generate/load_checkpoint.hpp"
#include "inlay/generate/lora_pair.hpp"
#include "inlay/generate/read_tokenizer.hpp"
#include "inlay/generate/resolve_weights.hpp"
#include "inlay/generate/tensor_places.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/io/json.hpp"
#include "inlay/io/open_checkpoint.hpp"
#include "inlay/quant/codec.hpp"

namespace inlay::detail {

class lora_reader {
 public:
  lora_reader(const checkpoint& file, const checkpoint_description& description, std::span<const weight_slot> slots)
      : file_(file), description_(description), slots_(slots) {}

  /// errc::missing for what the model does not have, errc::mismatch for other shapes, errc::unsupported for other kinds
  /// of adapters; all name the tensor.
  result<std::vector<lora_pair>> read() {
    if (auto ok = file_.gguf() != nullptr ? read_gguf_settings(*file_.gguf()) : read_peft_settings(); !ok)
      return unexpected<error>(ok.error());
    if (!file_.unreadable().empty()) return unexpected<error>(file_.unreadable().front().why);
    std::map<std::string, std::pair<const tensor_view*, const tensor_view*>> halves;
    for (const tensor_view& t : file_.tensors()) {
      const auto [base, is_a] = split_name(t.name);
      if (base.empty())
        return fail(errc::unsupported, concat(t.file, ": tensor ", t.name, " is no part of a LoRA of linear layers."));
      (is_a ? halves[base].first : halves[base].second) = &t;
    }
    if (halves.empty()) return fail(errc::missing, concat(file_.path(), ": has no tensors of an adapter."));
    index_names();
    std::vector<lora_pair> pairs;
    for (const auto& [base, half] : halves) {
      if (half.first == nullptr || half.second == nullptr)
        return fail(errc::missing, concat(file_.path(), ": has only one of A and B for ", base, "."));
      if (auto ok = add(base, *half.first, *half.second, pairs); !ok) return unexpected<error>(ok.error());
    }
    return pairs;
  }

 private:
  static constexpr std::size_t whole_stack = static_cast<std::size_t>(-1);
  struct target {
    std::size_t slot = 0;
    std::size_t matrix = whole_stack;
    std::string name;  ///< of the tensor, with @ for the expert's number
  };

  result<void> read_gguf_settings(const gguf_file& file) {
    const auto type = file.get_or<std::string_view>("adapter.type", "");
    if (!type || *type != "lora")
      return fail(errc::unsupported, concat(file.path(), ": is no LoRA adapter (adapter.type)."));
    const auto architecture = file.get<std::string_view>("general.architecture");
    if (!architecture) return unexpected<error>(architecture.error());
    if (auto same = check_kind(file.path(), "general.architecture", *architecture, description_.architectures); !same)
      return same;
    const auto alpha = file.get<float>("adapter.lora.alpha");
    if (!alpha) return unexpected<error>(alpha.error());
    alpha_ = *alpha;
    return {};
  }

  result<void> read_peft_settings() {
    const std::string path = sibling(file_.path(), "adapter_config.json");
    const std::string text = read_beside(file_, "adapter_config.json");
    if (text.empty()) return fail(errc::missing, concat(path, ": there is no such file."));
    const auto document = parse_json(text, path);
    if (!document) return unexpected<error>(document.error());
    const auto refuse = [&](std::string_view what) {
      return fail(errc::unsupported, concat(path, ": ", what, " is not supported."));
    };
    if (const auto type = string_of(*document, "peft_type"); type && *type != "LORA") return refuse(*type);
    if (flag_of(*document, "use_dora", false)) return refuse("DoRA");
    if (flag_of(*document, "fan_in_fan_out", false)) return refuse("fan_in_fan_out");
    root_ = flag_of(*document, "use_rslora", false);
    const json* alpha = member(*document, "lora_alpha");
    if (alpha == nullptr || !alpha->is_number()) return fail(errc::missing, concat(path, ": has no lora_alpha."));
    alpha_ = alpha->get<float>();
    const json* patterns = member(*document, "alpha_pattern");
    if (patterns == nullptr || !patterns->is_object()) return {};
    for (const auto& [key, value] : patterns->items()) {
      if (key.find_first_of("*+?[](){}|^$\\") != std::string::npos || !value.is_number())
        return refuse(concat("alpha_pattern ", key));
      alphas_.emplace_back(key, value.get<float>());
    }
    return {};
  }

  /// The name of the changed tensor, and whether this is A; empty for another tensor.
  std::pair<std::string, bool> split_name(std::string_view name) const {
    if (file_.gguf() != nullptr) {
      const bool a = name.ends_with(".lora_a");
      if (!a && !name.ends_with(".lora_b")) return {};
      return {std::string(name.substr(0, name.size() - 7)), a};
    }
    for (const std::string_view prefix : {"base_model.model.", "base_model."})
      if (name.starts_with(prefix)) {
        name.remove_prefix(prefix.size());
        break;
      }
    if (!name.ends_with(".weight")) return {};
    // A file saved with the adapter's name in it has one part more: .lora_A.default.weight
    const std::size_t a = name.rfind(".lora_A."), b = name.rfind(".lora_B.");
    if (a == name.npos && b == name.npos) return {};
    return {concat(name.substr(0, a != name.npos ? a : b), ".weight"), a != name.npos};
  }

  void index_names() {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      const weight_slot& slot = slots_[i];
      if (slot.kind != slot_kind::matrix) continue;
      const auto [path, block] = split_block_number(slot.path);
      const tensor_rule* rule = find_rule(description_, path);
      if (rule == nullptr) {
        if (description_.rules.empty()) targets_[slot.path].push_back({i, whole_stack, slot.path});
        continue;
      }
      any_alternative(in_container(*rule, file_.kind()).name, [&, &number = block](std::string_view alternative) {
        const std::string name = substitute(alternative, '#', number);
        if (name.find('@') == std::string::npos) {
          targets_[name].push_back({i, slot.stack > 1 ? whole_stack : 0, name});
        } else {
          for (std::size_t e = 0; e < slot.stack; ++e)
            targets_[substitute(name, '@', std::to_string(e))].push_back({i, e, name});
        }
        return false;
      });
    }
  }

  /// Also under the family's other prefixes, and under none: then the model was trained without its head.
  const std::vector<target>* find(const std::string& base) const {
    const auto look = [&](const std::string& name) {
      const auto found = targets_.find(name);
      return found == targets_.end() ? nullptr : &found->second;
    };
    if (const auto* found = look(base)) return found;
    if (file_.gguf() != nullptr) return nullptr;
    for (const std::string_view prefix : description_.prefixes)
      if (base.starts_with(prefix))
        if (const auto* found = look(concat(description_.prefix, base.substr(prefix.size())))) return found;
    return look(concat(description_.prefix, base));
  }

  float scale_of(std::string_view base, std::size_t rank) const {
    float alpha = alpha_;
    const std::string_view module = base.substr(0, base.size() - std::min<std::size_t>(base.size(), 7));
    for (const auto& [key, value] : alphas_)
      if (module == key || module.ends_with(concat(".", key))) alpha = value;
    if (file_.gguf() != nullptr && alpha == 0.0f) return 1.0f;
    return alpha / (root_ ? std::sqrt(static_cast<float>(rank)) : static_cast<float>(rank));
  }

  result<void> add(const std::string& base, const tensor_view& a, const tensor_view& b, std::vector<lora_pair>& pairs) {
    const std::vector<target>* targets = find(base);
    if (targets == nullptr)
      return fail(errc::missing, concat(a.file, ": tensor ", a.name, " changes ", base,
                                        ", which is no linear layer of the model type."));
    for (const target& t : *targets) {
      const weight_slot& slot = slots_[t.slot];
      const std::size_t matrices = t.matrix == whole_stack ? slot.stack : 1;
      const tensor_place place = place_rows(description_, file_.kind(), slots_, slot, t.name);
      const std::size_t rank = static_cast<std::size_t>(b.columns());
      const bool fits = rank != 0 && a.columns() == slot.columns && a.rows() == matrices * rank &&
                        b.rows() == matrices * place.tensor_rows;
      if (!fits)
        return fail(errc::mismatch,
                    concat(a.file, ": tensors ", a.name, " ", shape_text(a), " and ", b.name, " ", shape_text(b),
                           " do not fit ", slot.path, " ", shape_text(slot), " of the model type."));
      for (std::size_t m = 0; m < matrices; ++m) {
        lora_pair pair{.slot = t.slot,
                       .matrix = t.matrix == whole_stack ? m : t.matrix,
                       .rank = rank,
                       .scale = scale_of(base, rank),
                       .a = std::vector<float>(rank * slot.columns),
                       .b = std::vector<float>(slot.rows * rank)};
        for (std::size_t i = 0; i < rank; ++i) copy_row(a, m * rank + i, pair.a.data() + i * slot.columns);
        for (std::size_t i = 0; i < slot.rows; ++i)
          copy_row(b, m * place.tensor_rows + place.row(i), pair.b.data() + i * rank);
        const auto finite = [](const std::vector<float>& values) {
          return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
        };
        if (!finite(pair.a) || !finite(pair.b) || !std::isfinite(pair.scale))
          return fail(errc::format, concat(a.file, ": what changes ", base, " is not finite."));
        pairs.push_back(std::move(pair));
      }
    }
    return {};
  }
  static void copy_row(const tensor_view& t, std::size_t row, float* out) {
    const auto columns = static_cast<std::size_t>(t.columns());
    dequantize_row(t.type, t.data.data() + row * row_bytes(t.type, columns), columns, out);
  }

  const checkpoint& file_;
  const checkpoint_description& description_;
  std::span<const weight_slot> slots_;
  float alpha_ = 0.0f;
  bool root_ = false;  ///< divided by the root of the rank (rsLoRA)
  std::vector<std::pair<std::string, float>> alphas_;
  std::unordered_map<std::string, std::vector<target>> targets_;
};

inline result<std::vector<lora_pair>> read_lora(std::string path, const weight_table& model) {
  // A folder of PEFT may hold more than the adapter, such as a trainer's state.
  constexpr std::string_view usual = "adapter_model.safetensors";
  std::error_code ignored;
  if (const auto inside = std::filesystem::path(path) / usual; std::filesystem::exists(inside, ignored))
    path = inside.string();
  const auto file = open_checkpoint(std::move(path));
  if (!file) return unexpected<error>(file.error());
  const weight_origin origin = file->gguf() != nullptr ? weight_origin::gguf : weight_origin::safetensors;
  if (model.depends_on_origin && origin != model.origin)
    return fail(errc::unsupported, concat(file->path(), ": the heads of a layer stand in another order in the ",
                                          "container that the model was loaded from."));
  return lora_reader(*file, model.description, model.slots).read();
}

}  // namespace inlay::detail
