// SPDX-License-Identifier: Apache-2.0
#include "bench/end_to_end/shapes.hpp"

#include <type_traits>

#include "inlay/generate/load.hpp"
#include "inlay/generate/tensor_places.hpp"
#include "inlay/generate/weight_slot.hpp"
#include "inlay/models/gemma3.hpp"
#include "inlay/models/llama.hpp"
#include "inlay/models/qwen2.hpp"
#include "inlay/models/qwen3.hpp"

namespace inlay::bench {
namespace {

/// Many small experts: 16 layers of 64, of which a token uses 8.
struct moe_64x8 : models::qwen3<{.vocab = 151936,
                                 .width = 1024,
                                 .layers = 16,
                                 .heads = 16,
                                 .kv_heads = 4,
                                 .head_dim = 128,
                                 .inner = 384,
                                 .experts = 64,
                                 .top_k = 8}> {};
/// For trying things out.
struct tiny : models::llama<{.vocab = 512,
                             .width = 256,
                             .layers = 2,
                             .heads = 4,
                             .kv_heads = 2,
                             .head_dim = 64,
                             .inner = 512,
                             .tied = true}> {};
struct tiny_moe : models::qwen3<{.vocab = 512,
                                 .width = 256,
                                 .layers = 2,
                                 .heads = 4,
                                 .kv_heads = 2,
                                 .head_dim = 64,
                                 .inner = 256,
                                 .experts = 8,
                                 .top_k = 2}> {};

/// f.template operator()<Model>(name) for each shape until it returns true.
template <class F>
bool any_shape(const F& f) {
  return f.template operator()<models::llama3_2_1b>("llama-3.2-1b") ||
         f.template operator()<models::qwen2_5_0_5b>("qwen2.5-0.5b") ||
         f.template operator()<models::smollm2_135m>("smollm2-135m") ||
         f.template operator()<models::gemma3_1b>("gemma-3-1b") ||
         f.template operator()<models::gemma3_270m>("gemma-3-270m") || f.template operator()<moe_64x8>("moe-64x8") ||
         f.template operator()<tiny_moe>("tiny-moe") || f.template operator()<tiny>("tiny");
}

template <class Model>
model_shape describe(std::string_view name) {
  const checkpoint_description description = describe_checkpoint<Model>();
  model_shape s{.name = name, .architecture = description.architectures[0], .vocab = Model::vocab};
  for (const checkpoint_fact& fact : description.facts)
    if (!fact.gguf.empty() && fact.value != 0.0) s.facts.emplace_back(fact.gguf, fact.value);
  const double experts = s.fact("expert_count");

  Model model;
  bool tied = false;
  for (const detail::weight_slot& slot : detail::weight_slots(model)) {
    if (slot.shared) {
      tied = true;
      continue;
    }
    const auto [path, block] = detail::split_block_number(slot.path);
    std::string tensor;
    for (const tensor_rule& rule : description.rules)
      if (rule.parameter == path) tensor = detail::substitute(rule.gguf.name, '#', block);
    shape_tensor t{.name = tensor.substr(0, tensor.find('|')), .shape = {slot.columns}};
    if (slot.kind != detail::slot_kind::vector) t.shape.insert(t.shape.begin(), slot.rows);
    if (slot.stack > 1) {
      t.shape.insert(t.shape.begin(), slot.stack);
      t.share = s.fact("expert_used_count") / experts;
    }
    s.tensors.push_back(std::move(t));
  }
  for (shape_tensor& t : s.tensors)
    if (t.name == "token_embd.weight") t.share = tied ? 1.0 : 0.0;
  if (const auto divisors = detail::rope_divisors(typename Model::rotaries{}); divisors.size() == 1)
    s.rope_divisors = divisors[0];
  return s;
}

std::string names_of_all() {
  std::string known;
  any_shape([&]<class>(std::string_view one) { return known += concat(known.empty() ? "" : ", ", one), false; });
  return known;
}

error unknown(std::string_view name) {
  return {errc::argument, concat("No shape is called \"", name, "\"; there are ", names_of_all(), ".")};
}

}  // namespace

result<model_shape> find_shape(std::string_view name) {
  std::optional<model_shape> found;
  any_shape([&]<class Model>(std::string_view one) {
    if (one == name) found = describe<Model>(one);
    return found.has_value();
  });
  if (!found) return unexpected<error>(unknown(name));
  return *std::move(found);
}

result<std::string_view> shape_of_file(std::string_view path) {
  const std::string_view file = path.substr(path.rfind('/') + 1);
  std::string_view found;
  any_shape([&]<class>(std::string_view one) { return file.starts_with(one) && !(found = one).empty(); });
  if (found.empty())
    return fail(errc::argument, concat("The shape is taken from the beginning of a file's name or from --shape, and \"",
                                       file, "\" begins with none of ", names_of_all(), "."));
  return found;
}

result<language_model> load_shape(std::string_view name, std::string_view path, const load_options& options) {
  std::optional<result<language_model>> loaded;
  any_shape([&]<class Model>(std::string_view one) {
    if (one == name) loaded = load<Model>(path, options);
    return loaded.has_value();
  });
  if (!loaded) return unexpected<error>(unknown(name));
  return *std::move(loaded);
}

}  // namespace inlay::bench
