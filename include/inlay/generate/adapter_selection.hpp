// SPDX-License-Identifier: Apache-2.0
// The adapters that a session uses.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "inlay/core/buffer.hpp"
#include "inlay/core/error.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/generate/lora.hpp"
#include "inlay/generate/lora_parts.hpp"
#include "inlay/layers/adaptation.hpp"

namespace inlay::detail {

class adapter_selection {
 public:
  /// These and no others, with scratch memory for `batch` rows. Nothing is changed by an error: errc::argument for an
  /// adapter of another model, errc::memory.
  result<void> select(const language_model& model, std::span<const active_adapter> adapters, std::size_t batch) {
    std::vector<low_rank_update> updates;
    std::vector<active_adapter> kept;
    std::size_t rank = 0;
    for (const active_adapter& a : adapters) {
      if (model.weights() == nullptr || a.adapter.model() != model.weights())
        return fail(errc::argument, concat(a.adapter.path(), ": was loaded for another model than the session's."));
      if (a.scale == 0.0f) continue;
      for (low_rank_update u : a.adapter.updates()) {
        u.scale *= a.scale;
        updates.push_back(u);
      }
      kept.push_back(a);
      rank = std::max(rank, a.adapter.rank());
    }
    std::sort(updates.begin(), updates.end(), [](const low_rank_update& a, const low_rank_update& b) {
      if (a.weight != b.weight) return std::less<const std::byte*>()(a.weight, b.weight);
      return std::less<const std::byte*>()(a.a.data, b.a.data);
    });
    auto scratch = buffer::allocate(float_bytes(batch * rank));
    if (!scratch) return unexpected<error>(std::move(scratch).error());
    scratch_ = *std::move(scratch);
    adapters_ = std::move(kept);
    updates_ = std::move(updates);
    adaptation_ = {updates_, reinterpret_cast<float*>(scratch_.data()), rank};
    return {};
  }

  std::span<const active_adapter> adapters() const { return adapters_; }
  /// What the forward pass is given: null for none.
  const adaptation* applied() const { return updates_.empty() ? nullptr : &adaptation_; }

 private:
  std::vector<active_adapter> adapters_;  ///< whose memory updates_ point into
  std::vector<low_rank_update> updates_;  ///< of all of them, sorted by weight
  buffer scratch_;
  adaptation adaptation_;
};

}  // namespace inlay::detail
