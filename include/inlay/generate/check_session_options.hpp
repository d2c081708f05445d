// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "inlay/core/dtype.hpp"
#include "inlay/core/error.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/generate/session.hpp"
#include "inlay/generate/session_marks.hpp"
#include "inlay/layers/state.hpp"
#include "inlay/text/token.hpp"

namespace inlay::detail {

/// Why there can be no such session, before any size is computed that would not fit a size_t: errc::argument for a type
/// of the cache, errc::memory. `state`: what the options ask of the model's state.
inline result<void> check_session_options(const language_model& model, const session_options& options,
                                          const state_options& state) {
  if (!is_cache_type(options.kv_type)) {
    std::string types;
    for (const dtype type : cache_types) types += concat(types.empty() ? "" : ", ", name(type));
    return fail(errc::argument, concat("Keys and values cannot be stored as ", name(options.kv_type),
                                       "; the types for them are ", types, "."));
  }
  if (!model.stores(options.kv_type))
    return fail(errc::argument, concat("Keys and values cannot be stored as ", name(options.kv_type),
                                       ", which has blocks of ", geometry(options.kv_type).weights,
                                       " numbers: the heads of this model are no whole number of them."));
  constexpr std::size_t few = 64;
  const std::size_t position =
      model.sequence_bytes({few, options.kv_type}) / few + model.scratch_bytes(few) / few + sizeof(token_id);
  const std::size_t mark = std::max<std::size_t>(session_marks::bytes_each(model, state), 1);
  const std::size_t most = SIZE_MAX / 16;
  if (options.context > most / position || options.marks > most / mark)
    return fail(errc::memory, concat("A context of ", options.context, " positions with ", options.marks,
                                     " marks is more than can be addressed."));
  return {};
}

}  // namespace inlay::detail
