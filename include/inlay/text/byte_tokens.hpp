// SPDX-License-Identifier: Apache-2.0
// Tokens of single bytes, which spell characters that have no token: "<0x00>" ... "<0xFF>".
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "inlay/text/flat_index.hpp"
#include "inlay/text/token.hpp"

namespace inlay::detail {

/// The byte of "<0x41>", or -1.
inline int byte_of_token(std::string_view text) noexcept {
  if (text.size() != 6 || text.substr(0, 3) != "<0x" || text[5] != '>') return -1;
  int value = 0;
  for (const char c : text.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

class byte_tokens {
 public:
  byte_tokens() { ids_.fill(no_token); }
  void set(int byte, token_id id) noexcept { ids_[static_cast<std::size_t>(byte)] = id; }

  /// Appends the tokens of the bytes; false, and nothing, if one of them has none.
  bool spell(std::string_view bytes, std::vector<token_id>& out) const {
    for (const char c : bytes)
      if (of(c) == no_token) return false;
    for (const char c : bytes) out.push_back(of(c));
    return true;
  }

 private:
  token_id of(char c) const noexcept { return ids_[static_cast<unsigned char>(c)]; }
  std::array<token_id, 256> ids_;
};

}  // namespace inlay::detail
