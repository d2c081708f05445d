// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "inlay/io/gguf.hpp"
#include "inlay/io/gguf_writer.hpp"
#include "inlay/io/safetensors.hpp"
#include "inlay/io/safetensors_writer.hpp"
#include "tests/io/support.hpp"

namespace inlay {
namespace {

using test::check_error;
using test::succeed;
using test::value_of;

std::vector<std::byte> numbered(std::size_t size, int start) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 3 + static_cast<std::size_t>(start));
  return bytes;
}
bool same(std::span<const std::byte> a, std::span<const std::byte> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

TEST_CASE("GGUF: every kind of metadata comes back") {
  const test::temporary_folder folder;
  gguf_writer writer;
  writer.set("u8", std::uint8_t{255});
  writer.set("i8", std::int8_t{-128});
  writer.set("u16", std::uint16_t{65535});
  writer.set("i16", std::int16_t{-32768});
  writer.set("u32", std::uint32_t{4294967295});
  writer.set("i32", std::int32_t{-1});
  writer.set("u64", ~std::uint64_t{0});
  writer.set("i64", std::int64_t{-1});
  writer.set("f32", 1.5f);
  writer.set("f64", 0.1);
  writer.set("bool", true);
  writer.set("text", "a\0b");
  writer.set("view", std::string_view("a\0b", 3));
  const std::vector<std::string_view> texts = {"one", "", "three"};
  const std::vector<std::int32_t> numbers = {1, -2, 3};
  writer.set_array("texts", std::span<const std::string_view>(texts));
  writer.set_array<std::int32_t>("numbers", numbers);
  writer.set_array<float>("none", {});
  succeed(value_of(writer.start(folder / "a.gguf")).finish());

  const auto bytes = test::read_file(folder / "a.gguf");
  const gguf_file file = value_of(gguf_file::parse(bytes, "a.gguf"));
  CHECK(file.version() == 3);
  CHECK(file.metadata().size() == 16);
  const gguf_type types[] = {gguf_type::u8,     gguf_type::i8,    gguf_type::u16,     gguf_type::i16,
                             gguf_type::u32,    gguf_type::i32,   gguf_type::u64,     gguf_type::i64,
                             gguf_type::f32,    gguf_type::f64,   gguf_type::boolean, gguf_type::string,
                             gguf_type::string, gguf_type::array, gguf_type::array,   gguf_type::array};
  for (std::size_t i = 0; i < 16; ++i) CHECK(file.metadata()[i].value.type() == types[i]);
  CHECK(value_of(file.get<std::uint64_t>("u64")) == ~std::uint64_t{0});
  CHECK(value_of(file.get<int>("i8")) == -128);
  CHECK(value_of(file.get<double>("f64")) == 0.1);
  CHECK(value_of(file.get<bool>("bool")));
  CHECK(value_of(file.get<std::string_view>("text")) == "a");
  CHECK(value_of(file.get<std::string_view>("view")) == std::string_view("a\0b", 3));
  const auto read = value_of(file.get<gguf_array>("texts")).strings();
  CHECK(std::equal(read.begin(), read.end(), texts.begin(), texts.end()));
  CHECK(value_of(file.get<gguf_array>("numbers")).at<int>(1) == -2);
  CHECK(value_of(file.get<gguf_array>("none")).size() == 0);

  gguf_writer copier;
  for (const gguf_entry& entry : file.metadata()) copier.set(entry.key, entry.value);
  succeed(value_of(copier.start(folder / "b.gguf")).finish());
  CHECK(same(test::read_file(folder / "b.gguf"), bytes));
}

TEST_CASE("GGUF: tensors of every type come back, whatever the pieces and the alignment") {
  const test::temporary_folder folder;
  for (const std::uint32_t alignment : {8u, 32u, 64u, 4096u}) {
    for (const std::size_t piece : {std::size_t{1} << 20, std::size_t{7}}) {
      gguf_writer writer(alignment);
      std::vector<std::vector<std::byte>> data;
      for (std::size_t i = 0; i < dtype_count; ++i) {
        const auto type = static_cast<dtype>(i);
        const std::uint64_t columns = 3u * geometry(type).weights;
        succeed(writer.add_tensor(name(type), type, {5, columns}));
        data.push_back(numbered(5 * row_bytes(type, columns), static_cast<int>(i)));
      }
      succeed(writer.add_tensor("empty", dtype::f32, {0, 4}));
      succeed(writer.add_tensor("last", dtype::f16, {1}));
      data.push_back({});
      data.push_back(numbered(2, 99));
      tensor_stream stream = value_of(writer.start(folder / "a.gguf"));
      for (const auto& bytes : data) {
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
          succeed(stream.write(std::span(bytes).subspan(at, std::min(piece, bytes.size() - at))));
        }
      }
      succeed(stream.finish());

      const auto bytes = test::read_file(folder / "a.gguf");
      const gguf_file file = value_of(gguf_file::parse(bytes, "a.gguf"));
      CHECK(file.alignment() == alignment);
      REQUIRE(file.tensors().size() == data.size());
      for (std::size_t i = 0; i < data.size(); ++i) {
        const tensor_view view = value_of(file.view(file.tensors()[i]));
        CAPTURE(std::string(view.name));
        CHECK(same(view.data, data[i]));
        if (i < dtype_count) CHECK(view.shape[0] == 5);
      }
    }
  }
}

TEST_CASE("GGUF: what cannot be stored is refused") {
  gguf_writer writer;
  check_error(writer.add_tensor("t", dtype::q4_k, {2, 128}), errc::argument, {"'t'", "128", "Q4_K", "256"});
  check_error(writer.add_tensor("t", dtype::f32, {1, 1, 1, 1, 1}), errc::argument, {"'t'", "5 dimensions"});
  check_error(writer.add_tensor("", dtype::f32, {1}), errc::argument, {"empty"});
  check_error(writer.add_tensor("t", dtype::f32, {~std::uint64_t{0}, 9}), errc::argument, {"'t'", "too large"});
}

TEST_CASE("safetensors: texts and tensors come back") {
  const test::temporary_folder folder;
  safetensors_writer writer;
  writer.set("format", "pt");
  writer.set("odd \"\\\n\x01", "\xc3\xa9");
  const std::string odd_name = "tensor \"\\\t\x1f \xf0\x9f\x98\x80";
  succeed(writer.add_tensor(odd_name, dtype::f32, {2, 3}));
  succeed(writer.add_tensor("scalar", dtype::bf16, std::span<const std::uint64_t>()));
  succeed(writer.add_tensor("none", dtype::f16, {0}));
  succeed(writer.add_tensor("deep", dtype::f16, {1, 2, 3, 1, 2}));
  const auto first = numbered(24, 1), second = numbered(2, 2), third = numbered(24, 3);
  tensor_stream stream = value_of(writer.start(folder / "a.safetensors"));
  for (const auto& bytes : {first, second, third}) succeed(stream.write(bytes));
  succeed(stream.finish());

  const auto bytes = test::read_file(folder / "a.safetensors");
  const safetensors_file file = value_of(safetensors_file::parse(bytes, "a"));
  REQUIRE(file.metadata().size() == 2);
  CHECK(file.metadata()[1].first == "odd \"\\\n\x01");
  CHECK(file.metadata()[1].second == "\xc3\xa9");
  REQUIRE(file.tensors().size() == 4);
  CHECK(file.tensors()[0].name == odd_name);
  CHECK(same(file.tensors()[0].data, first));
  CHECK((file.tensors()[0].data.data() - bytes.data()) % 8 == 0);
  CHECK(file.tensors()[1].rank == 0);
  CHECK(same(file.tensors()[1].data, second));
  CHECK(file.tensors()[3].rank == 5);
  CHECK(same(file.tensors()[3].data, third));
}

TEST_CASE("safetensors: an empty file, and types they do not have") {
  const test::temporary_folder folder;
  safetensors_writer writer;
  succeed(value_of(writer.start(folder / "a")).finish());
  const auto bytes = test::read_file(folder / "a");
  CHECK(value_of(safetensors_file::parse(bytes, "a")).tensors().empty());
  check_error(writer.add_tensor("t", dtype::q8_0, {32}), errc::argument, {"'t'", "Q8_0"});
  check_error(writer.add_tensor("t", dtype::f32, {~std::uint64_t{0}}), errc::argument, {"'t'", "too large"});
}

TEST_CASE("tensors are taken in order and whole") {
  const test::temporary_folder folder;
  gguf_writer writer;
  succeed(writer.add_tensor("a", dtype::f32, {2}));
  succeed(writer.add_tensor("b", dtype::f32, {2}));
  const auto sixteen = numbered(16, 0);
  const std::span<const std::byte> eight = std::span(sixteen).first(8);
  {
    tensor_stream stream = value_of(writer.start(folder / "x"));
    check_error(stream.write(sixteen), errc::argument, {folder / "x", "tensor 0", "room for 8"});
    succeed(stream.write(eight));
    succeed(stream.write(eight.first(3)));
    check_error(stream.write(eight), errc::argument, {"tensor 1", "room for 5"});
    check_error(stream.finish(), errc::argument, {"tensor 1 has 3 of its 8 bytes"});
    succeed(stream.write(eight.first(5)));
    check_error(stream.write(eight), errc::argument, {"room for 0"});
  }
  CHECK(std::filesystem::is_empty(folder.path()));  // never finished: neither the file nor a part of it
}

TEST_CASE("a file is replaced whole or not at all") {
  const test::temporary_folder folder;
  test::write_file(folder / "a", "old");
  {
    atomic_file file = value_of(atomic_file::create(folder / "a"));
    succeed(file.write(test::to_bytes("new text")));
    CHECK(file.size() == 8);
    CHECK(same(test::read_file(folder / "a"), test::to_bytes("old")));
  }
  CHECK(same(test::read_file(folder / "a"), test::to_bytes("old")));
  {
    atomic_file file = value_of(atomic_file::create(folder / "a"));
    succeed(file.write(test::to_bytes("new")));
    succeed(file.write_zeros(130));
    succeed(file.commit());
  }
  CHECK(same(test::read_file(folder / "a"), test::bytes_builder().raw("new").zeros(130).bytes()));
  CHECK_FALSE(std::filesystem::exists(folder / "a.part"));
  check_error(atomic_file::create(folder / "no/such/folder"), errc::io, {folder / "no/such/folder"});
  std::filesystem::create_directory(folder / "taken");
  atomic_file onto_folder = value_of(atomic_file::create(folder / "taken"));
  check_error(onto_folder.commit(), errc::io, {folder / "taken", "put in place"});
}

}  // namespace
}  // namespace inlay
