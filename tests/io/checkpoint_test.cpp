// SPDX-License-Identifier: Apache-2.0
#include "inlay/io/checkpoint.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/io/config_json.hpp"
#include "inlay/io/gguf_writer.hpp"
#include "inlay/io/open_checkpoint.hpp"
#include "inlay/io/safetensors_writer.hpp"
#include "tests/io/support.hpp"

namespace inlay {
namespace {

using test::check_error;
using test::value_of;

const std::vector<float> eight = {1, 2, 3, 4, 5, 6, 7, 8};

void write_safetensors(const std::string& path, std::initializer_list<std::string_view> names) {
  safetensors_writer writer;
  for (const std::string_view name : names) test::succeed(writer.add_tensor(name, dtype::f32, {2, 4}));
  tensor_stream stream = value_of(writer.start(path));
  for (std::size_t i = 0; i < names.size(); ++i) test::succeed(stream.write(test::bytes_of(eight)));
  test::succeed(stream.finish());
}

void write_gguf(const std::string& path, std::initializer_list<std::string_view> names, std::int64_t number = -1,
                std::int64_t count = 1, std::int64_t total = -1) {
  gguf_writer writer;
  writer.set("general.architecture", "llama");
  if (number >= 0) {
    writer.set("split.no", static_cast<std::uint16_t>(number));
    writer.set("split.count", static_cast<std::uint16_t>(count));
    writer.set("split.tensors.count", static_cast<std::int32_t>(total));
  }
  for (const std::string_view name : names) test::succeed(writer.add_tensor(name, dtype::f32, {2, 4}));
  tensor_stream stream = value_of(writer.start(path));
  for (std::size_t i = 0; i < names.size(); ++i) test::succeed(stream.write(test::bytes_of(eight)));
  test::succeed(stream.finish());
}

TEST_CASE("a GGUF file is a checkpoint") {
  const checkpoint from = value_of(open_checkpoint(INLAY_TEST_DATA "/io/small.gguf"));
  CHECK(from.kind() == checkpoint::container::gguf);
  CHECK(from.path() == INLAY_TEST_DATA "/io/small.gguf");
  CHECK(from.file_bytes() == test::read_file(INLAY_TEST_DATA "/io/small.gguf").size());
  REQUIRE(from.gguf() != nullptr);
  CHECK(value_of(from.gguf()->get<std::string_view>("general.name")) == "small");
  CHECK(from.config().empty());
  CHECK(from.tensors().size() == 6);
  const tensor_view* experts = from.find("experts.q4_0");
  REQUIRE(experts != nullptr);
  CHECK(experts->shape == std::array<std::uint64_t, 4>{2, 3, 32, 1});
  CHECK(experts->file == from.path());
  CHECK(value_of(from.get("matrix.f32")) == from.find("matrix.f32"));
  CHECK(from.find("absent") == nullptr);
  check_error(from.get("absent"), errc::missing, {"small.gguf", "'absent'"});
  REQUIRE(from.unreadable().size() == 1);
  CHECK(from.unreadable()[0].name == "integers");
  CHECK(from.find("integers") == nullptr);
  check_error(from.get("integers"), errc::unsupported, {"'integers'", "I32"});
  check_error(parse_config(from), errc::missing, {"small.gguf", "config.json"});
}

TEST_CASE("a folder of shards with an index is a checkpoint") {
  checkpoint opened = value_of(open_checkpoint(INLAY_TEST_DATA "/io/sharded"));
  const checkpoint from = std::move(opened);  // views survive the move
  CHECK(from.kind() == checkpoint::container::safetensors);
  CHECK(from.gguf() == nullptr);
  CHECK(from.files().size() == 2);
  CHECK(from.tensors().size() == 4);
  CHECK(from.unreadable().size() == 2);
  REQUIRE(from.find("conv") != nullptr);
  CHECK(from.find("conv")->file == INLAY_TEST_DATA "/io/sharded/model-00002-of-00002.safetensors");
  REQUIRE(from.find("model.norm.weight") != nullptr);
  CHECK(from.find("model.norm.weight")->file == INLAY_TEST_DATA "/io/sharded/model-00001-of-00002.safetensors");
  CHECK(from.find("model.norm.weight")->data.size() == 16);
  check_error(from.get("integers"), errc::unsupported, {"model-00002", "'integers'", "I64"});
  const config_json config = value_of(parse_config(from));
  CHECK(config.path() == INLAY_TEST_DATA "/io/sharded/config.json");
  CHECK(value_of(config.get<float>("rope_scaling.factor")) == 32.0f);
  CHECK(open_checkpoint(INLAY_TEST_DATA "/io/sharded/model.safetensors.index.json").has_value());
  const checkpoint shard = value_of(open_checkpoint(INLAY_TEST_DATA "/io/sharded/model-00001-of-00002.safetensors"));
  CHECK(shard.tensors().size() == 3);
  CHECK_FALSE(shard.config().empty());
}

TEST_CASE("released tensors still read the same") {
  const test::temporary_folder folder;
  gguf_writer writer;
  const std::vector<float> values(100'000, 1.5f);
  test::succeed(writer.add_tensor("large", dtype::f32, {values.size()}));
  test::succeed(writer.add_tensor("small", dtype::f32, {2, 4}));
  tensor_stream stream = value_of(writer.start(folder / "a.gguf"));
  test::succeed(stream.write(test::bytes_of(values)));
  test::succeed(stream.write(test::bytes_of(eight)));
  test::succeed(stream.finish());
  const checkpoint from = value_of(open_checkpoint(folder / "a.gguf"));
  from.will_read_in_order();
  for (const tensor_view& tensor : from.tensors()) from.release(tensor);
  CHECK(std::memcmp(from.find("large")->data.data(), values.data(), 400'000) == 0);
  from.release();
  std::byte room[32];
  CHECK(std::memcmp(from.fetch(from.find("small")->data, room), eight.data(), 32) == 0);
  CHECK(std::memcmp(from.find("small")->data.data(), eight.data(), 32) == 0);
}

TEST_CASE("a folder is searched for what stands for the checkpoint") {
  const test::temporary_folder folder;
  check_error(open_checkpoint(folder.path()), errc::missing, {folder.path(), "neither"});
  write_gguf(folder / "model-q4.gguf", {"a"});
  CHECK(value_of(open_checkpoint(folder.path())).path() == folder / "model-q4.gguf");
  write_gguf(folder / "model-q8.gguf", {"a"});
  check_error(open_checkpoint(folder.path()), errc::argument, {"'model-q4.gguf', 'model-q8.gguf'"});
  write_safetensors(folder / "other.safetensors", {"a"});
  CHECK(value_of(open_checkpoint(folder.path())).path() == folder / "other.safetensors");
  write_safetensors(folder / "second.safetensors", {"b"});
  check_error(open_checkpoint(folder.path()), errc::argument, {"'other.safetensors', 'second.safetensors'"});
  write_safetensors(folder / "model.safetensors", {"c"});
  CHECK(value_of(open_checkpoint(folder.path())).path() == folder / "model.safetensors");
  test::write_file(folder / "model.safetensors.index.json", R"({"weight_map":{"b":"second.safetensors"}})");
  CHECK(value_of(open_checkpoint(folder.path())).path() == folder / "model.safetensors.index.json");
}

TEST_CASE("files are told apart by their bytes") {
  const test::temporary_folder folder;
  write_gguf(folder / "a.safetensors", {"a"});
  write_safetensors(folder / "b.gguf", {"b"});
  CHECK(value_of(open_checkpoint(folder / "a.safetensors")).kind() == checkpoint::container::gguf);
  CHECK(value_of(open_checkpoint(folder / "b.gguf")).kind() == checkpoint::container::safetensors);
  test::write_file(folder / "c", "something else entirely");
  check_error(open_checkpoint(folder / "c"), errc::format, {folder / "c", "neither"});
  test::write_file(folder / "d", "");
  check_error(open_checkpoint(folder / "d"), errc::format, {"neither"});
  check_error(open_checkpoint(folder / "absent"), errc::io, {folder / "absent"});
}

TEST_CASE("a split GGUF is opened by its first file") {
  const test::temporary_folder folder;
  write_gguf(folder / "m-00001-of-00003.gguf", {"a", "b"}, 0, 3, 4);
  write_gguf(folder / "m-00002-of-00003.gguf", {"c"}, 1, 3, 4);
  check_error(open_checkpoint(folder / "m-00001-of-00003.gguf"), errc::io, {"m-00003-of-00003.gguf"});
  write_gguf(folder / "m-00003-of-00003.gguf", {"d"}, 2, 3, 4);
  const checkpoint from = value_of(open_checkpoint(folder.path()));
  CHECK(from.files().size() == 3);
  CHECK(from.tensors().size() == 4);
  REQUIRE(from.find("d") != nullptr);
  CHECK(from.find("d")->file == folder / "m-00003-of-00003.gguf");
  CHECK(std::memcmp(from.find("d")->data.data(), eight.data(), 32) == 0);
  check_error(open_checkpoint(folder / "m-00002-of-00003.gguf"), errc::argument, {"file 1", "open file 0"});

  write_gguf(folder / "m-00003-of-00003.gguf", {"d"}, 1, 3, 4);
  check_error(open_checkpoint(folder.path()), errc::format, {"m-00003", "file 1", "not 2"});
  write_gguf(folder / "m-00003-of-00003.gguf", {"d"});
  check_error(open_checkpoint(folder.path()), errc::missing, {"m-00003", "split.no"});
  write_gguf(folder / "m-00003-of-00003.gguf", {"a"}, 2, 3, 4);
  check_error(open_checkpoint(folder.path()), errc::format, {"m-00003", "'a'", "again"});
  write_gguf(folder / "m-00003-of-00003.gguf", {"d", "e"}, 2, 3, 4);
  check_error(open_checkpoint(folder.path()), errc::format, {"5 tensors", "must have 4"});
}

TEST_CASE("split counts are not believed") {
  const test::temporary_folder folder;
  write_gguf(folder / "plain.gguf", {"a"}, 0, 2, 1);
  check_error(open_checkpoint(folder / "plain.gguf"), errc::format, {"plain.gguf", "2 files", "-NNNNN-of-NNNNN"});
  write_gguf(folder / "m-00001-of-60000.gguf", {"a"}, 0, 60000, 1);
  check_error(open_checkpoint(folder / "m-00001-of-60000.gguf"), errc::unsupported, {"60000 files"});
}

TEST_CASE("an index is not believed") {
  const test::temporary_folder folder;
  write_safetensors(folder / "one.safetensors", {"a", "b"});
  const auto with_index = [&](std::string_view text) {
    test::write_file(folder / "model.safetensors.index.json", text);
    return open_checkpoint(folder.path());
  };
  CHECK(with_index(R"({"metadata":{"x":[1,{"y":null}]},"weight_map":{"a":"one.safetensors"},"z":1.5})").has_value());
  check_error(with_index(R"({"weight_map":{"c":"one.safetensors"}})"), errc::format, {"one.safetensors", "'c'"});
  check_error(with_index(R"({"weight_map":{"a":"two.safetensors"}})"), errc::io, {"two.safetensors"});
  check_error(with_index(R"({"weight_map":{"a":"../one.safetensors"}})"), errc::format, {"'a'", "plain file name"});
  check_error(with_index(R"({"weight_map":{"a":"x/one.safetensors"}})"), errc::format, {"plain file name"});
  check_error(with_index(R"({"weight_map":{"a":""}})"), errc::format, {"plain file name"});
  check_error(with_index(R"({"weight_map":{"a":"one.safetensors\u0000"}})"), errc::format, {"plain file name"});
  check_error(with_index(R"({"weight_map":{"a":1}})"), errc::format, {"weight_map"});
  check_error(with_index(R"({"weight_map":{"a":["one.safetensors"]}})"), errc::format, {"weight_map"});
  check_error(with_index(R"({"weight_map":{"a":{}}})"), errc::format, {"weight_map"});
  check_error(with_index(R"({"weight_map":[]})"), errc::format, {"weight_map"});
  check_error(with_index(R"({"weight_map":"x"})"), errc::format, {"weight_map"});
  check_error(with_index(R"({})"), errc::format, {"no weight_map"});
  check_error(with_index(R"([])"), errc::format, {"no weight_map"});
  check_error(with_index("{"), errc::format, {"not valid JSON"});
  write_safetensors(folder / "two.safetensors", {"a"});
  check_error(with_index(R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})"), errc::format,
              {"two.safetensors", "'b'"});
  check_error(with_index(R"({"weight_map":{"b":"one.safetensors","a":"two.safetensors"}})"), errc::format,
              {"'a'", "again"});
}

TEST_CASE("a config.json is read only up to its limit") {
  const test::temporary_folder folder;
  write_safetensors(folder / "model.safetensors", {"a"});
  CHECK(value_of(open_checkpoint(folder.path())).config().empty());
  test::write_file(folder / "config.json", "{}");
  CHECK(value_of(open_checkpoint(folder.path())).config() == "{}");
  test::write_file(folder / "config.json", std::string((4 << 20) + 1, ' '));
  check_error(open_checkpoint(folder.path()), errc::format, {"config.json", "at most 4194304"});
}

}  // namespace
}  // namespace inlay
