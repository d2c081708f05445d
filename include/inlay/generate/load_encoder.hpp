// SPDX-License-Identifier: Apache-2.0
// Loading a checkpoint into an encoder type. Expensive to include: one translation unit of a program does, and says
// INLAY_INSTANTIATE_ENCODER(model) for every encoder type it loads.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include "inlay/generate/classifier.hpp"
#include "inlay/generate/embedder.hpp"
#include "inlay/generate/encoder_model.hpp"
#include "inlay/generate/load.hpp"
#include "inlay/generate/load_encoder_checkpoint.hpp"
#if !defined(INLAY_LINKED)
#include "inlay/generate/encoder_definitions.hpp"
#endif

namespace inlay {

namespace detail {

template <class Model, class K>
class loaded_encoder final : public encoder_of_file {
 public:
  std::size_t scratch_bytes(std::size_t rows) const override { return Model::scratch_bytes(rows); }
  void forward(const encoder_batch& b, workspace w) const override { model.template forward<K>(b, w); }

  Model model{};
};

/// load_encoder<Model>() with a kernel policy of one's own choice.
template <class Model, class K>
result<encoder_model> load_encoder_for(checkpoint&& file, const load_options& options) {
  auto loaded = std::make_unique<loaded_encoder<Model, K>>();
  encoder_facts facts;
  facts.vocab = Model::vocab;
  facts.outputs = Model::outputs;
  facts.max_tokens = Model::max_tokens;
  facts.token_types = Model::token_types;
  facts.per_token = Model::per_token;
  return with_load_request<Model, K>(loaded->model, [&](const load_request& request) {
    return load_encoder_checkpoint(std::move(file), std::move(loaded), request, facts, options);
  });
}

}  // namespace detail

template <class Model>
result<encoder_model> load_encoder(std::string_view path, const load_options& options) {
  return detail::load_encoder_file(path, detail::load_encoder_for<Model, kernels::standard>, options);
}

}  // namespace inlay

/// In one translation unit of a program, at namespace scope: makes load_encoder<Model>() available to all of them.
#define INLAY_INSTANTIATE_ENCODER(...)                                                                \
  template ::inlay::result<::inlay::encoder_model> inlay::load_encoder<__VA_ARGS__>(std::string_view, \
                                                                                    const ::inlay::load_options&)
