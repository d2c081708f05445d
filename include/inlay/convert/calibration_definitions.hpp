// SPDX-License-Identifier: Apache-2.0
// What convert/calibration.hpp declares.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/config/macros.hpp"
#include "inlay/convert/calibration.hpp"
#include "inlay/core/buffer.hpp"
#include "inlay/core/error.hpp"
#include "inlay/core/thread_pool.hpp"
#include "inlay/generate/load_checkpoint.hpp"
#include "inlay/generate/tensor_places.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/io/gguf_writer.hpp"
#include "inlay/layers/observer.hpp"
#include "inlay/layers/state.hpp"
#include "inlay/models/batch.hpp"

namespace inlay {

namespace detail {

class sum_collector final : public product_observer {
 public:
  explicit sum_collector(activation_sums& sums) : sums_(sums) {}

  /// Looks for the matrices of a model's blocks; of those that share a tensor the first is enough, as their inputs are
  /// the same.
  result<void> attach(const weight_table& table) {
    if (table.depends_on_origin && table.origin != weight_origin::gguf)
      return fail(errc::unsupported, "The columns of a layer stand in another order in a GGUF: calibrate with that.");
    for (const weight_slot& slot : table.slots) {
      const auto [path, block] = split_block_number(slot.path);
      if (slot.kind != slot_kind::matrix || block.empty()) continue;
      const tensor_rule* rule = find_rule(table.description, path);
      const std::string_view names = rule != nullptr ? rule->gguf.name : std::string_view(path);
      if (names.empty()) return fail(errc::unsupported, concat(slot.path, " has no name in a GGUF."));
      const std::string name = substitute(names.substr(0, names.find('|')), '#', block);
      if (sums_.entries().contains(name)) continue;
      activation_sums::entry& entry = sums_[name];
      entry.sums.resize(slot.stack * slot.columns);
      entry.counts.resize(slot.stack);
      for (std::size_t m = 0; m < slot.stack; ++m)
        targets_.push_back({slot.matrix->data + (slot.bytes_each == nullptr ? 0 : m * *slot.bytes_each), &entry, m});
    }
    std::sort(targets_.begin(), targets_.end(), before);
    return {};
  }

  void observe(const kernels::matrix_ref& weight, const kernels::activations& x) override {
    const auto found = std::lower_bound(targets_.begin(), targets_.end(), target{weight.data, nullptr, 0}, before);
    if (found == targets_.end() || found->weight != weight.data) return;
    double* sums = found->entry->sums.data() + found->matrix * x.columns;
    for (std::size_t i = 0; i < x.count; ++i)
      for (std::size_t c = 0; c < x.columns; ++c) {
        const double v = x.values[i * x.stride + c];
        sums[c] += v * v;
      }
    found->entry->counts[found->matrix] += x.count;
  }

 private:
  struct target {
    const std::byte* weight;
    activation_sums::entry* entry;
    std::size_t matrix;
  };
  static bool before(const target& a, const target& b) { return std::less<>()(a.weight, b.weight); }

  activation_sums& sums_;
  std::vector<target> targets_;
};

}  // namespace detail

INLAY_DEFINITION importance_matrix activation_sums::importance() const {
  importance_matrix matrix;
  for (const auto& [name, entry] : entries_) {
    const std::size_t columns = entry.sums.size() / entry.counts.size();
    std::vector<float> factors(entry.sums.size());
    for (std::size_t i = 0; i < factors.size(); ++i) {
      const std::uint64_t count = entry.counts[i / columns];
      factors[i] = count == 0 ? 1.0f : static_cast<float>(entry.sums[i] / static_cast<double>(count));
    }
    matrix.set(name, std::move(factors));
  }
  return matrix;
}

INLAY_DEFINITION result<void> activation_sums::write(std::string path) const {
  gguf_writer writer;
  writer.set("general.type", "imatrix");
  writer.set_array("imatrix.datasets", std::span<const std::string_view>());
  writer.set("imatrix.chunk_count", static_cast<std::uint32_t>(chunks));
  writer.set("imatrix.chunk_size", static_cast<std::uint32_t>(chunk_size));
  for (const auto& [name, entry] : entries_) {
    const std::size_t matrices = entry.counts.size();
    for (const auto& [kind, columns] :
         {std::pair{".in_sum2", entry.sums.size() / matrices}, {".counts", std::size_t{1}}})
      if (auto added = writer.add_tensor(concat(name, kind), dtype::f32, {matrices, columns}); !added) return added;
  }
  auto stream = writer.start(std::move(path));
  if (!stream) return unexpected<error>(std::move(stream).error());
  for (const auto& [name, entry] : entries_) {
    const std::vector<float> sums(entry.sums.begin(), entry.sums.end()),
        counts(entry.counts.begin(), entry.counts.end());
    for (const std::vector<float>* numbers : {&sums, &counts})
      if (auto written = stream->write(std::as_bytes(std::span(*numbers))); !written) return written;
  }
  return stream->finish();
}

INLAY_DEFINITION result<activation_sums> collect_activations(const language_model& model,
                                                             std::span<const token_id> tokens,
                                                             const calibration_options& options) {
  const std::size_t chunk = options.chunk;
  if (chunk == 0 || tokens.size() < chunk)
    return fail(errc::argument,
                concat("The text has ", tokens.size(), " tokens, fewer than the ", chunk, " that are read together."));
  for (const token_id t : tokens)
    if (t < 0 || static_cast<std::size_t>(t) >= model.vocab())
      return fail(errc::argument, concat("There is no token ", t, "; the model has ", model.vocab(), "."));
  if (model.weights() == nullptr)
    return fail(errc::unsupported, "The model was not loaded from a checkpoint, so its weights have no names.");
  activation_sums sums;
  sums.chunks = tokens.size() / chunk;
  sums.chunk_size = chunk;
  detail::sum_collector collector(sums);
  if (auto attached = collector.attach(*model.weights()); !attached) return unexpected<error>(attached.error());

  const state_options state{.context = chunk, .kv_type = dtype::f32};
  auto memory = buffer::allocate(model.sequence_bytes(state)), scratch = buffer::allocate(model.scratch_bytes(chunk));
  if (!memory) return unexpected<error>(std::move(memory).error());
  if (!scratch) return unexpected<error>(std::move(scratch).error());
  thread_pool pool(options.threads == 0 ? default_threads() : options.threads);
  for (std::size_t i = 0; i < sums.chunks; ++i) {
    arena room(memory->data(), memory->size()), work(scratch->data(), scratch->size());
    const sequence_rows rows{model.begin_sequence(room, state), 0, chunk, 0, chunk};
    model.forward(
        {.tokens = tokens.subspan(i * chunk, chunk), .sequences = {&rows, 1}, .wanted = {}, .observer = &collector},
        {work, pool});
    if (options.progress) options.progress((i + 1) * chunk, sums.chunks * chunk);
  }
  return sums;
}

INLAY_DEFINITION result<activation_sums> collect_activations(const language_model& model, std::string_view text,
                                                             const calibration_options& options) {
  if (model.text() == nullptr) return unexpected<error>(model.text_error());
  std::vector<token_id> tokens = model.text()->encode(text);
  if (const auto prefix = model.text()->prefix(); !prefix.empty() && options.chunk != 0)
    for (std::size_t i = 0; i < tokens.size(); i += options.chunk) tokens[i] = prefix.front();
  return collect_activations(model, std::span<const token_id>(tokens), options);
}

}  // namespace inlay
