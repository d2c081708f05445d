// SPDX-License-Identifier: Apache-2.0
// Opens safetensors, one file or the shards of an index, as a checkpoint, with the config.json beside them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/core/json_events.hpp"
#include "inlay/io/checkpoint.hpp"
#include "inlay/io/mapped_file.hpp"
#include "inlay/io/safetensors.hpp"
#include "inlay/io/untrusted.hpp"

namespace inlay {

namespace detail {

inline constexpr std::uint64_t max_config_bytes = 4u << 20;
inline constexpr std::uint64_t max_index_bytes = 64u << 20;
inline constexpr std::size_t max_safetensors_files = 1000;

inline std::string sibling(const std::string& path, std::string_view name) {
  return (std::filesystem::path(path).parent_path() / name).string();
}

inline bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

/// {"metadata": {...}, "weight_map": {"tensor": "file", ...}}
class safetensors_index final : public json_events {
 public:
  std::vector<std::pair<std::string, std::string>> weight_map;  ///< tensor and file

  bool start_object(std::size_t) override { return enter() && (!in_map_ || depth() == 2 || unexpected_value()); }
  bool start_array(std::size_t) override { return enter() && unexpected_value(); }
  bool end_object() override {
    leave();
    return true;
  }
  bool end_array() override { return end_object(); }
  bool key(string_t& text) override {
    if (depth() == 1) in_map_ = text == "weight_map";
    if (depth() != 2 || !in_map_) return true;
    if (weight_map.size() == safetensors_file::max_tensors) return reject("has too many tensors in its weight_map");
    weight_map.emplace_back(std::move(text), std::string());
    return true;
  }
  bool string(string_t& text) override {
    if (!in_map_) return true;
    if (depth() != 2) return unexpected_value();
    // An index speaks of its own folder only.
    if (text.empty() || text.front() == '.' || text.find_first_of(std::string_view("/\\:\0", 4)) != std::string::npos) {
      return reject(concat("maps tensor ", in_quotes(weight_map.back().first), " to ", in_quotes(text),
                           ", which is not a plain file name"));
    }
    weight_map.back().second = std::move(text);
    return true;
  }

 protected:
  bool unexpected_value() override { return !in_map_ || reject("has a weight_map that is not a list of file names"); }

 private:
  bool in_map_ = false;
};

inline result<void> check_text_size(const mapped_file& file, std::uint64_t most) {
  if (file.bytes().size() <= most) return {};
  return fail(errc::format,
              concat(file.path(), ": is ", file.bytes().size(), " bytes long; at most ", most, " are read."));
}
inline std::string_view text_of(const mapped_file& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

inline result<safetensors_index> read_index(const std::string& path) {
  const result<mapped_file> file = mapped_file::open(path);
  if (!file) return unexpected<error>(file.error());
  if (const auto fits = check_text_size(*file, max_index_bytes); !fits) return unexpected<error>(fits.error());
  safetensors_index index;
  if (const auto read = index.read(text_of(*file), path); !read) return unexpected<error>(read.error());
  if (index.weight_map.empty()) return fail(errc::format, concat(path, ": has no weight_map."));
  return index;
}

inline result<void> read_config(const std::string& path, checkpoint::parts& parts) {
  if (!exists(path)) return {};
  const result<mapped_file> file = mapped_file::open(path);
  if (!file) return unexpected<error>(file.error());
  if (const auto fits = check_text_size(*file, max_config_bytes); !fits) return fits;
  parts.config = text_of(*file);
  parts.config_path = path;
  return {};
}

/// Adds the tensors of all of parts.files, which stays as it is from here on.
inline result<std::vector<safetensors_file>> parse_all(checkpoint::parts& parts) {
  std::vector<safetensors_file> parsed;
  std::size_t tensors = 0;
  for (const mapped_file& file : parts.files) {
    result<safetensors_file> one = safetensors_file::parse(file.bytes(), file.path());
    if (!one) return unexpected<error>(std::move(one).error());
    tensors += one->tensors().size();
    parsed.push_back(std::move(*one));
  }
  parts.names.reserve(tensors);  // the views refer to its elements
  for (const safetensors_file& file : parsed) {
    for (const safetensors_tensor& tensor : file.tensors()) {
      result<tensor_view> view = file.view(tensor);
      const std::string& name = parts.names.emplace_back(tensor.name);
      if (view) {
        view->name = name;
        parts.tensors.push_back(*view);
      } else {
        parts.unreadable.push_back({name, std::move(view).error()});
      }
    }
  }
  return parsed;
}

/// Every tensor must be in the shard that the index says. `names` are the files' names, sorted.
inline result<void> check_index(const safetensors_index& index, const std::vector<std::string>& names,
                                const std::vector<safetensors_file>& files) {
  for (const auto& [tensor, name] : index.weight_map) {
    const auto at = std::lower_bound(names.begin(), names.end(), name) - names.begin();
    const safetensors_file& file = files[static_cast<std::size_t>(at)];
    if (file.find(tensor) == nullptr) {
      return fail(errc::format,
                  concat(file.path(), ": lacks the tensor ", in_quotes(tensor), " that the index says it has."));
    }
  }
  return {};
}

inline result<void> map_files(const std::vector<std::string>& paths, checkpoint::parts& parts) {
  if (paths.size() > max_safetensors_files) {
    return fail(errc::unsupported, concat(parts.path, ": consists of ", paths.size(), " files; at most ",
                                          max_safetensors_files, " are read."));
  }
  for (const std::string& path : paths) {
    result<mapped_file> mapped = mapped_file::open(path);
    if (!mapped) return unexpected<error>(std::move(mapped).error());
    parts.files.push_back(std::move(*mapped));
  }
  return {};
}

inline result<checkpoint> open_shards(checkpoint::parts parts) {
  result<safetensors_index> index = read_index(parts.path);
  if (!index) return unexpected<error>(std::move(index).error());
  std::vector<std::string> names, paths;
  for (const auto& [tensor, name] : index->weight_map) names.push_back(name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  for (const std::string& name : names) paths.push_back(sibling(parts.path, name));
  if (const auto mapped = map_files(paths, parts); !mapped) return unexpected<error>(mapped.error());
  const result<std::vector<safetensors_file>> files = parse_all(parts);
  if (!files) return unexpected<error>(files.error());
  if (const auto agree = check_index(*index, names, *files); !agree) return unexpected<error>(agree.error());
  return checkpoint::from(std::move(parts));
}

}  // namespace detail

/// `path` is a .safetensors file or a model.safetensors.index.json. The config.json in the same folder is read too.
/// errc::io, errc::format, or errc::unsupported, naming the file.
inline result<checkpoint> open_safetensors(std::string path) {
  checkpoint::parts parts;
  parts.kind = checkpoint::container::safetensors;
  parts.path = std::move(path);
  const auto config = detail::read_config(detail::sibling(parts.path, "config.json"), parts);
  if (!config) return unexpected<error>(config.error());
  if (parts.path.ends_with(".json")) return detail::open_shards(std::move(parts));
  if (const auto mapped = detail::map_files({parts.path}, parts); !mapped) return unexpected<error>(mapped.error());
  const result<std::vector<safetensors_file>> files = detail::parse_all(parts);
  if (!files) return unexpected<error>(files.error());
  return checkpoint::from(std::move(parts));
}

}  // namespace inlay
