// SPDX-License-Identifier: Apache-2.0
// The bytes of a saved session, little-endian:
//   "inlaySES"  u32 version  u64 bytes in all
//   the model:      u64 fingerprint, text layout of its states, u64 vocabulary, u8 cache type,
//                   u64 fingerprint and text paths of its adapters
//   the sequence:   tokens read, tokens to read, positions of turns, u64 state of the sampler
//   a conversation: u8 flags, u64 begin of the answer, messages
//   logits (if flagged), u64 bytes of states, the states, u64 checksum of all before it
// A text or list is its u64 length and its elements.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "inlay/core/checksum.hpp"
#include "inlay/core/dtype.hpp"
#include "inlay/core/error.hpp"
#include "inlay/core/function_ref.hpp"
#include "inlay/generate/session_progress.hpp"
#include "inlay/io/untrusted.hpp"

namespace inlay::detail {

inline constexpr std::string_view saved_session_magic = "inlaySES";
inline constexpr std::uint32_t saved_session_version = 3;

/// What has to be the same where a session is restored.
struct saved_model {
  std::uint64_t fingerprint = 0;
  std::string layout;
  std::uint64_t vocab = 0;
  dtype cache = dtype::f32;
  std::uint64_t adapters = 0;      ///< 0: none
  std::string adapter_paths = {};  ///< for messages
};

/// A saved session without its logits and states.
struct saved_session {
  saved_model model;
  std::vector<token_id> history;
  std::uint64_t sampler_state = 0;
  session_progress progress;
};

/// Hands bytes on and sums them up. After an error nothing more is handed on.
class saved_session_writer {
 public:
  using sink = function_ref<result<void>(std::span<const std::byte>)>;
  explicit saved_session_writer(sink to) : to_(to) {}

  void bytes(std::span<const std::byte> b) {
    sum_.add(b);
    if (outcome_) outcome_ = to_(b);
  }
  template <class T>
    requires std::is_arithmetic_v<T>
  void number(T value) {
    bytes(std::as_bytes(std::span(&value, 1)));
  }
  void text(std::string_view t) { list(std::span(t)); }
  template <class T, std::size_t N>
  void list(std::span<const T, N> all) {
    number(std::uint64_t{all.size()});
    bytes(std::as_bytes(all));
  }
  void header(const saved_session& s, std::uint64_t total) {
    bytes(std::as_bytes(std::span(saved_session_magic)));
    number(saved_session_version);
    number(total);
    number(s.model.fingerprint);
    text(s.model.layout);
    number(s.model.vocab);
    number(static_cast<std::uint8_t>(s.model.cache));
    number(s.model.adapters);
    text(s.model.adapter_paths);
    list(std::span(std::as_const(s.history)));
    list(std::span(s.progress.unread));
    number(std::uint64_t{s.progress.turns.size()});
    for (const std::size_t t : s.progress.turns) number(std::uint64_t{t});
    number(s.sampler_state);
    number(static_cast<std::uint8_t>(s.progress.in_conversation | s.progress.answering << 1 |
                                     s.progress.has_logits << 2 | (s.progress.finished == finish::stop_token) << 3));
    number(std::uint64_t{s.progress.answer_begin});
    number(std::uint64_t{s.progress.conversation.size()});
    for (const message& m : s.progress.conversation) {
      number(static_cast<std::uint8_t>(m.role));
      text(m.content);
      text(m.reasoning);
      number(std::uint64_t{m.calls.size()});
      for (const tool_call& c : m.calls) text(c.name), text(c.arguments), text(c.id);
      text(m.call_id);
    }
  }
  /// The checksum.
  static constexpr std::size_t end_bytes = sizeof(std::uint64_t);
  result<void> end() {
    number(sum_.value());
    return std::move(outcome_);
  }

 private:
  sink to_;
  checksum sum_;
  result<void> outcome_;
};

/// Reads what nobody vouches for: every length is compared with what is left.
class saved_session_reader {
 public:
  /// Checks the frame: magic, version, length and checksum. `path` is for messages.
  static result<saved_session_reader> open(std::span<const std::byte> bytes, std::string path) {
    saved_session_reader r;
    r.path_ = std::move(path);
    r.left_ = bytes;
    constexpr std::size_t least = saved_session_magic.size() + sizeof(std::uint32_t) + 2 * sizeof(std::uint64_t);
    if (bytes.size() < saved_session_magic.size() ||
        std::memcmp(bytes.data(), saved_session_magic.data(), saved_session_magic.size()) != 0)
      return fail(errc::format, r.says("is not a saved session."));
    if (bytes.size() < least) return fail(errc::format, r.says("is cut short."));
    r.left_ = bytes.subspan(saved_session_magic.size());
    if (const auto version = r.number<std::uint32_t>(); version != saved_session_version)
      return fail(errc::unsupported, r.says("is a saved session of version ", version, "; this library reads version ",
                                            saved_session_version, "."));
    if (const auto total = r.number<std::uint64_t>(); total != bytes.size())
      return fail(errc::format, r.says("has ", bytes.size(), " bytes, but says that it has ", total, "."));
    const auto content = bytes.first(bytes.size() - sizeof(std::uint64_t));
    checksum sum;
    sum.add(content);
    const std::uint64_t actual = sum.value();
    if (std::memcmp(&actual, bytes.data() + content.size(), sizeof actual) != 0)
      return fail(errc::format, r.says("is damaged: its checksum does not fit."));
    r.left_ = r.left_.first(r.left_.size() - sizeof(std::uint64_t));
    return r;
  }

  /// All but logits and states, which are what is left(). Whether it fits a model is not checked.
  result<saved_session> header() {
    saved_session s;
    s.model.fingerprint = number<std::uint64_t>();
    s.model.layout = text();
    s.model.vocab = number<std::uint64_t>();
    const auto cache = number<std::uint8_t>();
    s.model.cache = cache < dtype_count ? static_cast<dtype>(cache) : dtype::f32;
    if (cache >= dtype_count) good_ = false;
    s.model.adapters = number<std::uint64_t>();
    s.model.adapter_paths = text();
    s.history = list<token_id>();
    s.progress.unread = list<token_id>();
    for (const std::uint64_t t : list<std::uint64_t>()) s.progress.turns.push_back(static_cast<std::size_t>(t));
    s.sampler_state = number<std::uint64_t>();
    const auto flags = number<std::uint8_t>();
    if (flags >= 16) good_ = false;
    s.progress.in_conversation = (flags & 1) != 0;
    s.progress.answering = (flags & 2) != 0;
    s.progress.has_logits = (flags & 4) != 0;
    s.progress.finished = (flags & 8) != 0 ? finish::stop_token : finish::stopped;
    s.progress.answer_begin = static_cast<std::size_t>(number<std::uint64_t>());
    const auto messages = number<std::uint64_t>();
    for (std::uint64_t i = 0; good_ && i < messages; ++i) s.progress.conversation.push_back(read_message());
    if (!good_ || !consistent(s)) return fail(errc::format, says("is damaged: its header makes no sense."));
    return s;
  }

  std::span<const std::byte> left() const { return left_; }

  template <class... Parts>
  std::string says(const Parts&... parts) const {
    return concat(path_, path_.empty() ? "The saved session " : ": ", parts...);
  }

 private:
  std::span<const std::byte> bytes(std::uint64_t count) {
    if (count > left_.size()) {
      good_ = false;
      count = 0;
    }
    const auto taken = left_.first(static_cast<std::size_t>(count));
    left_ = left_.subspan(taken.size());
    return taken;
  }
  template <class T>
  T number() {
    T value{};
    if (const auto b = bytes(sizeof(T)); b.size() == sizeof(T)) std::memcpy(&value, b.data(), sizeof(T));
    return value;
  }
  template <class T>
  std::vector<T> list() {
    std::uint64_t size = number<std::uint64_t>();
    if (!multiply(size, sizeof(T))) size = std::numeric_limits<std::uint64_t>::max();
    const auto b = bytes(size);
    std::vector<T> all(b.size() / sizeof(T));
    if (!b.empty()) std::memcpy(all.data(), b.data(), b.size());
    return all;
  }
  std::string text() {
    const auto b = bytes(number<std::uint64_t>());
    return {reinterpret_cast<const char*>(b.data()), b.size()};
  }
  message read_message() {
    message m{};
    const auto role = number<std::uint8_t>();
    if (role > static_cast<std::uint8_t>(chat_role::tool)) {
      good_ = false;
      return m;
    }
    m.role = static_cast<chat_role>(role);
    m.content = text();
    m.reasoning = text();
    const auto calls = number<std::uint64_t>();
    for (std::uint64_t i = 0; good_ && i < calls; ++i) {
      tool_call c{text(), text(), text()};
      m.calls.push_back(std::move(c));
    }
    m.call_id = text();
    return m;
  }

  /// What a session relies on.
  static bool consistent(const saved_session& s) {
    const session_progress& p = s.progress;
    const auto known = [&](token_id id) { return id >= 0 && static_cast<std::uint64_t>(id) < s.model.vocab; };
    const std::size_t end = s.history.size() + p.unread.size();
    return std::all_of(s.history.begin(), s.history.end(), known) &&
           std::all_of(p.unread.begin(), p.unread.end(), known) && std::is_sorted(p.turns.begin(), p.turns.end()) &&
           (p.turns.empty() || p.turns.back() <= end) && p.answer_begin <= s.history.size() &&
           (!p.has_logits || !s.history.empty()) && (!p.answering || p.in_conversation) &&
           (!p.in_conversation || (!p.conversation.empty() && p.conversation.back().role == chat_role::user));
  }

  std::string path_;
  std::span<const std::byte> left_;
  bool good_ = true;
};

}  // namespace inlay::detail
