// SPDX-License-Identifier: Apache-2.0
// Look-up by name in a list that keeps its own order.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace inlay::detail {

class sorted_index {
 public:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  /// Indexes `list` by the member `name`. Returns the position of an element whose name another one before it has, or
  /// none.
  template <class List, class Member>
  std::size_t build(const List& list, Member name) {
    order_.resize(list.size());
    for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<std::uint32_t>(i);
    std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
      const int order = std::string_view(list[a].*name).compare(std::string_view(list[b].*name));
      return order != 0 ? order < 0 : a < b;
    });
    for (std::size_t i = 1; i < order_.size(); ++i) {
      if (list[order_[i]].*name == list[order_[i - 1]].*name) return order_[i];
    }
    return none;
  }

  /// Position in `list`, the one given to build; none where no element has the name.
  template <class List, class Member>
  std::size_t find(const List& list, std::string_view wanted, Member name) const {
    const auto at = std::lower_bound(order_.begin(), order_.end(), wanted, [&](std::uint32_t i, std::string_view text) {
      return std::string_view(list[i].*name) < text;
    });
    return at != order_.end() && list[*at].*name == wanted ? *at : none;
  }

 private:
  std::vector<std::uint32_t> order_;
};

}  // namespace inlay::detail
