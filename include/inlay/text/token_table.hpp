// SPDX-License-Identifier: Apache-2.0
// The tokens of a vocabulary: bytes and kind by id, id by bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/text/flat_index.hpp"
#include "inlay/text/token.hpp"

namespace inlay::detail {

/// Filled token by token, then indexed once. Two indexes, so that text can never find a control token by accident:
/// `find_text` knows the tokens that text may become, `find_name` the added ones: control tokens, and the user's, which
/// are in both.
class token_table {
 public:
  static constexpr std::size_t most_tokens = std::numeric_limits<token_id>::max();

  void reserve(std::size_t tokens, std::size_t bytes) {
    ends_.reserve(tokens);
    kinds_.reserve(tokens);
    bytes_.reserve(bytes);
  }

  /// The next id's bytes. False when the texts together pass 4 GiB or there are too many.
  bool add(std::string_view bytes, token_kind kind) {
    if (bytes.size() > std::numeric_limits<std::uint32_t>::max() - bytes_.size() || size() >= most_tokens) return false;
    bytes_ += bytes;
    ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
    kinds_.push_back(kind);
    return true;
  }

  /// Makes the tokens findable. `in_text(id)` says whether an ordinary token may come from text.
  template <class InText>
  result<void> index(std::string_view source, const InText& in_text) {
    std::size_t named = 0, texts = 0;
    for (const token_kind k : kinds_) named += is_added(k), texts += is_text(k);
    texts_ = text_index(texts);
    names_ = text_index(named);
    const auto text_of = [this](token_id id) { return (*this)[id]; };
    for (std::size_t i = 0; i < size(); ++i) {
      const auto id = static_cast<token_id>(i);
      const token_kind k = kinds_[i];
      if ((*this)[id].empty()) continue;
      bool ok = true;
      if (is_added(k)) ok = names_.insert((*this)[id], id, text_of);
      if (ok && is_text(k) && in_text(id)) ok = texts_.insert((*this)[id], id, text_of);
      if (!ok) return fail(errc::format, concat(source, ": token ", i, " collides with too many others."));
    }
    return {};
  }

  std::size_t size() const noexcept { return ends_.size(); }
  bool contains(token_id id) const noexcept { return id >= 0 && static_cast<std::size_t>(id) < size(); }

  /// Empty for ids out of range.
  std::string_view operator[](token_id id) const noexcept {
    if (!contains(id)) return {};
    const auto i = static_cast<std::size_t>(id);
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return {bytes_.data() + begin, ends_[i] - begin};
  }
  token_kind kind(token_id id) const noexcept {
    return contains(id) ? kinds_[static_cast<std::size_t>(id)] : token_kind::unused;
  }

  token_id find_text(std::string_view text) const noexcept {
    return texts_.find(text, [this](token_id id) { return (*this)[id]; });
  }
  token_id find_name(std::string_view text) const noexcept {
    return names_.find(text, [this](token_id id) { return (*this)[id]; });
  }

 private:
  static bool is_added(token_kind k) noexcept {
    return k == token_kind::control || k == token_kind::user_defined || k == token_kind::unknown;
  }
  static bool is_text(token_kind k) noexcept {
    return k == token_kind::normal || k == token_kind::user_defined || k == token_kind::unused;
  }

  std::string bytes_;
  std::vector<std::uint32_t> ends_;
  std::vector<token_kind> kinds_;
  text_index texts_, names_;
};

}  // namespace inlay::detail
