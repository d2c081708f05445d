// SPDX-License-Identifier: Apache-2.0
// The bytes of tensors that have been announced, on their way to a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/io/atomic_file.hpp"

namespace inlay {

/// Takes the tensors in the order in which they were announced, each in any number of pieces. Made by the writers.
class tensor_stream {
 public:
  /// The header is written; every tensor is padded to `alignment`.
  tensor_stream(atomic_file file, std::vector<std::uint64_t> sizes, std::uint64_t alignment)
      : file_(std::move(file)), sizes_(std::move(sizes)), alignment_(alignment) {}

  /// The next bytes of the tensor at hand; a piece must not reach into the one after. errc::argument, errc::io.
  result<void> write(std::span<const std::byte> bytes) {
    if (current_ < sizes_.size() && written_ == sizes_[current_] && !bytes.empty()) {
      if (result<void> moved = next(); !moved) return moved;
    }
    const std::uint64_t left = current_ < sizes_.size() ? sizes_[current_] - written_ : 0;
    if (bytes.size() > left) {
      return fail(errc::argument, concat(file_.path(), ": ", bytes.size(), " bytes are given for tensor ", current_,
                                         ", which has room for ", left, "."));
    }
    written_ += bytes.size();
    return file_.write(bytes);
  }

  /// Puts the file in its place. errc::argument where tensors are not complete.
  result<void> finish() {
    while (current_ < sizes_.size() && written_ == sizes_[current_]) {
      if (result<void> moved = next(); !moved) return moved;
    }
    if (current_ < sizes_.size()) {
      return fail(errc::argument, concat(file_.path(), ": tensor ", current_, " has ", written_, " of its ",
                                         sizes_[current_], " bytes."));
    }
    return file_.commit();
  }

 private:
  /// Pads the tensor at hand, which is complete, and goes on to the next that is not empty.
  result<void> next() {
    do {
      if (result<void> padded = file_.write_zeros((alignment_ - written_ % alignment_) % alignment_); !padded)
        return padded;
      ++current_;
      written_ = 0;
    } while (current_ < sizes_.size() && sizes_[current_] == 0);
    return {};
  }

  atomic_file file_;
  std::vector<std::uint64_t> sizes_;
  std::uint64_t alignment_;
  std::size_t current_ = 0;
  std::uint64_t written_ = 0;  // of the tensor at hand
};

}  // namespace inlay
