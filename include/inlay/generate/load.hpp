// SPDX-License-Identifier: Apache-2.0
// Loading a checkpoint into a model type. Expensive to include: one translation unit of a program does, and says
// INLAY_INSTANTIATE(model) for every model type it loads.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <new>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "inlay/generate/check_facts.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/generate/load_text.hpp"
#include "inlay/generate/load_weights.hpp"
#include "inlay/io/open_checkpoint.hpp"
#include "inlay/kernels/default.hpp"
#include "inlay/models/rotaries.hpp"

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

/// The rope divisors of a model's kinds of rotary embedding, for those that have any.
template <class... R>
std::vector<std::vector<float>> rope_divisors(rotary_list<R...>) {
  std::vector<std::vector<float>> all;
  [[maybe_unused]] const auto add = [&]<class Rotary>(Rotary*) {
    if constexpr (Rotary::has_divisors) {
      std::vector<float>& divisors = all.emplace_back();
      for (std::size_t i = 0; i < Rotary::dim / 2; ++i) divisors.push_back(Rotary::divisor(i));
    }
  };
  (add(static_cast<R*>(nullptr)), ...);
  return all;
}

/// A GGUF states the scaling of rotary frequencies as a tensor: compares it with the type's.
inline result<void> check_rope_divisors(const checkpoint& file, const std::vector<std::vector<float>>& divisors) {
  constexpr std::string_view name = "rope_freqs.weight";
  if (file.gguf() == nullptr) return {};
  const tensor_view* t = file.find(name);
  if (t == nullptr && divisors.empty()) return {};
  if (t == nullptr)
    return fail(errc::missing,
                concat(file.path(), ": there is no tensor ", name, ", but the model type scales its rope."));
  std::vector<float> found(t->rows() * t->columns());
  dequantize_row(t->type, t->data.data(), found.size(), found.data());
  const auto close = [](float a, float b) { return std::fabs(a - b) <= 1e-3f * std::fabs(b); };
  for (const auto& expected : divisors)
    if (std::equal(found.begin(), found.end(), expected.begin(), expected.end(), close)) return {};
  if (divisors.empty() && std::all_of(found.begin(), found.end(), [](float f) { return f == 1.0f; })) return {};
  return fail(errc::mismatch,
              concat(file.path(), ": tensor ", name, " scales the rope otherwise than the model type."));
}

/// LongRoPE's divisors, from a GGUF's tensors or from config.json: short ones, then long ones.
inline result<std::vector<float>> read_rope_factors(const checkpoint& file, std::size_t pairs) {
  std::vector<float> factors;
  for (const bool longer : {false, true}) {
    const std::size_t before = factors.size();
    if (file.gguf() != nullptr) {
      const auto t = file.get(longer ? "rope_factors_long.weight" : "rope_factors_short.weight");
      if (!t) return unexpected<error>(t.error());
      if ((*t)->rows() * (*t)->columns() == pairs && is_float((*t)->type)) {
        factors.resize(before + pairs);
        dequantize_row((*t)->type, (*t)->data.data(), pairs, factors.data() + before);
      }
    } else if (const auto document = parse_json(file.config(), file.path())) {
      for (const char* where : {"rope_scaling", "rope_parameters"}) {
        const auto scaling = document->is_object() ? document->find(where) : document->end();
        if (scaling == document->end() || !scaling->is_object()) continue;
        const auto list = scaling->find(longer ? "long_factor" : "short_factor");
        if (list == scaling->end() || !list->is_array()) continue;
        for (const json& number : *list)
          if (number.is_number()) factors.push_back(number.get<float>());
        break;
      }
    }
    if (factors.size() != before + pairs)
      return fail(errc::mismatch, concat(file.path(), ": must state ", pairs, " ", longer ? "long" : "short",
                                         " LongRoPE factors, as the model type has rotary pairs."));
  }
  if (std::any_of(factors.begin(), factors.end(), [](float f) { return !(f > 0.0f); }))
    return fail(errc::format, concat(file.path(), ": has a LongRoPE factor that is not positive."));
  return factors;
}

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
  if (auto same = check_rope_divisors(loaded->file, rope_divisors(typename Model::rotaries{})); !same)
    return unexpected<error>(same.error());
  if (auto r = load_rope_factors(typename Model::rotaries{}, loaded->file, loaded->model.frequencies); !r)
    return unexpected<error>(r.error());
  auto packed =
      load_all(loaded->file, describe_checkpoint<Model>(), slots, {&K::panel_bytes, &K::pack_panel}, options, facts);
  if (!packed) return unexpected<error>(std::move(packed).error());
  loaded->packed = *std::move(packed);
  announce_origin(loaded->model, loaded->file.gguf() != nullptr ? weight_origin::gguf : weight_origin::safetensors);
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
