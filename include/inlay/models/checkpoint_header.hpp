// SPDX-License-Identifier: Apache-2.0
// What a checkpoint says of its model before its weights are looked at, whichever container it is in.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace inlay {

/// Keys are given twice, as in checkpoint_fact: those of config.json, alternatives separated by `|`, the inner ones
/// after a dot; and that of a GGUF, without the architecture before it. Implemented by detail::header_of_file
/// (generate/read_header.hpp).
class checkpoint_header {
 public:
  virtual ~checkpoint_header() = default;

  virtual bool is_gguf() const = 0;
  /// The architecture or the "model_type"; empty if it is not stated.
  virtual std::string_view kind() const = 0;
  /// A number, or a bool as 0 or 1.
  virtual std::optional<double> number(std::string_view config, std::string_view gguf) const = 0;
  /// The numbers of a list; empty if there is none.
  virtual std::vector<double> numbers(std::string_view config, std::string_view gguf) const = 0;
  /// The words of a list, or one word; empty if there is none.
  virtual std::vector<std::string> words(std::string_view config, std::string_view gguf) const = 0;
  /// Rows of a tensor (numbers of a vector), 0 if it is not there. In safetensors, what stands before the model's own
  /// names may be left out.
  virtual std::size_t rows(std::string_view safetensors, std::string_view gguf) const = 0;
  /// The numbers of a GGUF's tensor that holds few of them (factors of rotary frequencies); empty if it is not there.
  virtual std::vector<float> values(std::string_view gguf) const = 0;
  /// Whether it is there, of whatever storage type.
  virtual bool has(std::string_view safetensors, std::string_view gguf) const = 0;

 protected:
  checkpoint_header() = default;
  checkpoint_header(const checkpoint_header&) = default;
  checkpoint_header(checkpoint_header&&) = default;
  checkpoint_header& operator=(const checkpoint_header&) = default;
  checkpoint_header& operator=(checkpoint_header&&) = default;
};

}  // namespace inlay
