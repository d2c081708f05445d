// SPDX-License-Identifier: Apache-2.0
// What chat formats share in finding questions and cutting thoughts out of replies.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "inlay/text/chat_prompt.hpp"

namespace inlay::detail {

constexpr std::string_view strip_newlines(std::string_view text, bool left, bool right) noexcept {
  while (left && text.starts_with('\n')) text.remove_prefix(1);
  while (right && text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

/// What follows the last `mark` in a text; the text if it has none.
constexpr std::string_view after_last(std::string_view text, std::string_view mark) noexcept {
  const std::size_t at = text.rfind(mark);
  return at == text.npos ? text : text.substr(at + mark.size());
}

inline std::string without(std::string_view text, std::string_view part) {
  std::string out;
  for (std::size_t at; (at = text.find(part)) != text.npos; text.remove_prefix(at + part.size()))
    out += text.substr(0, at);
  return out += text;
}

/// Index of the last message of the user; npos if there is none.
inline std::size_t last_user(std::span<const message> conversation) noexcept {
  for (std::size_t i = conversation.size(); i-- != 0;)
    if (conversation[i].role == chat_role::user) return i;
  return static_cast<std::size_t>(-1);
}

/// A reply cut at "</think>": thoughts before, answer behind.
struct thought_reply {
  std::string_view reasoning, answer;
};

inline thought_reply split_thoughts(const message& m) noexcept {
  constexpr std::string_view end = "</think>";
  const std::string_view content = m.content;
  if (!m.reasoning.empty() || content.find(end) == content.npos) return {m.reasoning, content};
  const std::string_view before = strip_newlines(content.substr(0, content.find(end)), false, true);
  return {strip_newlines(after_last(before, "<think>"), true, false),
          strip_newlines(after_last(content, end), true, false)};
}

}  // namespace inlay::detail
