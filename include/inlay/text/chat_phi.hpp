// SPDX-License-Identifier: Apache-2.0
// Chat formats of Phi, to the contract of chat_formats.hpp.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "inlay/text/chat_formats.hpp"
#include "inlay/text/chat_prompt.hpp"

namespace inlay {

/// Phi-3, Phi-3.5, Phi-4-mini and Phi-4.
struct phi_chat {
  enum class version : unsigned char {
    v3,       ///< Phi-3 and 3.5: marks and texts on lines of their own
    v4_mini,  ///< the same without line ends
    v4,       ///< Phi-4 14B: ChatML with a separator
  } style = version::v3;

  void render(std::span<const message> conversation, std::size_t from, bool open_reply, chat_prompt& out) const {
    if (detail::follows_reply(conversation, from)) close(out);
    for (std::size_t i = from; i < conversation.size(); ++i) {
      const message& m = conversation[i];
      if (m.role == chat_role::tool) continue;
      if (m.role == chat_role::system &&
          (style == version::v3 ? m.content.empty() : style == version::v4_mini && i != 0))
        continue;
      begin(name(m.role), out);
      out.text(m.content);
      close(out);
    }
    if (open_reply)
      begin("assistant", out);
    else if (style != version::v4)
      out.eos();
  }
  std::span<const std::string_view> stop_names() const noexcept {
    static constexpr std::string_view of_3[] = {"<|end|>", "<|endoftext|>", "<|assistant|>"};
    static constexpr std::string_view of_4[] = {"<|im_end|>", "<|endoftext|>"};
    if (style == version::v4) return of_4;
    return of_3;
  }

 private:
  void begin(std::string_view role, chat_prompt& out) const {
    if (style == version::v4) {
      out.control("<|im_start|>");
      out.text(role);
      out.control("<|im_sep|>");
    } else {
      out.control(concat("<|", role, "|>"));
      if (style == version::v3) out.text("\n");
    }
  }
  void close(chat_prompt& out) const {
    out.control(style == version::v4 ? "<|im_end|>" : "<|end|>");
    if (style == version::v3) out.text("\n");
  }
};

}  // namespace inlay
