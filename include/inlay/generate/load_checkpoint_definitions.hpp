// SPDX-License-Identifier: Apache-2.0
// What generate/load_checkpoint.hpp declares. Costs seconds to compile (JSON, tokenizers).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/config/macros.hpp"
#include "inlay/core/buffer.hpp"
#include "inlay/core/checksum.hpp"
#include "inlay/core/error.hpp"
#include "inlay/core/thread_pool.hpp"
#include "inlay/generate/check_facts.hpp"
#include "inlay/generate/language_model_parts.hpp"
#include "inlay/generate/load_checkpoint.hpp"
#include "inlay/generate/load_text.hpp"
#include "inlay/generate/load_weights.hpp"
#include "inlay/generate/read_lora.hpp"
#include "inlay/generate/resolve_weights.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/io/json.hpp"
#include "inlay/io/open_checkpoint.hpp"
#include "inlay/quant/codec.hpp"

namespace inlay::detail {

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

/// What a model's parameters point into: the mapped files, and memory for what was packed or copied.
struct loaded_weights {
  checkpoint file;
  buffer packed;
};

INLAY_DEFINITION const std::byte* model_of_file::fetch(std::span<const std::byte> row, std::byte* room) const {
  return weights == nullptr ? row.data() : weights->file.fetch(row, room);
}

/// See model_facts::fingerprint.
inline std::uint64_t fingerprint(const checkpoint& file) {
  checksum sum;
  for (const tensor_view& t : file.tensors()) {
    const std::uint64_t shape[] = {t.rows(), t.columns(), static_cast<std::uint64_t>(t.type)};
    sum.add(std::as_bytes(std::span(t.name)));
    sum.add(std::as_bytes(std::span(shape)));
    sum.add(t.data.first(std::min<std::size_t>(t.data.size(), 64)));
  }
  return sum.value();
}

inline weight_table table_of(const load_request& request, weight_origin origin) {
  return {.description = request.description,
          .slots = {request.slots.begin(), request.slots.end()},
          .pack = request.pack,
          .origin = origin,
          .depends_on_origin = request.depends_on_origin};
}

/// Checks the file against the request and fills the slots; `facts` becomes all that is known of the model.
inline result<std::shared_ptr<const loaded_weights>> load_weights(checkpoint&& file, const load_request& request,
                                                                  const load_options& options, model_facts& facts) {
  auto weights = std::make_shared<loaded_weights>();
  weights->file = std::move(file);
  const checkpoint& opened = weights->file;
  if (auto same = check_rope_divisors(opened, request.rope_divisors); !same) return unexpected<error>(same.error());
  if (auto same = check_facts(opened, request.description); !same) return unexpected<error>(same.error());
  const weight_origin origin = opened.gguf() != nullptr ? weight_origin::gguf : weight_origin::safetensors;
  if (auto done = request.complete(opened, origin); !done) return unexpected<error>(done.error());
  weight_resolver resolver(opened, request.description, request.slots);
  auto sources = resolver.resolve();
  if (!sources) return unexpected<error>(std::move(sources).error());
  std::vector<lora_pair> merge;
  for (const merged_adapter& adapter : options.merge) {
    auto pairs = read_lora(std::string(adapter.path), table_of(request, origin));
    if (!pairs) return unexpected<error>(std::move(pairs).error());
    for (lora_pair& p : *pairs) {
      p.scale *= adapter.scale;
      merge.push_back(std::move(p));
    }
  }
  const std::uint64_t mark = fingerprint(opened);
  thread_pool pool(options.threads == 0 ? default_threads() : options.threads);
  weight_loader loader(opened, request.pack, pool, merge);
  auto packed = loader.load(request.slots, *sources, options.progress);
  if (!packed) return unexpected<error>(std::move(packed).error());
  weights->packed = *std::move(packed);
  facts = {.vocab = request.vocab,
           .parameters = request.parameters,
           .file_bytes = static_cast<std::size_t>(opened.file_bytes()),
           .fingerprint = mark,
           .packed_bytes = weights->packed.size(),
           .unknown_tensors = resolver.unknown()};
  return weights;
}

INLAY_DEFINITION result<language_model> load_checkpoint(checkpoint&& file, std::unique_ptr<model_of_file> model,
                                                        const load_request& request, const load_options& options) {
  auto parts = std::make_unique<language_model::parts>();
  auto weights = load_weights(std::move(file), request, options, parts->facts);
  if (!weights) return unexpected<error>(std::move(weights).error());
  model->weights = *weights;
  parts->model = std::move(model);
  const bool gguf = (*weights)->file.gguf() != nullptr;
  parts->weights =
      std::make_shared<const weight_table>(table_of(request, gguf ? weight_origin::gguf : weight_origin::safetensors));
  load_text((*weights)->file, options.text, *parts);
  (*weights)->file.release();
  return language_model(std::move(parts));
}

INLAY_DEFINITION result<language_model> load_file(std::string_view path,
                                                  result<language_model> (*load)(checkpoint&&, const load_options&),
                                                  const load_options& options) {
  auto file = open_checkpoint(std::string(path));
  if (!file) return unexpected<error>(std::move(file).error());
  return load(*std::move(file), options);
}

INLAY_DEFINITION result<void> check_checkpoint(const checkpoint& file, const checkpoint_description& description,
                                               std::span<const weight_slot> slots) {
  if (auto same = check_facts(file, description); !same) return same;
  if (const auto sources = weight_resolver(file, description, slots).resolve(); !sources)
    return unexpected<error>(sources.error());
  return {};
}

INLAY_DEFINITION result<std::vector<float>> read_rope_factors(const checkpoint& file, std::size_t pairs) {
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

}  // namespace inlay::detail
