// SPDX-License-Identifier: Apache-2.0
// The header of a checkpoint that is open. Costs seconds to compile (JSON).
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/io/json.hpp"
#include "inlay/io/json_paths.hpp"
#include "inlay/models/checkpoint_header.hpp"
#include "inlay/quant/codec.hpp"

namespace inlay::detail {

/// Refers to the checkpoint.
class header_of_file final : public checkpoint_header {
 public:
  /// errc::format where the file's own statements cannot be read.
  static result<header_of_file> read(const checkpoint& file) {
    header_of_file out;
    out.file_ = &file;
    if (file.gguf() != nullptr) {
      const auto architecture = file.gguf()->get<std::string_view>("general.architecture");
      if (!architecture) return unexpected<error>(architecture.error());
      out.kind_ = *architecture;
      return out;
    }
    if (file.config().empty()) return out;
    auto document = parse_json(file.config(), file.config_path());
    if (!document) return unexpected<error>(std::move(document).error());
    if (!document->is_object()) return fail(errc::format, concat(file.config_path(), ": is not a JSON object."));
    out.config_ = *std::move(document);
    if (const json* type = value_at(&out.config_, "model_type"); type != nullptr && type->is_string())
      out.kind_ = type->get<std::string>();
    return out;
  }

  bool is_gguf() const override { return file_->gguf() != nullptr; }
  std::string_view kind() const override { return kind_; }

  std::optional<double> number(std::string_view config, std::string_view gguf) const override {
    if (is_gguf()) {
      const gguf_value* value = find_gguf(gguf);
      if (value == nullptr) return std::nullopt;
      if (const auto yes = value->as<bool>()) return *yes ? 1.0 : 0.0;
      return value->as<double>();
    }
    return first_at(config_, config, [](const json& value) -> std::optional<double> {
      if (value.is_boolean()) return value.get<bool>() ? 1.0 : 0.0;
      if (value.is_number()) return value.get<double>();
      return std::nullopt;
    });
  }

  std::vector<double> numbers(std::string_view config, std::string_view gguf) const override {
    std::vector<double> out;
    if (is_gguf()) {
      const gguf_value* value = find_gguf(gguf);
      const auto list = value == nullptr ? std::nullopt : value->as<gguf_array>();
      if (!list || list->size() > most_entries) return out;
      for (std::size_t i = 0; i < list->size(); ++i) {
        if (const auto yes = list->at<bool>(i))
          out.push_back(*yes ? 1.0 : 0.0);
        else
          out.push_back(list->at<double>(i).value_or(0.0));
      }
      return out;
    }
    const auto list = first_at(config_, config, [](const json& value) -> std::optional<const json*> {
      if (value.is_array() && value.size() <= most_entries) return &value;
      return std::nullopt;
    });
    if (list)
      for (const json& entry : **list) out.push_back(entry.is_number() ? entry.get<double>() : 0.0);
    return out;
  }

  std::vector<std::string> words(std::string_view config, std::string_view gguf) const override {
    std::vector<std::string> out;
    if (is_gguf()) {
      const gguf_value* value = find_gguf(gguf);
      if (value == nullptr) return out;
      if (const auto word = value->as<std::string_view>()) out.emplace_back(*word);
      return out;
    }
    first_at(config_, config, [&](const json& value) -> std::optional<bool> {
      if (value.is_string()) out.push_back(value.get<std::string>());
      if (value.is_array() && value.size() <= most_entries)
        for (const json& entry : value) out.push_back(entry.is_string() ? entry.get<std::string>() : std::string());
      if (out.empty()) return std::nullopt;
      return true;
    });
    return out;
  }

  std::size_t rows(std::string_view safetensors, std::string_view gguf) const override {
    const tensor_view* t = find(file_->tensors(), is_gguf() ? gguf : safetensors);
    if (t == nullptr) return 0;
    return static_cast<std::size_t>(t->rank <= 1 ? t->columns() : t->rows());
  }
  std::vector<float> values(std::string_view gguf) const override {
    const tensor_view* t = is_gguf() ? find(file_->tensors(), gguf) : nullptr;
    if (t == nullptr || t->rows() * t->columns() > most_entries) return {};
    std::vector<float> out(static_cast<std::size_t>(t->rows() * t->columns()));
    dequantize_row(t->type, t->data.data(), out.size(), out.data());
    return out;
  }
  bool has(std::string_view safetensors, std::string_view gguf) const override {
    const std::string_view name = is_gguf() ? gguf : safetensors;
    return find(file_->tensors(), name) != nullptr || find(file_->unreadable(), name) != nullptr;
  }

 private:
  static constexpr std::size_t most_entries = 10'000;

  header_of_file() = default;

  template <class Tensor>
  const Tensor* find(std::span<const Tensor> tensors, std::string_view name) const {
    const auto same = [&](const Tensor& t) { return is_gguf() ? t.name == name : t.name.ends_with(name); };
    const auto found = std::find_if(tensors.begin(), tensors.end(), same);
    return name.empty() || found == tensors.end() ? nullptr : &*found;
  }

  const gguf_value* find_gguf(std::string_view key) const {
    return key.empty() ? nullptr : file_->gguf()->find(concat(kind_, ".", key));
  }

  const checkpoint* file_ = nullptr;
  std::string kind_;
  json config_;
};

}  // namespace inlay::detail
