// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <inlay/io/checkpoint.hpp>
#include <string>
#include <vector>

/// Tensors that differ in nothing but the numbers in their names.
struct tensor_group {
  std::string name;   ///< with the range of its first number, further ones as #: "blk.[0-29].attn_q.weight"
  std::string shape;  ///< "[576, 576]"
  std::string type;   ///< of storage
  std::size_t count = 0;
};
std::vector<tensor_group> group_tensors(const inlay::checkpoint& file);

/// The tensors of one storage type.
struct storage_share {
  std::string type;
  std::size_t tensors = 0;
  double weights = 0.0, bytes = 0.0;
};
/// The largest first.
std::vector<storage_share> storage_mix(const inlay::checkpoint& file);
