// SPDX-License-Identifier: Apache-2.0
// Loading a checkpoint into a model type. Expensive to include: one translation unit of a program does, and says
// INLAY_INSTANTIATE(model) for every model type it loads.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "inlay/generate/check_facts.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/generate/load_text.hpp"
#include "inlay/generate/load_weights.hpp"
#include "inlay/io/open_checkpoint.hpp"
#include "inlay/kernels/default.hpp"

namespace inlay {

namespace detail {

template <class Model, class K>
class loaded_model final : public model_interface {
 public:
  using state = typename Model::state;

  std::size_t state_object_bytes() const override { return sizeof(state); }
  std::size_t state_bytes(const state_options& options) const override { return Model::state_bytes(options); }
  std::size_t scratch_bytes(std::size_t rows) const override { return Model::scratch_bytes(rows); }
  void place_state(std::byte* object, arena& memory, const state_options& options) const override {
    auto* s = new (object) state{};
    s->place(memory, options);
  }
  void forward(const batch& b, workspace w) const override { model.template forward<K>(b, w); }

  Model model{};
  checkpoint file;  ///< weights that were not packed are in its mapping
  buffer packed;
};

/// All of loading that does not depend on the model's type.
inline result<buffer> load_all(const checkpoint& file, const checkpoint_description& description,
                               std::span<const weight_slot> slots, packing pack, const load_options& options,
                               model_facts& facts) {
  if (auto same = check_facts(file, description); !same) return unexpected<error>(same.error());
  weight_resolver resolver(file, description, slots);
  auto sources = resolver.resolve();
  if (!sources) return unexpected<error>(std::move(sources).error());
  facts.unknown_tensors = resolver.unknown();
  facts.file_bytes = file.file_bytes();
  thread_pool pool(options.threads == 0 ? default_threads() : options.threads);
  auto packed = weight_loader(file, pack, pool).load(slots, *sources, options.progress);
  if (packed) facts.packed_bytes = packed->size();
  return packed;
}

/// load<Model>() with a kernel policy of one's own choice.
template <class Model, class K>
result<language_model> load_for(checkpoint file, const load_options& options) {
  auto loaded = std::make_unique<loaded_model<Model, K>>();
  model_facts facts;
  facts.vocab = Model::vocab;
  facts.parameters = Model::parameter_count;
  loaded->file = std::move(file);
  const auto slots = weight_slots(loaded->model);
  auto packed =
      load_all(loaded->file, describe_checkpoint<Model>(), slots, {&K::panel_bytes, &K::pack_panel}, options, facts);
  if (!packed) return unexpected<error>(std::move(packed).error());
  loaded->packed = *std::move(packed);
  const checkpoint& opened = loaded->file;
  language_model model(std::move(loaded), std::move(facts));
  load_text(opened, model);
  return model;
}

}  // namespace detail

template <class Model>
result<language_model> load(std::string_view path, const load_options& options) {
  auto file = open_checkpoint(std::string(path));
  if (!file) return unexpected<error>(std::move(file).error());
  return detail::load_for<Model, kernels::standard>(*std::move(file), options);
}

}  // namespace inlay

/// In one translation unit of a program, at namespace scope: makes load<Model>() available to all of them.
#define INLAY_INSTANTIATE(...)                                                                 \
  template ::inlay::result<::inlay::language_model> inlay::load<__VA_ARGS__>(std::string_view, \
                                                                             const ::inlay::load_options&)
