// SPDX-License-Identifier: Apache-2.0
// What a converter writes: for every tensor of the new file, where each of its rows comes from. Rows are read, changed
// and encoded in pieces, on all threads; no more than one piece is in memory.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "inlay/convert/convert_checkpoint.hpp"
#include "inlay/core/dtype.hpp"
#include "inlay/core/error.hpp"
#include "inlay/core/thread_pool.hpp"
#include "inlay/generate/resolve_weights.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/io/tensor_stream.hpp"
#include "inlay/layers/parameter.hpp"
#include "inlay/quant/codec.hpp"
#include "inlay/quant/quantize.hpp"

namespace inlay::detail {

/// The rows of one parameter, or of one matrix of it, in a tensor that is to be written.
struct planned_part {
  weight_source source = {};                 ///< where they are in the file that is read
  tensor_place place = {};                   ///< where they go
  std::size_t rows = 0;                      ///< of one matrix
  std::size_t first = 0;                     ///< matrix of the source that becomes the first of the tensor
  std::optional<turned_pieces> turned = {};  ///< what the other container has in another order
  bool into_gguf = false;

  std::size_t turn(std::size_t i) const { return into_gguf ? turned->in_gguf(i) : turned->in_safetensors(i); }
  std::size_t row(std::size_t r) const { return place.row(turned && !turned->columns ? turn(r) : r); }
  bool turns_columns() const { return turned && turned->columns; }
  /// Whether a row is the same bytes in both, where the storage types are.
  bool same_rows() const { return source.change == place.change && !turns_columns(); }
};

struct planned_tensor {
  std::string name;
  std::vector<std::uint64_t> shape = {};  ///< slowest first
  dtype stored = dtype::f32;              ///< as it is read
  dtype type = dtype::f32;                ///< as it is written
  std::size_t matrices = 1;
  std::size_t rows = 0;     ///< of one matrix; numbers of a vector
  std::size_t columns = 0;  ///< 1 for a vector
  std::vector<planned_part> parts = {};
  std::vector<float> constant = {};   ///< what it holds, where it has no parts; of type f32
  const float* importance = nullptr;  ///< [matrices, columns], or null

  std::size_t row_size() const { return row_bytes(type, columns); }
  std::size_t bytes() const { return matrices * rows * row_size(); }
  bool is_vector() const { return columns == 1; }
};

inline void change_values(value_change from, value_change to, float* values, std::size_t count) {
  if (from == to) return;
  for (std::size_t i = 0; i < count; ++i) {
    if (from == value_change::add_one) values[i] += 1.0f;
    if (from == value_change::negative_exp) values[i] = -std::exp(values[i]);
    if (to == value_change::add_one) values[i] -= 1.0f;
    if (to == value_change::negative_exp) values[i] = std::log(-values[i]);
  }
}

class tensor_plan_writer {
 public:
  tensor_plan_writer(const checkpoint& from, thread_pool& pool) : from_(from), pool_(pool) {}

  /// errc::format where a value that is to be quantized is not finite, errc::unsupported where a type has no encoder.
  result<void> write(const planned_tensor& t, tensor_stream& to) {
    if (t.parts.empty()) return to.write(std::as_bytes(std::span(t.constant)));
    struct origin {
      const planned_part* part = nullptr;
      std::size_t row = 0;
    };
    std::vector<origin> origins(t.rows);
    for (const planned_part& part : t.parts)
      for (std::size_t r = 0; r < part.rows; ++r) origins[part.row(r)] = {&part, r};
    const std::size_t row = t.row_size();
    const std::size_t total = t.matrices * t.rows;
    if (total == 0) return {};
    const std::size_t at_once = std::clamp<std::size_t>(piece / row, 1, total);
    buffer_.resize(at_once * row);
    std::atomic<std::size_t> bad{total};
    for (std::size_t begin = 0; begin < total; begin += at_once) {
      const std::size_t count = std::min(at_once, total - begin);
      const std::size_t tasks = std::min(count, 4 * pool_.size());
      pool_.run(tasks, [&](std::size_t task) {
        std::vector<float> values(t.columns), turned;
        for (std::size_t i = count * task / tasks; i < count * (task + 1) / tasks; ++i) {
          const std::size_t matrix = (begin + i) / t.rows;
          const origin& o = origins[(begin + i) % t.rows];
          const auto [tensor, r] = o.part->source.locate(o.part->first + matrix, o.row);
          const std::byte* bytes = tensor->data.data() + r * row_bytes(tensor->type, t.columns);
          std::byte* out = buffer_.data() + i * row;
          const value_change from = o.part->source.change, into = o.part->place.change;
          if (tensor->type == t.type && o.part->same_rows()) {
            std::memcpy(out, bytes, row);
            continue;
          }
          dequantize_row(tensor->type, bytes, t.columns, values.data());
          change_values(from, into, values.data(), t.columns);
          if (o.part->turns_columns()) {
            turned = values;
            for (std::size_t c = 0; c < t.columns; ++c) values[o.part->turn(c)] = turned[c];
          }
          if (!is_float(t.type) && !std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }))
            bad.store(begin + i, std::memory_order_relaxed);
          else
            quantize_row(t.type, values.data(), t.columns, out,
                         t.importance == nullptr ? nullptr : t.importance + matrix * t.columns);
        }
      });
      if (const std::size_t at = bad.load(); at != total)
        return fail(errc::format, concat(from_.path(), ": row ", at, " of what becomes ", t.name,
                                         " has a value that is not finite, so it cannot be quantized."));
      if (auto written = to.write({buffer_.data(), count * row}); !written) return written;
    }
    for (const planned_part& part : t.parts)
      for (const tensor_view* tensor : part.source.tensors) from_.release(*tensor);
    return {};
  }

 private:
  static constexpr std::size_t piece = std::size_t{8} << 20;

  const checkpoint& from_;
  thread_pool& pool_;
  std::vector<std::byte> buffer_;
};

/// Shape of a parameter's tensor in a file.
inline std::vector<std::uint64_t> shape_in(checkpoint::container kind, const weight_slot& slot,
                                           const tensor_place& place, std::size_t matrices, bool by_head) {
  if (slot.kind == slot_kind::vector) {
    if (by_head)
      return {place.tensor_rows / std::max<std::size_t>(slot.head_dim, 1), std::max<std::size_t>(slot.head_dim, 1)};
    if (place.order != row_order::taps_last) return {place.tensor_rows};
    const std::size_t channels = place.tensor_rows / slot.head_dim;
    if (kind == checkpoint::container::gguf) return {channels, slot.head_dim};
    return {channels, 1, slot.head_dim};
  }
  if (matrices > 1) return {matrices, place.tensor_rows, slot.columns};
  return {place.tensor_rows, slot.columns};
}

/// All tensors of a model in a container, in the order of the forward pass. errc::unsupported where its family does not
/// name one of them there.
inline result<std::vector<planned_tensor>> plan_tensors(const checkpoint& from, const conversion_request& request,
                                                        std::span<const weight_source> sources,
                                                        checkpoint::container kind) {
  const checkpoint_description& description = request.description;
  const std::span<const weight_slot> slots = request.slots;
  std::vector<planned_tensor> plan;
  std::unordered_map<std::string, std::size_t> place_of;
  const auto add = [&](std::size_t i, std::string name, const tensor_place& place, std::size_t first,
                       std::size_t matrices, bool by_head = false) {
    const weight_slot& slot = slots[i];
    const auto [at, fresh] = place_of.try_emplace(name, plan.size());
    if (fresh)
      plan.push_back({.name = std::move(name),
                      .shape = shape_in(kind, slot, place, matrices, by_head),
                      .stored = sources[i].tensors.front()->type,
                      .matrices = matrices,
                      .rows = place.tensor_rows,
                      .columns = slot.kind == slot_kind::vector ? 1 : slot.columns});
    planned_part part{sources[i], place, rows_in_tensor(slot), first};
    if (const auto turned = request.turned.find(slot.path); turned != request.turned.end() && kind != from.kind()) {
      part.turned = turned->second;
      part.into_gguf = kind == checkpoint::container::gguf;
    }
    plan[at->second].parts.push_back(std::move(part));
  };
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const weight_slot& slot = slots[i];
    if (slot.shared) continue;
    const auto [path, block] = split_block_number(slot.path);
    const tensor_rule* rule = find_rule(description, path);
    std::string name = slot.path;
    if (rule != nullptr) {
      const std::string_view names = in_container(*rule, kind).name;
      name = substitute(names.substr(0, names.find('|')), '#', block);
    }
    if (name.empty())
      return fail(errc::unsupported,
                  concat(from.path(), ": has ", slot.path, ", for which the model's family has no name in ",
                         kind == checkpoint::container::gguf ? "GGUF" : "safetensors", "."));
    const tensor_place place = place_rows(description, kind, slots, slot, name);
    if (name.find('@') == std::string::npos) {
      add(i, std::move(name), place, 0, slot.stack, rule != nullptr && in_container(*rule, kind).by_head);
      continue;
    }
    for (std::size_t e = 0; e < slot.stack; ++e) add(i, substitute(name, '@', std::to_string(e)), place, e, 1);
  }
  for (const planned_tensor& t : plan) {
    std::size_t rows = 0;
    for (const planned_part& part : t.parts) rows += part.rows;
    if (rows != t.rows)
      return fail(errc::unsupported, concat(from.path(), ": ", t.name, " would have ", t.rows,
                                            " rows, but the model type has ", rows, " of them."));
  }
  return plan;
}

}  // namespace inlay::detail
