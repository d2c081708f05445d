// SPDX-License-Identifier: Apache-2.0
// The places that a session can come back to, and the memory they are kept in.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "inlay/core/buffer.hpp"
#include "inlay/core/error.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/generate/session.hpp"
#include "inlay/generate/session_progress.hpp"
#include "inlay/layers/state.hpp"

namespace inlay::detail {

class session_marks {
 public:
  struct entry {
    std::uint64_t number = 0;
    std::size_t slot = 0;  ///< where in the memory
    std::size_t position = 0;
    session_progress progress;
  };

  /// Of one mark: the logits, and those parts of the state that later tokens overwrite.
  static std::size_t bytes_each(const language_model& model, const state_options& state) {
    return align_up(model.mark_bytes(state)) + float_bytes(model.vocab());
  }

  /// Memory for `most` marks at a time.
  void place(arena& memory, std::size_t most, std::size_t bytes_each) {
    most_ = most;
    bytes_each_ = bytes_each;
    memory_ = memory.take<std::byte>(most * bytes_each);
  }

  result<session_mark> add(const language_model& model, std::size_t position, const session_progress& progress,
                           const float* logits, const std::byte* state) {
    if (entries_.size() >= most_)
      return fail(errc::argument,
                  concat("All of the session's ", most_, " marks are in use (session_options::marks)."));
    entry e{++last_number_, 0, position, progress};
    const auto used = [&](const entry& other) { return other.slot == e.slot; };
    while (std::any_of(entries_.begin(), entries_.end(), used)) ++e.slot;
    std::byte* to = memory_ + e.slot * bytes_each_;
    if (progress.has_logits) std::memcpy(to, logits, model.vocab() * sizeof(float));
    to += float_bytes(model.vocab());
    model.for_each_state_part(state, position, state_parts::overwritten, [&](std::byte* part, std::size_t bytes) {
      std::memcpy(to, part, bytes);
      to += bytes;
    });
    entries_.push_back(std::move(e));
    return session_mark{last_number_};
  }

  /// Puts back what add() copied, and forgets later marks. What else the session was stands in the entry.
  result<const entry*> go_back(session_mark to, const language_model& model, float* logits, std::byte* state) {
    const auto e = find(to);
    if (e == entries_.end()) return unknown();
    const std::byte* from = memory_ + e->slot * bytes_each_;
    if (e->progress.has_logits) std::memcpy(logits, from, model.vocab() * sizeof(float));
    from += float_bytes(model.vocab());
    model.for_each_state_part(state, e->position, state_parts::overwritten, [&](std::byte* part, std::size_t bytes) {
      std::memcpy(part, from, bytes);
      from += bytes;
    });
    entries_.erase(e + 1, entries_.end());
    return &entries_.back();
  }

  result<void> forget(session_mark mark) {
    const auto e = find(mark);
    if (e == entries_.end()) return unknown();
    entries_.erase(e);
    return {};
  }
  void forget_behind(std::size_t position) {
    std::erase_if(entries_, [&](const entry& e) { return e.position > position; });
  }
  void clear() { entries_.clear(); }

 private:
  std::vector<entry>::iterator find(session_mark mark) {
    return std::find_if(entries_.begin(), entries_.end(), [&](const entry& e) { return e.number == mark.number; });
  }
  static unexpected<error> unknown() {
    return fail(errc::argument, "The session has no such mark: it was forgotten, or lies behind where it was rewound.");
  }

  std::vector<entry> entries_;  ///< the oldest first
  std::uint64_t last_number_ = 0;
  std::size_t most_ = 0;
  std::size_t bytes_each_ = 0;
  std::byte* memory_ = nullptr;
};

}  // namespace inlay::detail
