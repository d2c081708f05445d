// SPDX-License-Identifier: Apache-2.0
#include "bench/end_to_end/synthetic.hpp"

#include <algorithm>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "bench/support/random.hpp"
#include "inlay/convert/metadata.hpp"
#include "inlay/convert/quantization_mix.hpp"
#include "inlay/io/gguf.hpp"
#include "inlay/io/gguf_writer.hpp"
#include "inlay/quant/quantize.hpp"

namespace inlay::bench {
namespace {

/// A file type by its name in small letters.
result<file_type> find_mixture(std::string_view name) {
  std::string capitals(name);
  for (char& c : capitals)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  if (const auto found = find_file_type(capitals)) return *found;
  return fail(errc::argument, concat("No mixture is called \"", name, "\"."));
}

/// The storage type of each tensor.
std::vector<dtype> storage_types(const model_shape& shape, file_type mixture) {
  std::vector<tensor_outline> outlines;
  for (const shape_tensor& t : shape.tensors)
    outlines.push_back({t.name, dtype::f32, static_cast<unsigned>(t.shape.size()), t.shape.back()});
  const auto number = [&](std::string_view key) { return static_cast<std::size_t>(shape.fact(key)); };
  return choose_types(outlines, mixture,
                      {.layers = number("block_count"),
                       .heads_per_kv_head = number("attention.head_count") / number("attention.head_count_kv"),
                       .experts = number("expert_count")});
}

constexpr std::size_t pool_rows = 97;

/// Encoded rows of a type and width.
std::vector<std::byte> random_rows(dtype type, std::size_t columns) {
  const std::size_t bytes = row_bytes(type, columns);
  std::vector<std::byte> rows(pool_rows * bytes);
  std::vector<float> values(columns);
  random_bits random(columns * dtype_count + static_cast<std::size_t>(type));
  for (std::size_t r = 0; r < pool_rows; ++r) {
    for (float& v : values) v = 0.02f * random.next_normal();
    quantize_row(type, values.data(), columns, rows.data() + r * bytes);
  }
  return rows;
}

std::string utf8(unsigned code) {
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
}

/// The least vocabulary that engines accept: the bytes in GPT-2's spelling, one merge, an end token and fillers.
void set_vocabulary(gguf_writer& writer, std::size_t size) {
  std::vector<std::string> tokens;
  for (unsigned byte = 0, moved = 0; byte < 256; ++byte) {
    const bool visible = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
    tokens.push_back(utf8(visible ? byte : 0x100 + moved++));
  }
  tokens.emplace_back("ab");
  tokens.emplace_back("<|end|>");
  while (tokens.size() < size) tokens.push_back(concat("<", tokens.size(), ">"));
  std::vector<std::int32_t> types(size, 1);
  types[257] = 3;
  const std::vector<std::string_view> views(tokens.begin(), tokens.end());
  const std::string_view merges[] = {"a b"};
  writer.set("tokenizer.ggml.model", "gpt2");
  writer.set("tokenizer.ggml.pre", "gpt-2");
  writer.set_array("tokenizer.ggml.tokens", std::span(views));
  writer.set_array("tokenizer.ggml.token_type", std::span<const std::int32_t>(types));
  writer.set_array("tokenizer.ggml.merges", std::span(merges));
  writer.set("tokenizer.ggml.bos_token_id", std::uint32_t{257});
  writer.set("tokenizer.ggml.eos_token_id", std::uint32_t{257});
  writer.set("tokenizer.ggml.add_bos_token", false);
}

void set_metadata(gguf_writer& writer, const model_shape& shape, file_type mixture) {
  const std::string prefix = concat(shape.architecture, ".");
  writer.set("general.architecture", shape.architecture);
  writer.set("general.name", concat(shape.name, " ", name(mixture), ", random weights"));
  writer.set("general.file_type", static_cast<std::uint32_t>(mixture));
  writer.set("general.quantization_version", std::uint32_t{2});
  writer.set(prefix + "context_length", std::uint32_t{32768});
  for (const auto& [key, value] : shape.facts) detail::write_number(prefix + key, value, writer);
  for (const char* key : {"attention.value_length", "rope.dimension_count"})
    if (shape.fact(key) == 0.0) detail::write_number(prefix + key, shape.fact("attention.key_length"), writer);
  set_vocabulary(writer, shape.vocab);
}

/// The bytes of one tensor.
result<void> write_tensor(tensor_stream& out, const shape_tensor& tensor, dtype type,
                          const std::vector<std::byte>& rows, std::size_t first) {
  const std::uint64_t columns = tensor.shape.back();
  std::uint64_t left = 1;
  for (std::size_t i = 0; i + 1 < tensor.shape.size(); ++i) left *= tensor.shape[i];
  const std::size_t bytes = row_bytes(type, columns);
  for (std::size_t at = first % pool_rows; left != 0; at = 0) {
    const std::size_t count = std::min<std::uint64_t>(left, pool_rows - at);
    if (result<void> written = out.write(std::span(rows).subspan(at * bytes, count * bytes)); !written) return written;
    left -= count;
  }
  return {};
}

}  // namespace

result<void> write_synthetic(const model_shape& shape, std::string_view mixture, std::string path) {
  const auto found = find_mixture(mixture);
  if (!found) return unexpected<error>(found.error());
  const std::vector<dtype> types = storage_types(shape, *found);
  gguf_writer writer;
  set_metadata(writer, shape, *found);
  for (std::size_t i = 0; i < types.size(); ++i) {
    const shape_tensor& t = shape.tensors[i];
    if (auto added = writer.add_tensor(t.name, types[i], t.shape); !added) return added;
  }
  const std::span<const float> divisors = shape.rope_divisors;
  if (!divisors.empty()) {
    if (auto added = writer.add_tensor("rope_freqs.weight", dtype::f32, {divisors.size()}); !added) return added;
  }
  auto out = writer.start(std::move(path));
  if (!out) return unexpected<error>(std::move(out).error());

  std::map<std::pair<dtype, std::uint64_t>, std::vector<std::byte>> pools;
  for (std::size_t i = 0; i < shape.tensors.size(); ++i) {
    const shape_tensor& t = shape.tensors[i];
    result<void> written;
    if (t.name.ends_with("norm.weight")) {
      const std::vector<float> ones(t.shape[0], 1.0f);
      written = out->write(std::as_bytes(std::span(ones)));
    } else {
      auto& rows = pools[{types[i], t.shape.back()}];
      if (rows.empty()) rows = random_rows(types[i], t.shape.back());
      written = write_tensor(*out, t, types[i], rows, 13 * i);
    }
    if (!written) return written;
  }
  if (result<void> written = out->write(std::as_bytes(divisors)); !written) return written;
  return out->finish();
}

}  // namespace inlay::bench
