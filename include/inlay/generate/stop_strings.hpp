// SPDX-License-Identifier: Apache-2.0
// Ends a stream of text where one of some strings appears. Text that may be the beginning of one is held back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace inlay {

class stop_strings {
 public:
  stop_strings() = default;
  explicit stop_strings(std::vector<std::string> strings) : strings_(std::move(strings)) {
    std::erase_if(strings_, [](const std::string& s) { return s.empty(); });
    if (!strings_.empty()) text_.reserve(1024);
  }

  /// The part of the text so far that can be given out and was not. Valid until the next call.
  std::string_view push(std::string_view piece) {
    if (strings_.empty() || found_) return found_ ? std::string_view() : piece;
    text_.erase(0, given_);
    text_ += piece;
    std::size_t end = text_.size();
    for (const std::string& s : strings_) {
      const std::size_t at = text_.find(s);
      if (at != std::string::npos && at <= end) {
        end = at;
        found_ = true;
      }
    }
    if (!found_)
      for (const std::string& s : strings_) end = std::min(end, text_.size() - held(s));
    given_ = end;
    return std::string_view(text_).substr(0, end);
  }

  /// At the end of the stream: what was held back and `last`.
  std::string_view finish(std::string_view last) {
    if (strings_.empty()) return last;
    const std::string_view now = push(last);
    if (found_) return now;
    given_ = text_.size();
    return text_;
  }

  bool found() const { return found_; }

 private:
  /// How many characters at the end of the text are a beginning of s.
  std::size_t held(std::string_view s) const {
    for (std::size_t n = std::min(s.size() - 1, text_.size()); n > 0; --n)
      if (std::string_view(text_).ends_with(s.substr(0, n))) return n;
    return 0;
  }

  std::vector<std::string> strings_;
  std::string text_;  ///< not given out yet, behind `given_` characters that were
  std::size_t given_ = 0;
  bool found_ = false;
};

}  // namespace inlay
