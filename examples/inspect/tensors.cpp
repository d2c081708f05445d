// SPDX-License-Identifier: Apache-2.0
#include "tensors.hpp"

#include <algorithm>
#include <inlay/core/dtype.hpp>
#include <map>
#include <utility>

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// "blk.12.attn_q.weight" -> "blk.#.attn_q.weight", 12. A number is what stands between dots.
std::pair<std::string, long> split(std::string_view name) {
  std::string pattern;
  long first = -1;
  for (std::size_t i = 0; i < name.size();) {
    std::size_t end = i;
    while (end < name.size() && is_digit(name[end])) ++end;
    const bool number =
        end != i && end - i < 8 && (i == 0 || name[i - 1] == '.') && (end == name.size() || name[end] == '.');
    if (!number) {
      pattern += name[i++];
      continue;
    }
    if (first < 0) first = std::stol(std::string(name.substr(i, end - i)));
    pattern += '#';
    i = end;
  }
  return {pattern, first};
}

/// 0, 1, 2, 5 -> "0-2,5".
std::string ranges(std::vector<long> numbers) {
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  std::string out;
  for (std::size_t i = 0, end; i < numbers.size(); i = end) {
    end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) ++end;
    out += (out.empty() ? "" : ",") + std::to_string(numbers[i]);
    if (end - i > 1) out += "-" + std::to_string(numbers[end - 1]);
  }
  return out;
}

}  // namespace

std::vector<tensor_group> group_tensors(const inlay::checkpoint& file) {
  std::vector<tensor_group> groups;
  std::vector<std::vector<long>> numbers;
  std::map<std::string, std::size_t> known;
  const auto add = [&](std::string_view name, const std::string& shape, const std::string& type) {
    const auto [pattern, number] = split(name);
    const auto [at, is_new] = known.try_emplace(pattern + shape + type, groups.size());
    if (is_new) {
      groups.push_back({pattern, shape, type, 0});
      numbers.emplace_back();
    }
    ++groups[at->second].count;
    if (number >= 0) numbers[at->second].push_back(number);
  };
  for (const inlay::tensor_view& t : file.tensors()) {
    std::string shape = "[";
    for (unsigned i = 0; i < t.rank; ++i) shape += (i == 0 ? "" : ", ") + std::to_string(t.shape[i]);
    add(t.name, shape + "]", std::string(inlay::name(t.type)));
  }
  for (const inlay::unreadable_tensor& t : file.unreadable()) add(t.name, "", "cannot be read");
  for (std::size_t i = 0; i < groups.size(); ++i)
    if (const std::size_t mark = groups[i].name.find('#'); mark != std::string::npos)
      groups[i].name.replace(mark, 1, groups[i].count == 1 ? ranges(numbers[i]) : "[" + ranges(numbers[i]) + "]");
  return groups;
}

std::vector<storage_share> storage_mix(const inlay::checkpoint& file) {
  std::vector<storage_share> mix;
  for (const inlay::tensor_view& t : file.tensors()) {
    const auto same = [&](const storage_share& s) { return s.type == inlay::name(t.type); };
    auto found = std::find_if(mix.begin(), mix.end(), same);
    if (found == mix.end()) found = mix.insert(mix.end(), {std::string(inlay::name(t.type))});
    ++found->tensors;
    found->weights += static_cast<double>(t.rows()) * static_cast<double>(t.columns());
    found->bytes += static_cast<double>(t.data.size());
  }
  std::sort(mix.begin(), mix.end(), [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
  return mix;
}
