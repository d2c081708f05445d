// SPDX-License-Identifier: Apache-2.0
#include "inlay/io/safetensors.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/io/support.hpp"

namespace inlay {
namespace {

using test::check_error;
using test::value_of;

std::vector<std::byte> file_with(std::string_view header, std::size_t data) {
  return test::bytes_builder().u64(header.size()).raw(header).zeros(data).bytes();
}

/// The error of a header over `data` bytes; the path is x.safetensors.
void refused(std::string_view header, std::size_t data, std::initializer_list<std::string_view> texts) {
  const std::vector<std::byte> bytes = file_with(header, data);
  CAPTURE(std::string(header.substr(0, 200)));
  check_error(safetensors_file::parse(bytes, "x.safetensors"), errc::format, texts);
  check_error(safetensors_file::parse(bytes, "x.safetensors"), errc::format, {"x.safetensors"});
}

TEST_CASE("a file of the safetensors package is read") {
  const auto bytes = test::read_file(INLAY_TEST_DATA "/io/sharded/model-00001-of-00002.safetensors");
  const safetensors_file file = value_of(safetensors_file::parse(bytes, "one"));
  CHECK(file.tensors().size() == 3);
  REQUIRE(file.metadata().size() == 1);
  CHECK(file.metadata()[0].first == "format");
  CHECK(file.metadata()[0].second == "pt");
  const safetensors_tensor* matrix = file.find("matrix.f32");
  REQUIRE(matrix != nullptr);
  const tensor_view view = value_of(file.view(*matrix));
  CHECK(view.name == "matrix.f32");
  CHECK(view.file == "one");
  CHECK(view.type == dtype::f32);
  CHECK(view.rank == 2);
  CHECK(view.rows() == 3);
  CHECK(view.columns() == 5);
  REQUIRE(view.data.size() == 60);
  for (std::size_t i = 0; i < 15; ++i) {
    float value = 0;
    std::memcpy(&value, view.data.data() + 4 * i, 4);
    CHECK(value == static_cast<float>(i) * 0.25f - 8);
  }
  CHECK(value_of(file.view(*file.find("matrix.f16"))).type == dtype::f16);
  CHECK(file.find("absent") == nullptr);
}

TEST_CASE("tensors of other types and ranks are listed, and refused when asked for") {
  const auto bytes = test::read_file(INLAY_TEST_DATA "/io/sharded/model-00002-of-00002.safetensors");
  const safetensors_file file = value_of(safetensors_file::parse(bytes, "two"));
  CHECK(file.tensors().size() == 3);
  CHECK(value_of(file.view(*file.find("conv"))).shape == std::array<std::uint64_t, 4>{2, 3, 4, 1});
  check_error(file.view(*file.find("integers")), errc::unsupported, {"two", "'integers'", "'I64'"});
  check_error(file.view(*file.find("patches")), errc::unsupported, {"two", "'patches'", "5 dimensions"});
}

TEST_CASE("scalars, empty tensors, escapes, padding and unknown types are read") {
  constexpr std::string_view header =
      R"({"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"e\u00e9\n":{"data_offsets":[4,4],"shape":[0,3],"dtype":"BF16"},)"
      R"("f":{"dtype":"F4","shape":[2,3],"data_offsets":[4,7]},"q":{"dtype":"NEW","shape":[9],"data_offsets":[7,8]}}   )";
  const std::vector<std::byte> bytes = file_with(header, 8);
  const safetensors_file file = value_of(safetensors_file::parse(bytes, "x"));
  CHECK(file.tensors().size() == 4);
  CHECK(value_of(file.view(*file.find("s"))).columns() == 1);
  const safetensors_tensor* empty = file.find("e\xc3\xa9\n");
  REQUIRE(empty != nullptr);
  CHECK(value_of(file.view(*empty)).data.empty());
  check_error(file.view(*file.find("q")), errc::unsupported, {"'NEW'"});
  CHECK(safetensors_file::parse(file_with("{}", 0), "x").has_value());
}

TEST_CASE("what is no header is refused") {
  check_error(safetensors_file::parse({}, "x"), errc::format, {"too short", "0 bytes"});
  check_error(safetensors_file::parse(test::to_bytes("1234567"), "x"), errc::format, {"too short"});
  check_error(safetensors_file::parse(test::bytes_builder().u64(~std::uint64_t{0}).raw("{}").bytes(), "x"),
              errc::format, {"does not fit"});
  check_error(safetensors_file::parse(test::bytes_builder().u64(3).raw("{}").bytes(), "x"), errc::format,
              {"does not fit"});
  const std::uint64_t large = safetensors_file::max_header_bytes + 1;
  check_error(safetensors_file::parse(test::bytes_builder().u64(large).zeros(large).bytes(), "x"), errc::format,
              {"at most 100000000"});
  refused("", 0, {"does not start with '{'"});
  refused(" {}", 0, {"does not start with '{'"});
  refused("[]", 0, {"does not start with '{'"});
  refused("{", 0, {"not valid JSON", "byte"});
  refused("{} x", 0, {"not valid JSON"});
  refused("{\"\xff\":1}", 0, {"not valid JSON"});
}

TEST_CASE("entries of another form are refused with the tensor named") {
  refused(R"({"t":1})", 0, {"'t'", "unexpected kind"});
  refused(R"({"t":null})", 0, {"'t'"});
  refused(R"({"t":[]})", 0, {"'t'"});
  refused(R"({"t":"F32"})", 0, {"'t'"});
  refused(R"({"t":{}})", 0, {"'t'", "lacks"});
  refused(R"({"t":{"dtype":"F32","shape":[1]}})", 4, {"'t'", "lacks"});
  refused(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"extra":1}})", 4, {"'t'", "'extra'"});
  refused(R"({"t":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4, {"'t'", "'dtype'", "twice"});
  refused(R"({"t":{"dtype":7,"shape":[1],"data_offsets":[0,4]}})", 4, {"'t'", "unexpected kind"});
  refused(R"({"t":{"dtype":["F32"],"shape":[1],"data_offsets":[0,4]}})", 4, {"'t'", "unexpected kind"});
  refused(R"({"t":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})", 4, {"'t'", "unexpected kind"});
  refused(R"({"t":{"dtype":"F32","shape":{},"data_offsets":[0,4]}})", 4, {"'t'", "unexpected kind"});
  refused(R"({"t":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, {"'t'", "unexpected kind"});
  refused(R"({"t":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4, {"'t'", "unexpected kind"});
  refused(R"({"t":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})", 4, {"'t'", "unexpected kind"});
  refused(R"({"t":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}})", 4, {"'t'", "unexpected kind"});
  refused(R"({"t":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})", 4, {"'t'", "8 dimensions"});
  refused(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4, {"'t'", "two data_offsets"});
  refused(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4, {"'t'", "two data_offsets"});
  refused(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551616]}})", 4,
          {"'t'", "unexpected kind"});
  refused(R"({"__metadata__":{"a":1}})", 0, {"__metadata__", "unexpected kind"});
  refused(R"({"__metadata__":{"a":{}}})", 0, {"__metadata__", "unexpected kind"});
  refused(R"({"__metadata__":[]})", 0, {"__metadata__", "unexpected kind"});
  refused("{\"t\":" + std::string(100'000, '['), 0, {"'t'"});
}

TEST_CASE("lists that no model has are refused") {
  std::string texts = R"({"__metadata__":{"a":"b")";
  for (std::uint64_t i = 0; i < safetensors_file::max_texts; ++i) texts += R"(,"a":"b")";
  refused(texts + "}}", 0, {"too many texts"});
  std::string tensors = "{";
  for (std::uint64_t i = 0; i <= safetensors_file::max_tensors; ++i) {
    tensors += concat(i == 0 ? "" : ",", R"("":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})");
  }
  refused(tensors + "}", 0, {"too many tensors"});
}

TEST_CASE("sizes and offsets that do not agree are refused") {
  refused(R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, {"'t'", "4 bytes", "F32"});
  refused(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", 4, {"'t'", "0 to 8", "4 bytes"});
  refused(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, {"'t'", "4 to 0"});
  refused(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 8, {"8 bytes", "accounts for 4"});
  refused(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8, {"'t'", "starts at byte 4"});
  refused(R"({"t":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}})", 2, {"'t'", "F4"});
  refused(R"({"t":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}})", 4, {"'t'", "shape"});
  refused(R"({"t":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0, {"'t'", "shape"});
  refused(R"({})", 1, {"1 bytes", "accounts for 0"});
  constexpr std::string_view one = R"("dtype":"F32","shape":[1],"data_offsets":)";
  const auto two = [&](std::string_view first, std::string_view second, std::string_view other) {
    return concat("{\"a\":{", one, first, "},\"", other, "\":{", one, second, "}}");
  };
  CHECK(safetensors_file::parse(file_with(two("[4,8]", "[0,4]", "b"), 8), "x").has_value());
  refused(two("[0,4]", "[0,4]", "b"), 4, {"starts at byte 0", "at 4"});
  refused(two("[0,4]", "[8,12]", "b"), 12, {"'b'", "starts at byte 8", "at 4"});
  refused(two("[0,4]", "[4,8]", "a"), 8, {"'a' twice"});
}

}  // namespace
}  // namespace inlay
