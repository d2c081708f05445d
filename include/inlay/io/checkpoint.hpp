// SPDX-License-Identifier: Apache-2.0
// A checkpoint as loaders see it, whatever container it came in. How one is opened is in open_checkpoint.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/error.hpp"
#include "inlay/io/gguf_file.hpp"
#include "inlay/io/mapped_file.hpp"
#include "inlay/io/sorted_index.hpp"
#include "inlay/io/tensor_view.hpp"
#include "inlay/io/untrusted.hpp"

namespace inlay {

/// A tensor that is in the file but whose storage type or rank the library does not read.
struct unreadable_tensor {
  std::string_view name;
  error why;
};

/// One model's tensors, in one file or several, and what the files say about the model. Move-only; views stay valid
/// when it is moved, and end with it.
class checkpoint {
 public:
  enum class container : unsigned char { gguf, safetensors };

  /// Everything a checkpoint is made of; the views refer to the other members.
  struct parts {
    container kind{};
    std::string path;
    std::vector<mapped_file> files;
    std::vector<std::string> names;  ///< of tensors, where they do not lie in the file as they are
    std::vector<tensor_view> tensors;
    std::vector<unreadable_tensor> unreadable;
    std::optional<gguf_file> metadata;
    std::string config;
    std::string config_path;
  };

  /// errc::format where two tensors have the same name.
  static result<checkpoint> from(parts from) {
    checkpoint made;
    made.parts_ = std::move(from);
    const std::size_t twice = made.index_.build(made.parts_.tensors, &tensor_view::name);
    if (twice != detail::sorted_index::none) {
      const tensor_view& tensor = made.parts_.tensors[twice];
      return fail(errc::format, concat(tensor.file, ": has the tensor ", detail::in_quotes(tensor.name), " again."));
    }
    return made;
  }

  checkpoint() = default;
  checkpoint(checkpoint&&) noexcept = default;
  checkpoint& operator=(checkpoint&&) noexcept = default;

  container kind() const { return parts_.kind; }
  /// What was opened: a file or a folder.
  const std::string& path() const { return parts_.path; }
  std::span<const mapped_file> files() const { return parts_.files; }
  /// Bytes of all files together.
  std::uint64_t file_bytes() const {
    std::uint64_t total = 0;
    for (const mapped_file& file : parts_.files) total += file.bytes().size();
    return total;
  }

  /// All tensors that can be read, in file order.
  std::span<const tensor_view> tensors() const { return parts_.tensors; }
  /// The others: a model that needs one of them cannot be loaded.
  std::span<const unreadable_tensor> unreadable() const { return parts_.unreadable; }

  /// Null where there is no such tensor that can be read; O(log n).
  const tensor_view* find(std::string_view name) const {
    const std::size_t at = index_.find(parts_.tensors, name, &tensor_view::name);
    return at == detail::sorted_index::none ? nullptr : &parts_.tensors[at];
  }
  /// As find, with the reason: errc::missing, or errc::unsupported where it is there but cannot be read.
  result<const tensor_view*> get(std::string_view name) const {
    if (const tensor_view* found = find(name)) return found;
    for (const unreadable_tensor& tensor : parts_.unreadable) {
      if (tensor.name == name) return unexpected<error>(tensor.why);
    }
    return fail(errc::missing, concat(parts_.path, ": has no tensor ", detail::in_quotes(name), "."));
  }

  /// Metadata of a GGUF (of the first file, where it is split); null for other containers.
  const gguf_file* gguf() const { return parts_.metadata ? &*parts_.metadata : nullptr; }
  /// Text of the config.json beside safetensors; empty where there is none. parse_config() in config_json.hpp reads it.
  std::string_view config() const { return parts_.config; }
  /// Its path, for messages.
  const std::string& config_path() const { return parts_.config_path; }

  /// Gives the memory of a tensor's pages back to the system, once it has been copied or repacked. It can still be
  /// read.
  void release(const tensor_view& tensor) const {
    for (const mapped_file& file : parts_.files) file.release(tensor.data);
  }
  /// The same of all that is in memory of the files.
  void release() const {
    for (const mapped_file& file : parts_.files) file.release(file.bytes());
  }
  /// Where `part` of a tensor can be read, if it is one: see mapped_file.
  const std::byte* fetch(std::span<const std::byte> part, std::byte* room) const {
    for (const mapped_file& file : parts_.files)
      if (file.contains(part)) return file.fetch(part, room);
    return part.data();
  }
  /// Hints that all tensors will be read in file order.
  void will_read_in_order() const {
    for (const mapped_file& file : parts_.files) file.advise(file.bytes(), mapped_file::access::sequential);
  }

 private:
  parts parts_;
  detail::sorted_index index_;
};

/// Opens a GGUF file (of a split one, the first), a safetensors file, an index of safetensors shards, or a folder that
/// holds one of these (safetensors first). Files are told apart by their bytes, not by their names. The message of an
/// error names the file; errc::argument where a folder leaves a choice.
///
/// Defined in io/open_checkpoint.hpp, which costs seconds to compile (JSON). A template so that one file of a program
/// can include that and the others this one: the first then says
///   template inlay::result<inlay::checkpoint> inlay::open_checkpoint<>(std::string);
template <class = void>
result<checkpoint> open_checkpoint(std::string path);

}  // namespace inlay
