// SPDX-License-Identifier: Apache-2.0
// What generate/known_model.hpp and generate/zoo.hpp declare. Costs seconds to compile (JSON).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/config/macros.hpp"
#include "inlay/core/error.hpp"
#include "inlay/generate/check_facts.hpp"
#include "inlay/generate/known_model.hpp"
#include "inlay/generate/open.hpp"
#include "inlay/generate/read_header.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/io/open_checkpoint.hpp"
#include "inlay/models/checkpoint_description.hpp"
#include "inlay/models/checkpoint_header.hpp"

namespace inlay {

namespace detail {

/// How far a checkpoint is from a model type.
struct distance_to_model {
  const known_model* model = nullptr;
  double distance = 0.0;
  std::string differences;
};

inline bool is_of_kind(const checkpoint_header& header, const checkpoint_description& description) {
  const auto kinds = header.is_gguf() ? description.architectures : description.config_types;
  return kinds.empty() || header.kind().empty() || std::find(kinds.begin(), kinds.end(), header.kind()) != kinds.end();
}

/// The key of a fact as the file's kind has it; empty: it is not stated in such files.
inline std::string_view key_of(const checkpoint_header& header, const checkpoint_fact& fact) {
  return header.is_gguf() ? fact.gguf : fact.config.substr(0, fact.config.find('|'));
}

inline distance_to_model compare(const checkpoint_header& header, const known_model& model) {
  distance_to_model out;
  out.model = &model;
  for (const checkpoint_fact& fact : model.description.facts) {
    const std::string_view key = key_of(header, fact);
    if (key.empty()) continue;
    const auto found = header.number(fact.config, fact.gguf);
    if (found ? same_number(*found, fact.value) : !fact.required) continue;
    if (!found && !header.numbers(fact.config, fact.gguf).empty()) continue;  // one number a layer
    const bool comparable = found && *found > 0.0 && fact.value > 0.0;
    out.distance += 0.1 + (comparable ? std::min(2.0, std::fabs(std::log(*found / fact.value))) : 1.0);
    out.differences +=
        concat(out.differences.empty() ? "" : ", ", key, " ",
               found ? number_text(*found) : std::string("is not stated"), ", not ", number_text(fact.value));
  }
  return out;
}

/// "a llama model of 361 million weights: embedding_length 960, block_count 32"; the numbers are those of the facts.
inline std::string what_it_is(const checkpoint& file, const checkpoint_header& header,
                              std::span<const checkpoint_fact> facts) {
  double weights = 0.0;
  for (const tensor_view& t : file.tensors())
    weights += static_cast<double>(t.rows()) * static_cast<double>(t.columns());
  const std::string kind =
      header.kind().empty() ? std::string("model of no stated kind") : concat("\"", header.kind(), "\" model");
  std::string out = weights < 1e6 ? concat("a ", kind, " of ", static_cast<std::size_t>(weights), " weights")
                                  : concat("a ", kind, " of ", std::llround(weights / 1e6), " million weights");
  std::string numbers;
  for (const checkpoint_fact& fact : facts) {
    const std::string_view key = key_of(header, fact);
    if (key.empty()) continue;
    if (const auto found = header.number(fact.config, fact.gguf))
      numbers += concat(numbers.empty() ? ": " : ", ", key, " ", number_text(*found));
  }
  return out + numbers;
}

/// Why none of the types fits: those of the file's kind, the nearest first.
inline std::string why_none(const checkpoint& file, const checkpoint_header& header,
                            std::span<const known_model> models) {
  constexpr std::size_t most_shown = 3;
  std::vector<distance_to_model> near;
  std::vector<std::string_view> kinds;
  for (const known_model& m : models) {
    if (is_of_kind(header, m.description)) near.push_back(compare(header, m));
    for (const std::string_view kind : header.is_gguf() ? m.description.architectures : m.description.config_types)
      if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
  }
  std::sort(near.begin(), near.end(), [](const auto& a, const auto& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.model < b.model;
  });
  std::string out = concat(
      file.path(), ": is of none of the ", models.size(), " model types of this program. It is ",
      what_it_is(file, header, near.empty() ? std::span<const checkpoint_fact>() : near[0].model->description.facts),
      ".");
  if (near.empty()) {
    out += "\n  They are of the kinds ";
    for (const std::string_view kind : kinds) out += concat(kind == kinds.front() ? "" : ", ", kind);
    return out + ".";
  }
  if (near.size() > most_shown) near.resize(most_shown);
  for (const distance_to_model& n : near) {
    out += concat("\n  ", n.model->name, ": ");
    if (!n.differences.empty()) {
      out += n.differences;
      continue;
    }
    const auto fits = n.model->fits(file);
    std::string_view why = fits ? std::string_view() : std::string_view(fits.error().message);
    if (const std::string path = concat(file.path(), ": "); why.starts_with(path)) why.remove_prefix(path.size());
    out += why;
  }
  return out;
}

INLAY_DEFINITION result<opened_model> open_any(std::string_view path, std::span<const known_model> models,
                                               const load_options& options) {
  auto file = open_checkpoint(std::string(path));
  if (!file) return unexpected<error>(std::move(file).error());
  const auto type = find_model(*file, models);
  if (!type) return unexpected<error>(type.error());
  auto model = (*type)->load(*std::move(file), options);
  if (!model) return unexpected<error>(std::move(model).error());
  return opened_model{(*type)->name, *std::move(model)};
}

}  // namespace detail

INLAY_DEFINITION result<const known_model*> find_model(const checkpoint& file, std::span<const known_model> models) {
  const auto header = detail::header_of_file::read(file);
  if (!header) return unexpected<error>(header.error());
  for (const known_model& m : models)
    if (detail::is_of_kind(*header, m.description) && m.fits(file)) return &m;
  return fail(errc::unsupported, detail::why_none(file, *header, models));
}

}  // namespace inlay
