// SPDX-License-Identifier: Apache-2.0
// What generate/lora.hpp declares.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "inlay/config/macros.hpp"
#include "inlay/core/buffer.hpp"
#include "inlay/core/checksum.hpp"
#include "inlay/core/error.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/generate/load_checkpoint.hpp"
#include "inlay/generate/lora_parts.hpp"
#include "inlay/generate/read_lora.hpp"
#include "inlay/kernels/types.hpp"

namespace inlay {

namespace detail {

/// A matrix [rows, columns] in f32 as the model's kernels read it.
inline kernels::matrix_ref pack_floats(const std::vector<float>& values, std::size_t rows, std::size_t columns,
                                       const packing& pack, arena& memory) {
  const std::size_t panel = pack.panel_bytes(dtype::f32, rows, columns);
  if (panel == 0) {
    float* out = memory.take<float>(values.size());
    std::memcpy(out, values.data(), values.size() * sizeof(float));
    return {reinterpret_cast<const std::byte*>(out), rows, columns, dtype::f32, kernels::layout::rows};
  }
  const std::size_t panels = (rows + kernels::panel_rows - 1) / kernels::panel_rows;
  auto* out = memory.take<std::byte>(panels * panel);
  for (std::size_t p = 0; p < panels; ++p) {
    const std::byte* lines[kernels::panel_rows];
    const std::size_t count = std::min(kernels::panel_rows, rows - p * kernels::panel_rows);
    for (std::size_t i = 0; i < count; ++i)
      lines[i] = reinterpret_cast<const std::byte*>(values.data() + (p * kernels::panel_rows + i) * columns);
    pack.pack_panel(dtype::f32, lines, count, columns, out + p * panel);
  }
  return {out, rows, columns, dtype::f32, kernels::layout::panels};
}
inline std::size_t packed_floats_bytes(std::size_t rows, std::size_t columns, const packing& pack) {
  const std::size_t panel = pack.panel_bytes(dtype::f32, rows, columns);
  if (panel == 0) return float_bytes(rows * columns);
  return align_up((rows + kernels::panel_rows - 1) / kernels::panel_rows * panel);
}

}  // namespace detail

INLAY_DEFINITION result<lora_adapter> load_lora(const language_model& model, std::string path) {
  const detail::weight_table* table = model.weights();
  if (table == nullptr) return fail(errc::unsupported, concat(path, ": this model takes no adapters."));
  auto parts = std::make_shared<lora_adapter::parts>();
  parts->path = path;
  parts->model = table;
  const auto pairs = detail::read_lora(std::move(path), *table);
  if (!pairs) return unexpected<error>(pairs.error());
  std::size_t bytes = 0;
  for (const detail::lora_pair& p : *pairs) {
    const detail::weight_slot& slot = table->slots[p.slot];
    bytes += detail::packed_floats_bytes(p.rank, slot.columns, table->pack) +
             detail::packed_floats_bytes(slot.rows, p.rank, table->pack);
  }
  auto memory = buffer::allocate(bytes);
  if (!memory) return unexpected<error>(std::move(memory).error());
  parts->memory = *std::move(memory);
  arena room(parts->memory.data(), parts->memory.size());
  for (const detail::lora_pair& p : *pairs) {
    const detail::weight_slot& slot = table->slots[p.slot];
    const std::size_t each = slot.bytes_each == nullptr ? 0 : *slot.bytes_each;
    parts->updates.push_back({.weight = slot.matrix->data + p.matrix * each,
                              .a = detail::pack_floats(p.a, p.rank, slot.columns, table->pack, room),
                              .b = detail::pack_floats(p.b, slot.rows, p.rank, table->pack, room),
                              .scale = p.scale});
    parts->rank = std::max(parts->rank, p.rank);
    parts->parameters += p.a.size() + p.b.size();
    checksum contents;
    const std::uint64_t place[] = {p.slot, p.matrix, p.rank};
    contents.add(std::as_bytes(std::span(place)));
    contents.add(std::as_bytes(std::span(&p.scale, 1)));
    contents.add(std::as_bytes(std::span(p.a)));
    contents.add(std::as_bytes(std::span(p.b)));
    parts->fingerprint += contents.value();  // files have them in different orders
  }
  return lora_adapter(std::move(parts));
}

}  // namespace inlay
