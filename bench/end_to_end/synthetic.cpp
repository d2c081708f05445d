// SPDX-License-Identifier: Apache-2.0
#include "bench/end_to_end/synthetic.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "bench/support/random.hpp"
#include "inlay/io/gguf.hpp"
#include "inlay/io/gguf_writer.hpp"
#include "inlay/quant/quantize.hpp"

namespace inlay::bench {
namespace {

std::optional<dtype> find_dtype(std::string_view wanted) {
  for (std::size_t i = 0; i < dtype_count; ++i) {
    const std::string_view known = name(static_cast<dtype>(i));
    const auto same = [](char a, char b) { return a == (b >= 'a' && b <= 'z' ? b - 'a' + 'A' : b); };
    if (std::equal(known.begin(), known.end(), wanted.begin(), wanted.end(), same)) return static_cast<dtype>(i);
  }
  return std::nullopt;
}

/// The block number in "blk.12.attn_v.weight".
std::size_t block_number(std::string_view name) {
  std::size_t number = 0;
  if (name.starts_with("blk.")) std::from_chars(name.data() + 4, name.data() + name.size(), number);
  return number;
}

/// The layers to which the _M mixtures give more bits: the first and last eighth, and every third between.
bool gets_more_bits(std::size_t layer, std::size_t layers) {
  return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
}

dtype mixture_type(const model_shape& shape, const shape_tensor& tensor, std::string_view mixture) {
  const std::string_view name = tensor.name;
  const bool untied = std::any_of(shape.tensors.begin(), shape.tensors.end(),
                                  [](const shape_tensor& t) { return t.name == "output.weight"; });
  const bool head = name == (untied ? "output.weight" : "token_embd.weight");
  const bool value = name.find("attn_v.") != name.npos, down = name.find("ffn_down") != name.npos;
  if (mixture == "q4_k_m" || mixture == "q5_k_m") {
    const auto layers = static_cast<std::size_t>(shape.fact("block_count"));
    if (head || ((value || down) && gets_more_bits(block_number(name), layers))) return dtype::q6_k;
    return mixture == "q4_k_m" ? dtype::q4_k : dtype::q5_k;
  }
  if (mixture == "q2_k") {
    if (head) return dtype::q6_k;
    if (value && shape.fact("attention.head_count") >= 4 * shape.fact("attention.head_count_kv")) return dtype::q4_k;
    return value || down || name.find("attn_output") != name.npos ? dtype::q3_k : dtype::q2_k;
  }
  const dtype all = *find_dtype(mixture);
  return head && !is_float(all) && all != dtype::q8_0 ? dtype::q6_k : all;
}

/// What takes the place of a type where rows are not whole blocks of 256.
dtype small_block_type(dtype type) {
  switch (type) {
    case dtype::q2_k:
    case dtype::q3_k:
      return dtype::q4_0;
    case dtype::q4_k:
      return dtype::q5_0;
    case dtype::q5_k:
      return dtype::q5_1;
    case dtype::q6_k:
      return dtype::q8_0;
    case dtype::iq4_xs:
      return dtype::iq4_nl;
    default:
      return type;
  }
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

void set_metadata(gguf_writer& writer, const model_shape& shape, std::string_view mixture) {
  const std::string prefix = concat(shape.architecture, ".");
  writer.set("general.architecture", shape.architecture);
  writer.set("general.name", concat(shape.name, " ", mixture, ", random weights"));
  writer.set("general.quantization_version", std::uint32_t{2});
  writer.set(prefix + "context_length", std::uint32_t{32768});
  for (const auto& [key, value] : shape.facts) {
    const bool whole = key.find("epsilon") == key.npos && key.find("rope.") == key.npos;
    if (whole)
      writer.set(prefix + key, static_cast<std::uint32_t>(value));
    else
      writer.set(prefix + key, static_cast<float>(value));
  }
  const auto head_dim = static_cast<std::uint32_t>(shape.fact("attention.key_length"));
  writer.set(prefix + "attention.value_length", head_dim);
  writer.set(prefix + "rope.dimension_count", head_dim);
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

bool is_mixture(std::string_view name) { return name == "q4_k_m" || name == "q5_k_m" || find_dtype(name).has_value(); }

dtype storage_type(const model_shape& shape, const shape_tensor& tensor, std::string_view mixture) {
  if (tensor.shape.size() < 2 || tensor.name.find("ffn_gate_inp") != tensor.name.npos) return dtype::f32;
  const dtype type = mixture_type(shape, tensor, mixture);
  return tensor.shape.back() % geometry(type).weights == 0 ? type : small_block_type(type);
}

result<void> write_synthetic(const model_shape& shape, std::string_view mixture, std::string path) {
  if (!is_mixture(mixture)) return fail(errc::argument, concat("No mixture is called \"", mixture, "\"."));
  gguf_writer writer;
  set_metadata(writer, shape, mixture);
  for (const shape_tensor& t : shape.tensors)
    if (auto added = writer.add_tensor(t.name, storage_type(shape, t, mixture), t.shape); !added) return added;
  const std::span<const float> divisors = shape.rope_divisors;
  if (!divisors.empty()) {
    if (auto added = writer.add_tensor("rope_freqs.weight", dtype::f32, {divisors.size()}); !added) return added;
  }
  auto out = writer.start(std::move(path));
  if (!out) return unexpected<error>(std::move(out).error());

  std::map<std::pair<dtype, std::uint64_t>, std::vector<std::byte>> pools;
  for (std::size_t i = 0; i < shape.tensors.size(); ++i) {
    const shape_tensor& t = shape.tensors[i];
    const dtype type = storage_type(shape, t, mixture);
    result<void> written;
    if (t.name.ends_with("norm.weight")) {
      const std::vector<float> ones(t.shape[0], 1.0f);
      written = out->write(std::as_bytes(std::span(ones)));
    } else {
      auto& rows = pools[{type, t.shape.back()}];
      if (rows.empty()) rows = random_rows(type, t.shape.back());
      written = write_tensor(*out, t, type, rows, 13 * i);
    }
    if (!written) return written;
  }
  if (result<void> written = out->write(std::as_bytes(divisors)); !written) return written;
  return out->finish();
}

}  // namespace inlay::bench
