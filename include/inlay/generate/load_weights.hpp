// SPDX-License-Identifier: Apache-2.0
// Brings a checkpoint's numbers into the form the kernels read. What they read as it is in the file stays there,
// mapped; the rest is packed or copied, tensor by tensor, and its pages of the file are given back.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "inlay/core/buffer.hpp"
#include "inlay/core/error.hpp"
#include "inlay/core/thread_pool.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/generate/load_checkpoint.hpp"
#include "inlay/generate/lora_pair.hpp"
#include "inlay/generate/resolve_weights.hpp"
#include "inlay/generate/weight_slot.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/kernels/pack.hpp"
#include "inlay/kernels/types.hpp"
#include "inlay/quant/codec.hpp"
#include "inlay/quant/quantize.hpp"

namespace inlay {

namespace detail {

class weight_loader {
 public:
  /// `merge` is added to the weights.
  weight_loader(const checkpoint& file, packing pack, thread_pool& pool, std::span<const lora_pair> merge = {})
      : file_(file), pack_(pack), pool_(pool), merge_(merge) {}

  /// Fills all slots; the returned memory holds what was packed or copied.
  result<buffer> load(std::span<const weight_slot> slots, std::span<const weight_source> sources,
                      progress_callback progress) {
    std::size_t bytes = 0;
    std::size_t total = 0;
    for (std::size_t i = 0; i < slots.size(); ++i) {
      bytes += room(slots[i], sources[i], merged(i));
      total += work(slots[i], sources[i]);
    }
    auto memory = buffer::allocate(bytes);
    if (!memory) return memory;
    arena parts(memory->data(), memory->size());
    std::size_t done = 0;
    // First, since a touch of the file can map megabytes around it: of matrices that were given back already.
    for (std::size_t i = 0; i < slots.size(); ++i)
      if (slots[i].kind == slot_kind::vector) fill_vector(slots[i], sources[i], parts);
    for (std::size_t i = 0; i < slots.size(); ++i) {
      if (slots[i].kind != slot_kind::vector) fill(slots[i], sources[i], parts, i);
      done += work(slots[i], sources[i]);
      if (progress) progress(done, total);
    }
    return memory;
  }

 private:
  static dtype type_of(const weight_source& s) { return s.tensors.front()->type; }
  static std::size_t work(const weight_slot& slot, const weight_source& source) {
    return slot.kind == slot_kind::table ? 0 : slot.stack * slot.rows * row_bytes(type_of(source), slot.columns);
  }

  /// Whether the rows lie in the file as the kernels read them.
  bool in_place(const weight_slot& slot, const weight_source& source) const {
    if (slot.kind == slot_kind::vector || source.tensors.size() > 1) return false;
    if (slot.kind == slot_kind::matrix && pack_.panel_bytes(type_of(source), slot.rows, slot.columns) != 0)
      return false;
    if (source.order != row_order::same || (slot.stack > 1 && source.tensor_rows != slot.rows)) return false;
    const std::size_t number = is_float(type_of(source)) ? geometry(type_of(source)).bytes : 1;
    return reinterpret_cast<std::uintptr_t>(source.tensors.front()->data.data()) % number == 0;
  }

  std::size_t matrix_bytes(const weight_slot& slot, dtype type) const {
    if (slot.kind != slot_kind::matrix) return align_up(slot.rows * row_bytes(type, slot.columns));
    return align_up(kernels::packed_bytes(pack_, type, slot.rows, slot.columns));
  }
  std::size_t room(const weight_slot& slot, const weight_source& source, bool merged) const {
    if (slot.kind == slot_kind::vector) return float_bytes(slot.columns);
    return !merged && in_place(slot, source) ? 0 : slot.stack * matrix_bytes(slot, type_of(source));
  }

  bool merged(std::size_t slot) const {
    return std::any_of(merge_.begin(), merge_.end(), [slot](const lora_pair& p) { return p.slot == slot; });
  }

  void fill(const weight_slot& slot, const weight_source& source, arena& parts, std::size_t index) {
    const dtype type = type_of(source);
    const std::size_t row = row_bytes(type, slot.columns);
    kernels::matrix_ref m{nullptr, slot.rows, slot.columns, type, kernels::layout::rows};
    const bool changed = merged(index);
    if (!changed && in_place(slot, source)) {
      m.data = source.tensors.front()->data.data() + source.offset * row;
      if (slot.bytes_each != nullptr) *slot.bytes_each = slot.rows * row;
      *slot.matrix = m;
      return;
    }
    const std::size_t each = matrix_bytes(slot, type);
    auto* out = parts.take<std::byte>(slot.stack * each);
    const std::size_t panel = slot.kind == slot_kind::matrix ? pack_.panel_bytes(type, slot.rows, slot.columns) : 0;
    const std::size_t panels = (slot.rows + kernels::panel_rows - 1) / kernels::panel_rows;
    const auto fill_panel = [&](std::size_t task) {
      const std::size_t e = task / panels;
      const std::size_t first = task % panels * kernels::panel_rows;
      const std::size_t count = std::min(kernels::panel_rows, slot.rows - first);
      const std::byte* rows[kernels::panel_rows];
      std::vector<std::byte> sums(changed ? count * row : 0);
      for (std::size_t i = 0; i < count; ++i) {
        const auto [tensor, r] = source.locate(e, first + i);
        rows[i] = tensor->data.data() + r * row;
        if (!changed) continue;
        merge_row(index, e, first + i, type, rows[i], slot.columns, sums.data() + i * row);
        rows[i] = sums.data() + i * row;
      }
      if (panel != 0)
        pack_.pack_panel(type, rows, count, slot.columns, out + e * each + task % panels * panel);
      else
        for (std::size_t i = 0; i < count; ++i) std::memcpy(out + e * each + (first + i) * row, rows[i], row);
    };
    // Pages of the file are given back as it goes: a large tensor is not in memory twice.
    constexpr std::size_t most_bytes = std::size_t{8} << 20;
    const std::size_t each_turn = most_bytes / (kernels::panel_rows * row) + 1;
    for (std::size_t done = 0; done < slot.stack * panels; done += each_turn) {
      pool_.run(std::min(each_turn, slot.stack * panels - done), [&](std::size_t i) { fill_panel(done + i); });
      for (const tensor_view* t : source.tensors) file_.release(*t);
    }
    m.data = out;
    m.layout = panel != 0 ? kernels::layout::panels : kernels::layout::rows;
    if (slot.bytes_each != nullptr) *slot.bytes_each = each;
    *slot.matrix = m;
  }

  void merge_row(std::size_t slot, std::size_t matrix, std::size_t r, dtype type, const std::byte* from,
                 std::size_t columns, std::byte* to) const {
    std::vector<float> values(columns);
    dequantize_row(type, from, columns, values.data());
    for (const lora_pair& p : merge_)
      if (p.slot == slot && p.matrix == matrix) add_row(p, r, values);
    quantize_row(type, values.data(), columns, to);
  }

  static void fill_vector(const weight_slot& slot, const weight_source& source, arena& parts) {
    auto* out = parts.take<float>(slot.columns);
    for (std::size_t i = 0; i < slot.columns; ++i) {
      const auto [tensor, at] = source.locate(0, i);
      dequantize_row(tensor->type, tensor->data.data() + at * row_bytes(tensor->type, 1), 1, out + i);
      if (source.change == value_change::add_one) out[i] += 1.0f;
      if (source.change == value_change::negative_exp) out[i] = -std::exp(out[i]);
    }
    *slot.vector = out;
  }

  const checkpoint& file_;
  packing pack_;
  thread_pool& pool_;
  std::span<const lora_pair> merge_;
};

}  // namespace detail
}  // namespace inlay
