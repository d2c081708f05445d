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
#include "inlay/kernels/pack.hpp"
#include "inlay/kernels/types.hpp"

namespace inlay {

namespace detail {

/// A matrix [rows, columns] in f32 as the model's kernels read it.
inline kernels::matrix_ref pack_floats(const std::vector<float>& values, std::size_t rows, std::size_t columns,
                                       const packing& pack, arena& memory) {
  const kernels::matrix_ref file{reinterpret_cast<const std::byte*>(values.data()), rows, columns, dtype::f32};
  return kernels::pack_matrix(pack, file,
                              memory.take<std::byte>(kernels::packed_bytes(pack, dtype::f32, rows, columns)));
}
inline std::size_t packed_floats_bytes(std::size_t rows, std::size_t columns, const packing& pack) {
  return align_up(kernels::packed_bytes(pack, dtype::f32, rows, columns));
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
