// SPDX-License-Identifier: Apache-2.0
// The C++ type that runs a checkpoint, as text: for a known family, of whatever sizes.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/generate/read_header.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/models/bert.hpp"
#include "inlay/models/describe/bert.hpp"
#include "inlay/models/describe/gemma.hpp"
#include "inlay/models/describe/llama.hpp"
#include "inlay/models/describe/memory.hpp"
#include "inlay/models/describe/nemotron_h.hpp"
#include "inlay/models/describe/openelm.hpp"
#include "inlay/models/describe/qwen3.hpp"
#include "inlay/models/gemma3.hpp"
#include "inlay/models/gemma4.hpp"
#include "inlay/models/llama.hpp"
#include "inlay/models/mistral.hpp"
#include "inlay/models/mobilebert.hpp"
#include "inlay/models/nemotron_h.hpp"
#include "inlay/models/openelm.hpp"
#include "inlay/models/phi3.hpp"
#include "inlay/models/qwen2.hpp"
#include "inlay/models/qwen3.hpp"
#include "inlay/models/qwen3_5.hpp"

namespace inlay {

namespace detail {

struct described_family {
  std::span<const std::string_view> config_types, architectures;
  std::string_view header;  ///< that declares the family's template
  bool encoder;
  result<std::string> (*describe)(const checkpoint_header&, std::string_view name);
};

inline std::span<const described_family> described_families() {
  namespace m = models;
  namespace d = models::detail;
  static constexpr described_family families[] = {
      {d::llama_config_types, d::llama_architectures, "llama", false, m::describe_llama},
      {d::qwen2_config_types, d::qwen2_architectures, "qwen2", false, m::describe_qwen2},
      {d::mistral_config_types, d::mistral_architectures, "mistral", false, m::describe_mistral},
      {d::phi3_config_types, d::phi3_architectures, "phi3", false, m::describe_phi3},
      {d::qwen3_config_types, d::qwen3_architectures, "qwen3", false, m::describe_qwen3},
      {d::qwen3_moe_config_types, d::qwen3_moe_architectures, "qwen3", false, m::describe_qwen3},
      {d::qwen3_5_config_types, d::qwen3_5_architectures, "qwen3_5", false, m::describe_qwen3_5},
      {d::gemma3_config_types, d::gemma3_architectures, "gemma3", false, m::describe_gemma3},
      {d::gemma4_config_types, d::gemma4_architectures, "gemma4", false, m::describe_gemma4},
      {d::nemotron_h_config_types, d::nemotron_h_architectures, "nemotron_h", false, m::describe_nemotron_h},
      {d::openelm_config_types, d::openelm_architectures, "openelm", false, m::describe_openelm},
      {d::bert_config_types, d::bert_architectures, "bert", true, m::describe_bert},
      {d::mobilebert_config_types, d::mobilebert_config_types, "mobilebert", true, m::describe_mobilebert},
  };
  return families;
}

}  // namespace detail

/// A type as text.
struct described_type {
  std::string declaration;  ///< `struct name : ... {};`, and constants before it where it needs some
  std::string header;       ///< what declares the family: "inlay/models/llama.hpp"
  bool encoder = false;     ///< for load_encoder<name>(), not load<name>()
};

/// Declares, under the given name, the type whose parameters and sizes are those that the checkpoint states.
/// errc::unsupported where the family is not known, where what it needs is not stated, or where it has a form that the
/// family's types do not.
inline result<described_type> describe_type(const checkpoint& file, std::string_view name) {
  const auto header = detail::header_of_file::read(file);
  if (!header) return unexpected<error>(header.error());
  for (const detail::described_family& f : detail::described_families()) {
    const auto kinds = header->is_gguf() ? f.architectures : f.config_types;
    if (std::find(kinds.begin(), kinds.end(), header->kind()) == kinds.end()) continue;
    auto text = f.describe(*header, name);
    if (!text) return fail(text.error().code, concat(file.path(), ": ", text.error().message));
    return described_type{*std::move(text), concat("inlay/models/", f.header, ".hpp"), f.encoder};
  }
  return fail(errc::unsupported,
              header->kind().empty()
                  ? concat(file.path(), ": does not state what kind of model it is (a config.json is missing).")
                  : concat(file.path(), ": is of the kind \"", header->kind(), "\", which is not known."));
}

/// What each layer remembers of a sequence.
inline result<std::vector<models::layer_memory>> describe_memory(const checkpoint& file) {
  const auto header = detail::header_of_file::read(file);
  if (!header) return unexpected<error>(header.error());
  return models::describe_memory(*header);
}

}  // namespace inlay
