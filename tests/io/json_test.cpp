// SPDX-License-Identifier: Apache-2.0
#include "inlay/io/json.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "inlay/io/config_json.hpp"
#include "tests/io/support.hpp"

namespace inlay {
namespace {

using test::check_error;
using test::value_of;

TEST_CASE("documents of every kind are built as nlohmann::json builds them") {
  for (
      const std::string_view text :
      {R"({"a":[1,-2,3.5,true,false,null,"x",{"b":{}},[[]]],"c":{"d":{"e":[{"f":1},{"g":2}]}},"h":18446744073709551615})",
       R"([])", R"("\u00e9\n\ud83d\ude00")", R"(17)", R"(null)", R"({"a":1,"a":2})", R"([{"a":[{"b":[1,2]},3]},4])"}) {
    CAPTURE(std::string(text));
    CHECK(value_of(parse_json(text, "x")) == json::parse(text));
  }
}

TEST_CASE("what is no JSON is refused") {
  for (const std::string_view text :
       {"", "{", "[1,]", "{\"a\"}", "nul", "\"\x01\"", "\"\xc3\"", "1 2", "'a'", "[1e999]", "//"}) {
    CAPTURE(std::string(text));
    check_error(parse_json(text, "x.json"), errc::format, {"x.json", "not valid JSON", "byte"});
  }
}

TEST_CASE("numbers that only Python writes read as null, text that looks like them stays") {
  const json read = value_of(parse_json(R"({"a":NaN,"b":[-Infinity,Infinity,1],"c":"NaN \" -Infinity","NaN":2})", "x"));
  CHECK(read == json::parse(R"({"a":null,"b":[null,null,1],"c":"NaN \" -Infinity","NaN":2})"));
  check_error(parse_json("[NaNNaN]", "x.json"), errc::format, {"x.json", "not valid JSON"});
  check_error(parse_json("[\"\\", "x.json"), errc::format, {"x.json", "not valid JSON"});
}

TEST_CASE("nesting is bounded") {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(parse_json(nested(64), "x").has_value());
  check_error(parse_json(nested(65), "x"), errc::format, {"nests deeper than 64"});
  check_error(parse_json(std::string(1'000'000, '['), "x"), errc::format, {"nests deeper than 64"});
  std::string objects;
  for (int i = 0; i < 65; ++i) objects += "{\"a\":";
  check_error(parse_json(objects, "x"), errc::format, {"nests deeper than 64"});
}

TEST_CASE("files are read up to a size") {
  const test::temporary_folder folder;
  test::write_file(folder / "a.json", R"({"a":1})");
  CHECK(value_of(read_json(folder / "a.json", 7))["a"] == 1);
  check_error(read_json(folder / "a.json", 6), errc::format, {folder / "a.json", "7 bytes", "at most 6"});
  check_error(read_json(folder / "b.json", 6), errc::io, {folder / "b.json"});
}

TEST_CASE("a configuration is read by type, with dots into objects") {
  const config_json config = value_of(parse_config(
      R"({"hidden_size":576,"eps":1e-5,"factor":32,"tied":true,"name":"llama","absent":null,"negative":-3,
          "rope_scaling":{"type":"llama3","inner":{"low":1.0}}})",
      "config.json"));
  CHECK(value_of(config.get<std::uint32_t>("hidden_size")) == 576);
  CHECK(value_of(config.get<float>("eps")) == 1e-5f);
  CHECK(value_of(config.get<double>("factor")) == 32.0);
  CHECK(value_of(config.get<bool>("tied")));
  CHECK(value_of(config.get<int>("negative")) == -3);
  CHECK(value_of(config.get<std::string>("name")) == "llama");
  CHECK(value_of(config.get<std::string>("rope_scaling.type")) == "llama3");
  CHECK(value_of(config.get<float>("rope_scaling.inner.low")) == 1.0f);
  CHECK(value_of(config.get_or<int>("head_dim", 64)) == 64);
  CHECK(value_of(config.get_or<int>("absent", 64)) == 64);
  CHECK(value_of(config.get_or<std::string>("none", std::string("x"))) == "x");
  CHECK(config.find("name.inside") == nullptr);
  CHECK(config.find("") == nullptr);
  check_error(config.get<int>("head_dim"), errc::missing, {"config.json", "'head_dim'"});
  check_error(config.get<int>("name"), errc::mismatch, {"'name'", "whole number", "string"});
  check_error(config.get<int>("eps"), errc::mismatch, {"'eps'", "whole number", "number"});
  check_error(config.get<std::uint32_t>("negative"), errc::mismatch, {"'negative'", "from 0"});
  check_error(config.get<std::int8_t>("hidden_size"), errc::mismatch, {"from -128 to 127"});
  check_error(config.get<bool>("hidden_size"), errc::mismatch, {"true or false"});
  check_error(config.get<float>("tied"), errc::mismatch, {"a number", "boolean"});
  check_error(config.get<std::string>("tied"), errc::mismatch, {"a string"});
  check_error(config.get_or<int>("name", 1), errc::mismatch, {"'name'"});
  check_error(parse_config("[1]", "config.json"), errc::format, {"config.json", "object"});
  check_error(parse_config("{", "config.json"), errc::format, {"config.json", "not valid JSON"});
}

}  // namespace
}  // namespace inlay
