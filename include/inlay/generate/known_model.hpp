// SPDX-License-Identifier: Apache-2.0
// For programs that are given a checkpoint of whatever model: a table of the model types they were built with, and
// which of them a checkpoint is of. Expensive to include, as load.hpp.
//
//   constexpr inlay::known_model models[] = {inlay::known<inlay::models::smollm2_135m>("smollm2-135m"), ...};
//   auto file = inlay::open_checkpoint(path);
//   auto type = inlay::find_model(*file, models);
//   auto model = (*type)->load(*std::move(file), {});
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/generate/load.hpp"
#include "inlay/generate/load_checkpoint.hpp"
#include "inlay/io/checkpoint.hpp"

namespace inlay {

/// A model type as a value.
struct known_model {
  std::string_view name;
  /// Whether the checkpoint states the numbers of the type and has all its tensors in the right shapes; if not, why.
  result<void> (*fits)(const checkpoint&);
  /// load<Model>() of a checkpoint that is open already.
  result<language_model> (*load)(checkpoint&&, const load_options&);
};

namespace detail {

template <class Model>
result<void> fits(const checkpoint& file) {
  const auto model = std::make_unique<Model>();
  const auto slots = weight_slots(*model);
  return check_checkpoint(file, describe_checkpoint<Model>(), slots);
}

}  // namespace detail

template <class Model>
constexpr known_model known(std::string_view name) {
  return {name, detail::fits<Model>, detail::load_for<Model, kernels::standard>};
}

/// The first of the types that the checkpoint fits; errc::unsupported, with the reasons, if there is none.
inline result<const known_model*> find_model(const checkpoint& file, std::span<const known_model> models) {
  const std::string path = concat(file.path(), ": ");
  std::vector<std::pair<std::string, std::string>> reasons;  // why, and the types that it keeps out
  for (const known_model& m : models) {
    const auto fits = m.fits(file);
    if (fits) return &m;
    std::string_view why = fits.error().message;
    if (why.starts_with(path)) why.remove_prefix(path.size());
    const auto same = std::find_if(reasons.begin(), reasons.end(), [&](const auto& r) { return r.first == why; });
    if (same == reasons.end())
      reasons.emplace_back(why, m.name);
    else
      same->second += concat(", ", m.name);
  }
  std::string message = concat(path, "is of none of the model types of this program.");
  for (const auto& [why, names] : reasons) message += concat("\n  ", names, ": ", why);
  return fail(errc::unsupported, std::move(message));
}

}  // namespace inlay
