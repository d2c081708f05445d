// SPDX-License-Identifier: Apache-2.0
// For printing the C++ type that runs a checkpoint: reading its header with checks, and writing declarations.
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/models/checkpoint_header.hpp"

namespace inlay::models::detail {

/// Reads numbers of a header and keeps the first error.
class header_reader {
 public:
  explicit header_reader(const checkpoint_header& header) : header_(header) {}

  const checkpoint_header& header() const { return header_; }
  const std::optional<error>& failure() const { return failure_; }
  void fail_with(std::string message) {
    if (!failure_) failure_ = error{errc::unsupported, std::move(message)};
  }

  /// A size; where it is not stated, `otherwise`, or an error if that is empty.
  std::size_t whole(std::string_view config, std::string_view gguf, std::optional<std::size_t> otherwise = {}) {
    const auto found = header_.number(config, gguf);
    if (!found && otherwise) return *otherwise;
    if (!found) {
      fail_with(concat("The file does not state ", key(config, gguf), "."));
      return 1;
    }
    return checked(*found, key(config, gguf));
  }
  /// The same for a number that a file may state for each layer.
  std::vector<std::size_t> each(std::string_view config, std::string_view gguf, std::size_t layers,
                                std::optional<std::size_t> otherwise = {}) {
    const std::vector<double> list = header_.numbers(config, gguf);
    if (list.empty()) return std::vector<std::size_t>(layers, whole(config, gguf, otherwise));
    if (list.size() != layers)
      fail_with(concat("The list ", key(config, gguf), " has ", list.size(), " numbers, not one for each layer."));
    std::vector<std::size_t> out;
    out.reserve(list.size());
    for (const double x : list) out.push_back(checked(x, key(config, gguf)));
    out.resize(layers, 0);
    return out;
  }
  /// How many dimensions of a head are rotated: GGUF files state their number, config.json their share.
  std::size_t rotated(std::size_t head_dim, float usual_share) {
    const double share =
        header_.number("partial_rotary_factor|rope_parameters.partial_rotary_factor", "").value_or(usual_share);
    if (!(share > 0.0 && share <= 1.0)) fail_with("partial_rotary_factor is not a share of a head.");
    const auto usual =
        failure_ ? head_dim : static_cast<std::size_t>(std::llround(share * static_cast<double>(head_dim)));
    return header_.is_gguf() ? whole("", "rope.dimension_count", usual) : usual;
  }
  float real(std::string_view config, std::string_view gguf, std::optional<float> otherwise = {}) {
    const auto found = header_.number(config, gguf);
    if (!found && otherwise) return *otherwise;
    if (!found || !std::isfinite(*found)) fail_with(concat("The file does not state ", key(config, gguf), "."));
    return found ? static_cast<float>(*found) : 1.0f;
  }
  bool flag(std::string_view config, std::string_view gguf) const {
    return header_.number(config, gguf).value_or(0.0) != 0.0;
  }
  bool has_word(std::string_view config, std::string_view gguf, std::string_view word) const {
    for (const std::string& w : header_.words(config, gguf))
      if (w == word) return true;
    return false;
  }
  /// The number of layers: bounded, since text is written for each.
  std::size_t layers(std::string_view config, std::string_view gguf) {
    const std::size_t n = whole(config, gguf);
    if (n == 0 || n > most_layers) fail_with(concat(n, " layers: at most ", most_layers, " are described."));
    return failure_ ? 1 : n;
  }
  std::size_t vocab(std::string_view safetensors_embedding) {
    return whole("vocab_size", "vocab_size", header_.rows(safetensors_embedding, "token_embd.weight"));
  }
  /// Whether the head is the embedding: some files say so, and some carry it twice.
  bool tied(std::string_view safetensors_head = "lm_head.weight") const {
    if (!header_.is_gguf() && flag("tie_word_embeddings", "")) return true;
    return !header_.has(safetensors_head, "output.weight");
  }

 private:
  static constexpr std::size_t most_layers = 1000;

  std::string_view key(std::string_view config, std::string_view gguf) const {
    return header_.is_gguf() ? gguf : config.substr(0, config.find('|'));
  }
  std::size_t checked(double value, std::string_view name) {
    if (value >= 0.0 && value <= 1e12 && value == std::floor(value)) return static_cast<std::size_t>(value);
    fail_with(concat("The file's ", name, " is not a size."));
    return 1;
  }

  const checkpoint_header& header_;
  std::optional<error> failure_;
};

/// A float literal, the shortest that reads back the same: 0.1f, 1e-6f, 500000.0f.
inline std::string literal(float value) {
  if (value == std::floor(value) && std::fabs(value) < 1e9f)
    return concat(std::to_string(static_cast<long long>(value)), ".0f");
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  std::string out(digits, end);
  if (const std::size_t e = out.find('e'); e != out.npos && e + 2 < out.size() && out[e + 2] == '0')
    out.erase(e + 2, 1);
  return concat(out, "f");
}

/// A braced list with designated initializers, without the members that have their default values.
class initializers {
 public:
  initializers& add(std::string_view name, std::string_view value) {
    text_ += concat(text_.empty() ? "" : ", ", ".", name, " = ", value);
    return *this;
  }
  initializers& add(std::string_view name, std::size_t value) { return add(name, std::to_string(value)); }
  initializers& unless(std::size_t usual, std::string_view name, std::size_t value) {
    return value == usual ? *this : add(name, value);
  }
  initializers& unless(float usual, std::string_view name, float value) {
    return value == usual ? *this : add(name, literal(value));
  }
  initializers& flag(std::string_view name, bool value, bool usual = false) {
    return value == usual ? *this : add(name, value ? "true" : "false");
  }
  /// A member that is a braced list itself.
  initializers& part(std::string_view name, const initializers& list) {
    return list.text_.empty() ? *this : add(name, list.braces());
  }
  initializers& append(const initializers& more) {
    if (!more.text_.empty()) text_ += concat(text_.empty() ? "" : ", ", more.text_);
    return *this;
  }
  std::string braces() const { return concat("{", text_, "}"); }

 private:
  std::string text_;
};

/// `struct name : base {};`
inline std::string declare(std::string_view name, std::string_view base) {
  return concat("struct ", name, " : inlay::models::", base, " {};\n");
}

/// Blocks in their order as arguments of causal_lm, equal neighbours as one repeat.
inline std::string block_arguments(const std::vector<std::string>& blocks) {
  std::string out;
  for (std::size_t i = 0, count; i < blocks.size(); i += count) {
    count = 1;
    while (i + count < blocks.size() && blocks[i + count] == blocks[i]) ++count;
    out += count == 1 ? concat("    ", blocks[i], ",\n") : concat("    inlay::repeat<", count, ", ", blocks[i], ">,\n");
  }
  return out;
}

/// A model whose layers follow no pattern that its family has a name for. `prelude` is empty or ends with a comma.
inline std::string declare_blocks(std::string_view name, const initializers& model, std::string_view prelude,
                                  const std::vector<std::string>& blocks, float epsilon, bool tied,
                                  std::string_view description) {
  return concat(
      "struct ", name, " : inlay::causal_lm<\n    ", model.braces(), ",\n",
      prelude.empty() ? std::string() : concat("    ", prelude, "\n"), block_arguments(blocks), "    inlay::rms_norm<",
      initializers().add("epsilon", literal(epsilon)).braces(), ">, inlay::", tied ? "tied_head" : "own_head",
      "> {\n  static constexpr inlay::checkpoint_description checkpoint() { return inlay::models::", description,
      "; }\n};\n");
}

/// For layers one of which, every `period`, is another: the period, if it holds for all of them and they are whole
/// periods (or, with `rest`, any number of layers may be left over).
inline std::optional<std::size_t> period_of(const std::vector<bool>& special, bool rest) {
  std::size_t period = 1;
  while (period <= special.size() && !special[period - 1]) ++period;
  if (period > special.size()) return std::nullopt;
  for (std::size_t i = 0; i < special.size(); ++i)
    if (special[i] != ((i + 1) % period == 0)) return std::nullopt;
  if (!rest && special.size() % period != 0) return std::nullopt;
  return period;
}

/// The text, unless the header lacked something.
inline result<std::string> described(const header_reader& r, std::string text) {
  if (r.failure()) return unexpected<error>(*r.failure());
  return text;
}

}  // namespace inlay::models::detail
