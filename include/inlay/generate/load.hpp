// SPDX-License-Identifier: Apache-2.0
// Loading a checkpoint into a model type. Expensive to include: one translation unit of a program does, and says
// INLAY_INSTANTIATE(model) for every model type it loads.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/core/function_ref.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/generate/load_checkpoint.hpp"
#include "inlay/generate/weight_slot.hpp"
#include "inlay/kernels/default.hpp"
#include "inlay/models/checkpoint_description.hpp"
#include "inlay/models/rotaries.hpp"
#if !defined(INLAY_LINKED)
#include "inlay/generate/runtime.hpp"
#endif

namespace inlay {

namespace detail {

template <class Model, class K>
class loaded_model final : public model_of_file {
 public:
  using state = typename Model::state;

  std::size_t state_object_bytes() const override { return sizeof(state); }
  std::size_t state_bytes(const state_options& options) const override { return Model::state_bytes(options); }
  std::size_t scratch_bytes(std::size_t rows) const override { return Model::scratch_bytes(rows); }
  void place_state(std::byte* object, arena& memory, const state_options& options) const override {
    auto* s = new (object) state{};
    s->place(memory, options);
  }
  void forward(const batch& b, workspace w) const override {
    const auto from_file = [this](std::span<const std::byte> row, std::byte* room) { return fetch(row, room); };
    batch of_file = b;
    of_file.fetch = from_file;
    model.template forward<K>(of_file, w);
  }
  bool stores(dtype kv_type) const override { return Model::stores(kv_type); }
  std::size_t mark_bytes(const state_options& options) const override { return Model::mark_bytes(options); }
  void for_each_state_part(const std::byte* object, std::size_t position, state_parts which,
                           function_ref<void(std::byte*, std::size_t)> f) const override {
    reinterpret_cast<const state*>(object)->for_each_part(position, which, f);
  }
  std::size_t earliest(const std::byte* object, const sequence_past& past) const override {
    return reinterpret_cast<const state*>(object)->earliest(past);
  }
  std::string layout() const override {
    state_layout l;
    state::describe(l);
    return std::move(l).text();
  }

  Model model{};
};

/// Completes the frequencies of rotary embeddings whose divisors come with the checkpoint.
template <class... R>
result<void> load_rope_factors(rotary_list<R...>, const checkpoint& file, std::tuple<typename R::frequencies...>& all) {
  result<void> outcome;
  [[maybe_unused]] const auto complete = [&]<class Rotary>(Rotary*, typename Rotary::frequencies& f) {
    if constexpr (Rotary::has_factors) {
      if (!outcome) return;
      const auto factors = read_rope_factors(file, Rotary::pairs);
      if (factors)
        f.divide(factors->data(), factors->data() + Rotary::pairs);
      else
        outcome = unexpected<error>(factors.error());
    }
  };
  (complete(static_cast<R*>(nullptr), std::get<typename R::frequencies>(all)), ...);
  return outcome;
}

/// f(request) with what Model's type says about loading it; the slots are in `model`.
template <class Model, class K, class F>
auto with_load_request(Model& model, const F& f) {
  const auto complete = [&](const checkpoint& file, weight_origin origin) {
    announce_origin(model, origin);
    return load_rope_factors(typename Model::rotaries{}, file, model.frequencies);
  };
  const auto slots = weight_slots(model);
  return f(load_request{.description = describe_checkpoint<Model>(),
                        .slots = slots,
                        .rope_divisors = rope_divisors(typename Model::rotaries{}),
                        .complete = complete,
                        .pack = {&K::panel_bytes, &K::pack_panel},
                        .vocab = Model::vocab,
                        .parameters = Model::parameter_count,
                        .depends_on_origin = depends_on_origin<Model>()});
}

/// load<Model>() with a kernel policy of one's own choice.
template <class Model, class K>
result<language_model> load_for(checkpoint&& file, const load_options& options) {
  auto loaded = std::make_unique<loaded_model<Model, K>>();
  return with_load_request<Model, K>(loaded->model, [&](const load_request& request) {
    return load_checkpoint(std::move(file), std::move(loaded), request, options);
  });
}

}  // namespace detail

template <class Model>
result<language_model> load(std::string_view path, const load_options& options) {
  return detail::load_file(path, detail::load_for<Model, kernels::standard>, options);
}

}  // namespace inlay

/// In one translation unit of a program, at namespace scope: makes load<Model>() available to all of them.
#define INLAY_INSTANTIATE(...)                                                                 \
  template ::inlay::result<::inlay::language_model> inlay::load<__VA_ARGS__>(std::string_view, \
                                                                             const ::inlay::load_options&)
