// SPDX-License-Identifier: Apache-2.0
#include "inlay/io/gguf.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/quant/codec.hpp"
#include "tests/io/support.hpp"

namespace inlay {
namespace {

using test::bytes_builder;
using test::check_error;
using test::value_of;

constexpr std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();

bytes_builder header(std::uint64_t tensors, std::uint64_t entries, std::uint32_t version = 3) {
  bytes_builder bytes;
  bytes.raw("GGUF").u32(version).u64(tensors).u64(entries);
  return bytes;
}

bytes_builder& entry(bytes_builder& to, std::string_view key, gguf_type type) {
  return to.string(key).u32(static_cast<std::uint32_t>(type));
}

bytes_builder& tensor(bytes_builder& to, std::string_view name, std::initializer_list<std::uint64_t> dims,
                      std::uint32_t type, std::uint64_t offset) {
  to.string(name).u32(static_cast<std::uint32_t>(dims.size()));
  for (const std::uint64_t dim : dims) to.u64(dim);
  return to.u32(type).u64(offset);
}

result<gguf_file> parse(const bytes_builder& from) { return gguf_file::parse(from.bytes(), "x.gguf"); }

TEST_CASE("a file of the gguf package is read: metadata") {
  const std::vector<std::byte> bytes = test::read_file(INLAY_TEST_DATA "/io/small.gguf");
  const gguf_file file = value_of(gguf_file::parse(bytes, "small.gguf"));
  CHECK(file.version() == 3);
  CHECK(file.alignment() == 32);
  CHECK(file.metadata().size() == 18);
  CHECK(value_of(file.get<std::string_view>("general.architecture")) == "llama");
  CHECK(value_of(file.get<std::uint32_t>("llama.block_count")) == 2);
  CHECK(value_of(file.get<std::uint8_t>("test.u8")) == 200);
  CHECK(value_of(file.get<std::int64_t>("test.i8")) == -100);
  CHECK(value_of(file.get<std::uint64_t>("test.u16")) == 60000);
  CHECK(value_of(file.get<int>("test.i16")) == -30000);
  CHECK(value_of(file.get<std::uint32_t>("test.u32")) == 4000000000u);
  CHECK(value_of(file.get<std::int64_t>("test.i32")) == -2000000000);
  CHECK(value_of(file.get<std::uint64_t>("test.u64")) == (1ull << 63) + 1);
  CHECK(value_of(file.get<std::int64_t>("test.i64")) == -(1ll << 62));
  CHECK(value_of(file.get<float>("test.f32")) == 0.5f);
  CHECK(value_of(file.get<double>("test.f64")) == 0.1);
  CHECK(value_of(file.get<float>("test.u8")) == 200.0f);
  CHECK(value_of(file.get<bool>("test.true")));
  CHECK_FALSE(value_of(file.get<bool>("test.false")));
  CHECK(value_of(file.get_or<std::uint32_t>("llama.block_count", 7)) == 2);
  CHECK(value_of(file.get_or<std::uint32_t>("not.there", 7)) == 7);
  CHECK(file.find("not.there") == nullptr);
  CHECK(file.find("") == nullptr);
}

TEST_CASE("a file of the gguf package is read: arrays") {
  const std::vector<std::byte> bytes = test::read_file(INLAY_TEST_DATA "/io/small.gguf");
  const gguf_file file = value_of(gguf_file::parse(bytes, "small.gguf"));
  const auto tokens = value_of(file.get<gguf_array>("tokenizer.ggml.tokens"));
  CHECK(tokens.element_type() == gguf_type::string);
  CHECK(tokens.size() == 4);
  std::vector<std::string_view> texts;
  for (const std::string_view token : tokens.strings()) texts.push_back(token);
  CHECK(texts == std::vector<std::string_view>{"<s>", "",
                                               "\xe2\x96\x81"
                                               "a",
                                               "b"});
  CHECK_FALSE(tokens.at<int>(0).has_value());
  const auto scores = value_of(file.get<gguf_array>("tokenizer.ggml.scores"));
  CHECK(scores.at<float>(1) == -1.5f);
  CHECK_FALSE(scores.at<float>(4).has_value());
  CHECK_FALSE(scores.at<int>(1).has_value());
  CHECK(scores.strings().begin() == scores.strings().end());
  const auto types = value_of(file.get<gguf_array>("tokenizer.ggml.token_type"));
  CHECK(types.at<std::uint8_t>(3) == 6);
}

TEST_CASE("a file of the gguf package is read: tensors") {
  const std::vector<std::byte> bytes = test::read_file(INLAY_TEST_DATA "/io/small.gguf");
  const gguf_file file = value_of(gguf_file::parse(bytes, "small.gguf"));
  CHECK(file.tensors().size() == 7);
  struct {
    std::string_view name;
    dtype type;
    std::vector<std::uint64_t> shape;
    float tolerance;  // half a quantization step of the largest value
  } const expected[] = {
      {"scalar_like", dtype::f32, {1}, 0},         {"matrix.f32", dtype::f32, {3, 5}, 0},
      {"matrix.f16", dtype::f16, {3, 5}, 0},       {"matrix.bf16", dtype::bf16, {3, 6}, 0},
      {"matrix.q8_0", dtype::q8_0, {2, 64}, 0.1f}, {"experts.q4_0", dtype::q4_0, {2, 3, 32}, 2.5f},
  };
  for (const auto& want : expected) {
    CAPTURE(std::string(want.name));
    const gguf_tensor* found = file.find_tensor(want.name);
    REQUIRE(found != nullptr);
    const tensor_view view = value_of(file.view(*found));
    CHECK(view.name == want.name);
    CHECK(view.type == want.type);
    REQUIRE(view.rank == want.shape.size());
    for (unsigned i = 0; i < max_tensor_rank; ++i) CHECK(view.shape[i] == (i < view.rank ? want.shape[i] : 1));
    REQUIRE(view.data.size() == view.rows() * row_bytes(view.type, view.columns()));
    std::vector<float> row(view.columns());
    for (std::uint64_t r = 0; r < view.rows(); ++r) {
      dequantize_row(view.type, view.data.data() + r * row_bytes(view.type, row.size()), row.size(), row.data());
      for (std::size_t c = 0; c < row.size(); ++c) {
        const float exact = static_cast<float>(r * row.size() + c) * 0.25f - 8;
        CHECK(std::abs(row[c] - exact) <= want.tolerance);
      }
    }
  }
  const gguf_tensor* integers = file.find_tensor("integers");
  REQUIRE(integers != nullptr);
  CHECK(integers->data.size() == 24);
  check_error(file.view(*integers), errc::unsupported, {"small.gguf", "'integers'", "26 (I32)"});
}

TEST_CASE("values of the wrong kind are refused with both kinds named") {
  const std::vector<std::byte> bytes = test::read_file(INLAY_TEST_DATA "/io/small.gguf");
  const gguf_file file = value_of(gguf_file::parse(bytes, "small.gguf"));
  check_error(file.get<int>("not.there"), errc::missing, {"small.gguf", "'not.there'"});
  check_error(file.get<int>("general.name"), errc::mismatch,
              {"small.gguf", "'general.name'", "whole number", "string"});
  check_error(file.get<std::uint8_t>("test.u16"), errc::mismatch, {"from 0 to 255", "u16 60000"});
  check_error(file.get<std::uint64_t>("test.i8"), errc::mismatch, {"i8 -100"});
  check_error(file.get<std::int64_t>("test.u64"), errc::mismatch, {"u64"});
  check_error(file.get<int>("test.f32"), errc::mismatch, {"whole number", "f32"});
  check_error(file.get<int>("test.true"), errc::mismatch, {"whole number", "bool"});
  check_error(file.get<bool>("test.u8"), errc::mismatch, {"a bool", "u8"});
  check_error(file.get<float>("general.name"), errc::mismatch, {"a number", "string"});
  check_error(file.get<std::string_view>("test.u8"), errc::mismatch, {"a string", "u8"});
  check_error(file.get<gguf_array>("test.u8"), errc::mismatch, {"an array", "u8"});
  check_error(file.get<std::string_view>("tokenizer.ggml.tokens"), errc::mismatch, {"a string", "array"});
  check_error(file.get_or<int>("general.name", 3), errc::mismatch, {"whole number"});
}

TEST_CASE("version 2, arrays of arrays, scalars and empty tensors are read") {
  bytes_builder bytes = header(3, 2, 2);
  entry(bytes, "nested", gguf_type::array).u32(9).u64(2);
  bytes.u32(4).u64(2).u32(1).u32(2);
  bytes.u32(8).u64(1).string("inner");
  entry(bytes, "after", gguf_type::u8).add(std::uint8_t{9});
  tensor(bytes, "scalar", {}, 0, 0);
  tensor(bytes, "empty", {0, 7}, 8, 32);
  tensor(bytes, "odd", {3}, 1234, 32);
  bytes.pad_to(32).zeros(32).zeros(8);
  const gguf_file file = value_of(parse(bytes));
  CHECK(file.version() == 2);
  CHECK(value_of(file.get<gguf_array>("nested")).size() == 2);
  CHECK(value_of(file.get<int>("after")) == 9);
  CHECK(file.tensors()[0].data.size() == 4);
  CHECK(value_of(file.view(file.tensors()[0])).columns() == 1);
  CHECK(file.tensors()[1].data.empty());
  CHECK(value_of(file.view(file.tensors()[1])).rows() == 7);
  check_error(file.view(file.tensors()[2]), errc::unsupported, {"'odd'", "1234"});
}

TEST_CASE("another alignment moves the data") {
  bytes_builder bytes = header(1, 1);
  entry(bytes, "general.alignment", gguf_type::u32).u32(128);
  tensor(bytes, "t", {2}, 0, 0);
  bytes.pad_to(128);
  const std::size_t start = bytes.bytes().size();
  bytes.zeros(8);
  const gguf_file file = value_of(parse(bytes));
  CHECK(file.alignment() == 128);
  CHECK(file.data_offset() == start);
}

TEST_CASE("headers that are not GGUF are refused") {
  check_error(gguf_file::parse({}, "x.gguf"), errc::format, {"x.gguf", "too short", "0 bytes"});
  check_error(parse(bytes_builder().raw("GGUF").u32(3)), errc::format, {"too short"});
  check_error(parse(bytes_builder().raw("GGML").zeros(40)), errc::format, {"not a GGUF file"});
  check_error(parse(header(0, 0, 1)), errc::unsupported, {"version 1"});
  check_error(parse(header(0, 0, 4)), errc::unsupported, {"version 4"});
  check_error(parse(header(0, 0, 0x03000000)), errc::unsupported, {"big-endian"});
  CHECK(parse(header(0, 0)).has_value());
}

TEST_CASE("counts that cannot fit are refused before anything is made for them") {
  check_error(parse(header(huge, 0)), errc::format, {"tensors", "more than fit"});
  check_error(parse(header(0, huge)), errc::format, {"metadata", "more than fit"});
  check_error(parse(header(1, 0)), errc::format, {"more than fit"});
  check_error(parse(header(gguf_file::max_tensors + 1, 0).zeros(25 * (gguf_file::max_tensors + 1))), errc::unsupported,
              {"the most"});
  check_error(parse(header(0, gguf_file::max_entries + 1).zeros(14 * (gguf_file::max_entries + 1))), errc::unsupported,
              {"the most"});
}

TEST_CASE("broken metadata is refused") {
  const auto broken = [](auto&&... build) {
    bytes_builder bytes = header(0, 1);
    (build(bytes), ...);
    return parse(bytes.zeros(0));
  };
  const auto pad = [](bytes_builder& b) { b.zeros(16); };
  check_error(broken([](bytes_builder& b) { b.u64(huge); }, pad), errc::format, {"ends in the middle"});
  check_error(broken([](bytes_builder& b) { b.string(""); }, pad), errc::format, {"key of 0 bytes"});
  check_error(broken([](bytes_builder& b) { b.string(std::string(65536, 'k')); }, pad), errc::format, {"key of 65536"});
  check_error(broken([](bytes_builder& b) { b.string("a").u32(13); }, pad), errc::format, {"'a'", "unknown type 13"});
  check_error(broken([](bytes_builder& b) { entry(b, "a.long.name", gguf_type::u64).u32(1); }), errc::format,
              {"ends in the middle", "'a.long.name'"});
  check_error(broken([](bytes_builder& b) { entry(b, "a", gguf_type::string).u64(17); }, pad), errc::format, {"'a'"});
  check_error(broken([](bytes_builder& b) { entry(b, "a", gguf_type::boolean).add(std::uint8_t{2}); }, pad),
              errc::format, {"'a'", "neither 0 nor 1"});
  check_error(broken([](bytes_builder& b) { entry(b, "a", gguf_type::array).u32(5); }), errc::format, {"'a'"});
  check_error(broken([](bytes_builder& b) { entry(b, "a", gguf_type::array).u32(77).u64(1); }, pad), errc::format,
              {"unknown type 77"});
  check_error(broken([](bytes_builder& b) { entry(b, "a", gguf_type::array).u32(10).u64(3); }, pad), errc::format,
              {"'a'", "claims 3"});
  check_error(broken([](bytes_builder& b) { entry(b, "a", gguf_type::array).u32(10).u64(huge / 8 + 2); }, pad),
              errc::format, {"claims"});
  check_error(broken([](bytes_builder& b) { entry(b, "a", gguf_type::array).u32(8).u64(3); }, pad), errc::format,
              {"claims 3"});
  check_error(broken([](bytes_builder& b) { entry(b, "a", gguf_type::array).u32(8).u64(2).u64(30); }, pad),
              errc::format, {"'a'"});
  check_error(broken([](bytes_builder& b) { entry(b, "a", gguf_type::array).u32(9).u64(2).u64(1); }), errc::format,
              {"claims 2"});
  check_error(broken([](bytes_builder& b) {
                entry(b, "a", gguf_type::array);
                for (int i = 0; i < 9; ++i) b.u32(9).u64(1);
              }),
              errc::unsupported, {"'a'", "nests"});
  check_error(
      broken([](bytes_builder& b) { entry(b, "a", gguf_type::array).u32(7).u64(2).add(std::uint16_t{0x0201}); }),
      errc::format, {"neither 0 nor 1"});
}

TEST_CASE("equal keys and bad alignments are refused") {
  bytes_builder twice = header(0, 2);
  entry(twice, "same", gguf_type::u32).u32(1);
  entry(twice, "same", gguf_type::u32).u32(2);
  check_error(parse(twice), errc::format, {"'same' twice"});
  for (const std::uint32_t alignment : {0u, 4u, 12u, 33u, 1u << 21}) {
    bytes_builder bytes = header(0, 1);
    entry(bytes, "general.alignment", gguf_type::u32).u32(alignment);
    check_error(parse(bytes), errc::format, {"alignment", "multiple of 8"});
  }
  bytes_builder text = header(0, 1);
  entry(text, "general.alignment", gguf_type::string).string("32");
  check_error(parse(text), errc::mismatch, {"general.alignment", "string"});
}

TEST_CASE("broken tensor lists are refused with the tensor named") {
  const auto one = [](std::string_view name, std::initializer_list<std::uint64_t> dims, std::uint32_t type,
                      std::uint64_t offset, std::size_t data) {
    bytes_builder bytes = header(1, 0);
    tensor(bytes, name, dims, type, offset);
    return parse(bytes.pad_to(32).zeros(data));
  };
  CHECK(one("t", {4}, 0, 0, 16).has_value());
  check_error(one("t", {4}, 0, 0, 15), errc::format, {"'t'", "16 bytes", "15 bytes"});
  check_error(one("t", {4}, 0, 64, 64), errc::format, {"'t'", "offset 64"});
  check_error(one("t", {4}, 0, 8, 64), errc::format, {"'t'", "offset 8", "alignment 32"});
  check_error(one("t", {4}, 0, huge - 31, 64), errc::format, {"'t'", "offset"});
  check_error(one("t", {48}, 8, 0, 64), errc::format, {"'t'", "48", "Q8_0", "32"});
  check_error(one("t", {huge, 2}, 0, 0, 64), errc::format, {"'t'", "overflows"});
  check_error(one("t", {1ull << 62}, 0, 0, 64), errc::format, {"'t'", "overflows"});
  check_error(one("t", {1ull << 32, 1ull << 32}, 1234, 0, 64), errc::format, {"'t'", "overflows"});
  check_error(one("t", {1, 1, 1, 1, 1}, 0, 0, 64), errc::format, {"'t'", "5 dimensions"});
  check_error(one("", {1}, 0, 0, 64), errc::format, {"name of 0 bytes"});
  check_error(one(std::string(257, 'n'), {1}, 0, 0, 64), errc::format, {"name of 257 bytes"});

  bytes_builder cut = header(1, 0);
  check_error(parse(cut.string("a name that is longer").u32(4).u64(1)), errc::format, {"'a name that is longer'"});
  check_error(parse(header(1, 0).u64(huge).zeros(24)), errc::format, {"name of a tensor"});
  bytes_builder dataless = header(1, 0);
  tensor(dataless, "t", {0}, 0, 0);
  check_error(parse(dataless), errc::format, {"before its tensors' data"});
}

TEST_CASE("equal names and overlapping tensors are refused") {
  const auto two = [](std::string_view second, std::uint64_t offset) {
    bytes_builder bytes = header(2, 0);
    tensor(bytes, "a", {16}, 0, 0);
    tensor(bytes, second, {8}, 0, offset);
    return parse(bytes.pad_to(32).zeros(128));
  };
  CHECK(two("b", 64).has_value());
  check_error(two("a", 64), errc::format, {"'a' twice"});
  check_error(two("b", 32), errc::format, {"'a'", "'b'", "overlap"});
  check_error(two("b", 0), errc::format, {"overlap"});
}

TEST_CASE("names from a file cannot spoil a message") {
  bytes_builder bytes = header(1, 0);
  tensor(bytes, std::string(200, 'x') + "\n\x1b[31m", {5}, 2, 0);
  const auto refused = parse(bytes.pad_to(32));
  check_error(refused, errc::format, {"...'"});
  CHECK(refused.error().message.size() < 400);
  bytes_builder controls = header(1, 0);
  tensor(controls, "a\n\x1b[31mb", {5}, 2, 0);
  check_error(parse(controls.pad_to(32)), errc::format, {"'a??[31mb'"});
}

TEST_CASE("every proper prefix of a file is refused") {
  const std::vector<std::byte> bytes = test::read_file(INLAY_TEST_DATA "/io/small.gguf");
  const gguf_file whole = value_of(gguf_file::parse(bytes, "small.gguf"));
  const gguf_tensor& last = whole.tensors().back();
  const auto end = static_cast<std::size_t>(last.data.data() + last.data.size() - bytes.data());
  for (std::size_t size = 0; size < end; ++size) {
    const std::vector<std::byte> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    CAPTURE(size);
    CHECK_FALSE(gguf_file::parse(part, "small.gguf").has_value());
  }
}

}  // namespace
}  // namespace inlay
