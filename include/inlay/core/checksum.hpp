// SPDX-License-Identifier: Apache-2.0
// A fast 64-bit sum over bytes that come in pieces: finds damage, not malice. A change within eight bytes that lie
// together at a multiple of eight is found for certain, since every step is one-to-one in the sum and in the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace inlay {

class checksum {
 public:
  void add(std::span<const std::byte> bytes) {
    total_ += bytes.size();
    while (!bytes.empty() && pending_ != 0) {
      word_[pending_++] = bytes.front();
      bytes = bytes.subspan(1);
      if (pending_ == sizeof word_) take(word_), pending_ = 0;
    }
    for (; bytes.size() >= sizeof word_; bytes = bytes.subspan(sizeof word_)) take(bytes.data());
    for (const std::byte b : bytes) word_[pending_++] = b;
  }
  /// Of all bytes so far; depends on their number, not on how they came.
  std::uint64_t value() const {
    checksum last = *this;
    if (pending_ != 0) {
      std::memset(last.word_ + pending_, 0, sizeof word_ - pending_);
      last.take(last.word_);
    }
    last.mix(total_);
    return last.sum_;
  }

 private:
  void take(const std::byte* from) {
    std::uint64_t word;
    std::memcpy(&word, from, sizeof word);
    mix(word);
  }
  void mix(std::uint64_t word) {
    sum_ = (sum_ ^ word) * 0x9e3779b97f4a7c15u;
    sum_ ^= sum_ >> 32;
  }

  std::uint64_t sum_ = 0x243f6a8885a308d3u;
  std::uint64_t total_ = 0;
  std::size_t pending_ = 0;
  std::byte word_[8] = {};
};

}  // namespace inlay
