// SPDX-License-Identifier: Apache-2.0
// Two hash tables of fixed purpose, open addressing, no deletion: token text -> id and pair of ids -> merge.
// Keys come from files. A file whose keys collide on purpose would make every probe long, so an insertion that has to
// go past `longest_probe` slots fails, which no honest vocabulary comes near at this load.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "inlay/text/token.hpp"

namespace inlay::detail {

inline constexpr std::size_t longest_probe = 2048;
inline constexpr token_id no_token = -1;

constexpr std::uint64_t mix(std::uint64_t h) noexcept {
  h ^= h >> 32;
  h *= 0xE9846AF9B1A615D5ull;
  h ^= h >> 32;
  h *= 0xE9846AF9B1A615D5ull;
  h ^= h >> 28;
  return h;
}

inline std::uint64_t hash(std::string_view text) noexcept {
  const char* p = text.data();
  std::size_t n = text.size();
  std::uint64_t h = 0x9E3779B97F4A7C15ull * (n + 1);
  for (; n >= 8; p += 8, n -= 8) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    h = (h ^ word) * 0x9FB21C651E98DF25ull;
    h ^= h >> 32;
  }
  std::uint64_t rest = 0;
  if (n != 0) std::memcpy(&rest, p, n);
  return mix(h ^ rest);
}

/// A slot for a hash in a table of any size: the upper half of a product, so no power of two is needed.
constexpr std::size_t slot_of(std::uint64_t hash, std::size_t slots) noexcept {
  return static_cast<std::size_t>((hash >> 32) * slots >> 32);
}

/// Text -> id. The texts themselves are held by the caller, who passes `text_of(id)`.
class text_index {
 public:
  text_index() = default;
  /// Room for `count` texts.
  explicit text_index(std::size_t count) : slots_(count == 0 ? 0 : count + count / 2 + 8) {}

  /// A text that is there already keeps its first id. False: the file's texts collide (see above).
  template <class TextOf>
  bool insert(std::string_view text, token_id id, const TextOf& text_of) {
    const std::uint64_t h = hash(text);
    std::size_t at = slot_of(h, slots_.size());
    for (std::size_t probe = 0; probe < longest_probe; ++probe) {
      slot& s = slots_[at];
      if (s.id == no_token) {
        s = {tag_of(h), id};
        return true;
      }
      if (s.tag == tag_of(h) && std::string_view(text_of(s.id)) == text) return true;
      if (++at == slots_.size()) at = 0;
    }
    return false;
  }

  template <class TextOf>
  token_id find(std::string_view text, const TextOf& text_of) const noexcept {
    if (slots_.empty()) return no_token;
    const std::uint64_t h = hash(text);
    for (std::size_t at = slot_of(h, slots_.size());;) {
      const slot& s = slots_[at];
      if (s.id == no_token) return no_token;
      if (s.tag == tag_of(h) && std::string_view(text_of(s.id)) == text) return s.id;
      if (++at == slots_.size()) at = 0;
    }
  }

 private:
  struct slot {
    std::uint32_t tag = 0;
    token_id id = no_token;
  };
  static std::uint32_t tag_of(std::uint64_t h) noexcept { return static_cast<std::uint32_t>(h); }
  std::vector<slot> slots_;
};

/// What a pair of neighbours becomes. Lower ranks go first.
struct merge {
  static constexpr std::uint32_t none = 0xFFFFFFFF;
  std::uint32_t rank = none;
  token_id id = no_token;
};

/// (left id, right id) -> merge.
class merge_index {
 public:
  merge_index() = default;
  explicit merge_index(std::size_t count) : slots_(count == 0 ? 0 : count + count / 2 + 8) {}

  /// A pair that is there already keeps its first merge. False: the file's pairs collide.
  bool insert(token_id left, token_id right, merge value) {
    std::size_t at = slot_of(mix(key(left, right)), slots_.size());
    for (std::size_t probe = 0; probe < longest_probe; ++probe) {
      slot& s = slots_[at];
      if (s.value.id == no_token) {
        s = {left, right, value};
        return true;
      }
      if (s.left == left && s.right == right) return true;
      if (++at == slots_.size()) at = 0;
    }
    return false;
  }

  merge find(token_id left, token_id right) const noexcept {
    if (slots_.empty()) return {};
    for (std::size_t at = slot_of(mix(key(left, right)), slots_.size());;) {
      const slot& s = slots_[at];
      if (s.value.id == no_token) return {};
      if (s.left == left && s.right == right) return s.value;
      if (++at == slots_.size()) at = 0;
    }
  }

 private:
  struct slot {
    token_id left = no_token, right = no_token;
    merge value;
  };
  static std::uint64_t key(token_id left, token_id right) noexcept {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
  }
  std::vector<slot> slots_;
};

}  // namespace inlay::detail
