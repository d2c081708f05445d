// SPDX-License-Identifier: Apache-2.0
// What convert/convert_checkpoint.hpp declares. Costs seconds to compile (JSON, tokenizers).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "inlay/config/macros.hpp"
#include "inlay/convert/calibration_definitions.hpp"
#include "inlay/convert/convert_checkpoint.hpp"
#include "inlay/convert/importance_definitions.hpp"
#include "inlay/convert/metadata.hpp"
#include "inlay/convert/tensor_plan.hpp"
#include "inlay/convert/tokenizer_to_gguf.hpp"
#include "inlay/convert/tokenizer_to_json.hpp"
#include "inlay/core/thread_pool.hpp"
#include "inlay/generate/check_facts.hpp"
#include "inlay/generate/load_checkpoint_definitions.hpp"
#include "inlay/generate/resolve_weights.hpp"
#include "inlay/io/atomic_file.hpp"
#include "inlay/io/gguf_writer.hpp"
#include "inlay/io/safetensors_writer.hpp"

namespace inlay {

namespace detail {

/// What the rules of a mixture ask about a model, from its facts in the form of GGUF.
inline mix_facts mix_facts_of(const checkpoint_description& description) {
  const auto value = [&](std::string_view key, double otherwise) {
    for (const checkpoint_fact& f : description.facts)
      if (f.gguf == key) return f.value;
    return otherwise;
  };
  const double heads = value("attention.head_count", 1), kv_heads = value("attention.head_count_kv", heads);
  return {.layers = static_cast<std::size_t>(value("block_count", 0)),
          .heads_per_kv_head = static_cast<std::size_t>(kv_heads > 0 ? heads / kv_heads : 1),
          .experts = static_cast<std::size_t>(value("expert_count", 0))};
}
inline mix_facts mix_facts_of(const gguf_file& file) {
  const auto architecture = file.get<std::string_view>("general.architecture");
  const auto value = [&](std::string_view key, std::uint32_t otherwise) {
    const gguf_value* v = architecture ? file.find(concat(*architecture, ".", key)) : nullptr;
    if (v == nullptr) return otherwise;
    if (const auto array = v->as<gguf_array>()) return array->at<std::uint32_t>(0).value_or(otherwise);
    return v->as<std::uint32_t>().value_or(otherwise);
  };
  const std::uint32_t heads = value("attention.head_count", 1), kv_heads = value("attention.head_count_kv", heads);
  return {.layers = value("block_count", 0),
          .heads_per_kv_head = kv_heads > 0 ? heads / kv_heads : 1,
          .experts = value("expert_count", 0)};
}

/// Types of the tensors of a GGUF that is to be written, and their importances.
inline result<void> set_types(std::span<planned_tensor> plan, mix_facts facts, const convert_options& options,
                              std::string_view path) {
  std::vector<tensor_outline> outlines;
  for (const planned_tensor& t : plan)
    outlines.push_back({t.name, t.type, static_cast<unsigned>(t.shape.size()), t.columns});
  facts.importance = options.importance != nullptr;
  if (options.type) {
    const auto types = choose_types(outlines, *options.type, facts, options.pure);
    for (std::size_t i = 0; i < plan.size(); ++i) plan[i].type = types[i];
  }
  for (planned_tensor& t : plan) {
    if (!is_float(t.stored) && t.stored != t.type && !options.requantize)
      return fail(errc::argument,
                  concat(path, ": ", t.name, " is ", name(t.stored), " already; to quantize it to ", name(t.type),
                         " again must be asked for, since it loses more than from the original."));
    const auto* factors = options.importance == nullptr ? nullptr : options.importance->find(t.name);
    if (factors == nullptr || is_float(t.type)) continue;
    if (factors->size() != t.matrices * t.columns)
      return fail(errc::mismatch, concat(path, ": ", t.name, " has ", t.matrices * t.columns,
                                         " columns, but its importances are ", factors->size(), "."));
    t.importance = factors->data();
  }
  return {};
}

/// The plainest file type with the storage type that most of the weights have.
inline file_type file_type_of(std::span<const planned_tensor> plan) {
  std::array<std::size_t, dtype_count> weights{};
  for (const planned_tensor& t : plan) weights[static_cast<std::size_t>(t.type)] += t.matrices * t.rows * t.columns;
  const auto most = static_cast<dtype>(std::max_element(weights.begin(), weights.end()) - weights.begin());
  for (const file_type_entry& e : file_types)
    if (e.most == most) return e.type;
  return file_type::f32;
}

inline void count(const planned_tensor& t, conversion_report& report) {
  ++report.tensors;
  report.bytes += t.bytes();
  ++report.types[static_cast<std::size_t>(t.type)];
}

/// Lists the tensors in `writer`, starts the file and writes them.
template <class Writer>
result<conversion_report> write_plan(const checkpoint& from, Writer& writer, std::span<const planned_tensor> plan,
                                     std::string to, const convert_options& options) {
  conversion_report report;
  for (const planned_tensor& t : plan) {
    if (auto added = writer.add_tensor(t.name, t.type, std::span<const std::uint64_t>(t.shape)); !added)
      return unexpected<error>(added.error());
    count(t, report);
  }
  auto stream = writer.start(std::move(to));
  if (!stream) return unexpected<error>(std::move(stream).error());
  thread_pool pool(options.threads == 0 ? default_threads() : options.threads);
  tensor_plan_writer tensors(from, pool);
  std::size_t done = 0;
  for (const planned_tensor& t : plan) {
    if (auto written = tensors.write(t, *stream); !written) return unexpected<error>(written.error());
    done += t.bytes();
    if (options.progress) options.progress(done, static_cast<std::size_t>(report.bytes));
  }
  if (auto finished = stream->finish(); !finished) return unexpected<error>(finished.error());
  return report;
}

inline planned_tensor constant_tensor(std::string name, std::vector<float> values) {
  return {.name = std::move(name),
          .shape = {values.size()},
          .rows = values.size(),
          .columns = 1,
          .constant = std::move(values)};
}

inline result<void> write_text(const std::string& folder, std::string_view name, std::string_view text) {
  auto file = atomic_file::create((std::filesystem::path(folder) / name).string());
  if (!file) return unexpected<error>(std::move(file).error());
  if (auto written = file->write(std::as_bytes(std::span(text))); !written) return written;
  return file->commit();
}

inline std::string stem_of(const checkpoint& from) {
  const std::filesystem::path path(from.path());
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return path.filename().string();
  return from.kind() == checkpoint::container::gguf ? path.stem().string() : path.parent_path().filename().string();
}

inline result<conversion_report> write_gguf(const checkpoint& from, std::string to, const conversion_request& request,
                                            std::vector<planned_tensor> plan, const convert_options& options) {
  gguf_writer writer;
  std::vector<std::string> notes;
  if (const gguf_file* gguf = from.gguf()) {
    copy_metadata(*gguf, writer);
  } else {
    write_facts(from, request.description, request.slots, request.vocab, writer);
    writer.set("general.type", "model");
    if (const std::string name = stem_of(from); !name.empty()) writer.set("general.name", std::string_view(name));
    if (auto written = write_tokenizer(from, request.vocab, writer, notes); !written)
      return unexpected<error>(written.error());
  }
  for (planned_tensor& t : plan) {
    const tensor_outline outline{t.name, t.stored, static_cast<unsigned>(t.shape.size()), t.columns};
    t.type = is_quantizable(outline) || from.gguf() != nullptr ? t.stored : dtype::f32;
  }
  if (auto chosen = set_types(plan, mix_facts_of(request.description), options, from.path()); !chosen)
    return unexpected<error>(chosen.error());
  if (!request.rope_divisors.empty())
    plan.push_back(constant_tensor("rope_freqs.weight", request.rope_divisors.front()));
  if (request.long_rope_pairs != 0) {
    const auto factors = read_rope_factors(from, request.long_rope_pairs);
    if (!factors) return unexpected<error>(factors.error());
    const auto middle = factors->begin() + static_cast<std::ptrdiff_t>(request.long_rope_pairs);
    plan.push_back(constant_tensor("rope_factors_long.weight", {middle, factors->end()}));
    plan.push_back(constant_tensor("rope_factors_short.weight", {factors->begin(), middle}));
  }
  writer.set("general.quantization_version", std::uint32_t{2});
  const gguf_value* kept = from.gguf() != nullptr ? from.gguf()->find("general.file_type") : nullptr;
  if (kept != nullptr && !options.type)
    writer.set("general.file_type", *kept);
  else
    writer.set("general.file_type", static_cast<std::uint32_t>(options.type.value_or(file_type_of(plan))));
  auto report = write_plan(from, writer, plan, std::move(to), options);
  if (report) report->notes = std::move(notes);
  return report;
}

/// A file of model.safetensors, or where that would be larger than options.shard_bytes, several and their index.
inline result<conversion_report> write_shards(const checkpoint& from, const std::filesystem::path& folder,
                                              std::span<const planned_tensor> plan, const convert_options& options) {
  std::vector<std::size_t> ends;  // of the shards, in the plan
  std::uint64_t total = 0, in_shard = 0;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const std::uint64_t bytes = plan[i].bytes();
    if (options.shard_bytes != 0 && in_shard != 0 && in_shard + bytes > options.shard_bytes) {
      ends.push_back(i);
      in_shard = 0;
    }
    in_shard += bytes;
    total += bytes;
  }
  ends.push_back(plan.size());
  const auto number = [](std::size_t n) {
    const std::string digits = std::to_string(n);
    return std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
  };
  const std::string_view single = "model.safetensors", index_name = "model.safetensors.index.json";
  conversion_report report;
  json index = {{"metadata", {{"total_size", total}}}};
  for (std::size_t s = 0, begin = 0; s < ends.size(); begin = ends[s++]) {
    const std::string name = ends.size() == 1
                                 ? std::string(single)
                                 : concat("model-", number(s + 1), "-of-", number(ends.size()), ".safetensors");
    safetensors_writer writer;
    writer.set("format", "pt");
    const auto progress = [&, before = report.bytes](std::size_t done, std::size_t) {
      options.progress(static_cast<std::size_t>(before) + done, static_cast<std::size_t>(total));
    };
    convert_options shard_options = options;
    if (options.progress) shard_options.progress = progress;
    const auto part = plan.subspan(begin, ends[s] - begin);
    const auto written = write_plan(from, writer, part, (folder / name).string(), shard_options);
    if (!written) return unexpected<error>(written.error());
    report.tensors += written->tensors;
    report.bytes += written->bytes;
    for (std::size_t t = 0; t < report.types.size(); ++t) report.types[t] += written->types[t];
    for (const planned_tensor& t : part) index["weight_map"][t.name] = name;
  }
  const bool sharded = ends.size() > 1;
  if (sharded)
    if (auto written = write_text(folder.string(), index_name, index.dump(2) + "\n"); !written)
      return unexpected<error>(written.error());
  std::error_code ignored;  // what an earlier conversion left
  std::filesystem::remove(folder / (sharded ? single : index_name), ignored);
  return report;
}

inline result<conversion_report> write_folder(const checkpoint& from, const std::string& to,
                                              const conversion_request& request, std::vector<planned_tensor> plan,
                                              const convert_options& options) {
  std::optional<dtype> wanted;
  if (options.type) {
    wanted = entry_of(*options.type).most;
    if (!is_float(*wanted))
      return fail(errc::argument,
                  concat(to, ": safetensors hold no ", name(*options.type), " blocks; F32, F16 and BF16 can be had."));
  }
  for (planned_tensor& t : plan) {
    t.type = wanted.value_or(is_float(t.stored) ? t.stored : dtype::f32);
    // What is stored otherwise in the two containers is computed in f32.
    if (!wanted && std::any_of(t.parts.begin(), t.parts.end(),
                               [](const planned_part& p) { return p.source.change != p.place.change; }))
      t.type = dtype::f32;
  }
  std::error_code problem;
  std::filesystem::create_directories(to, problem);
  if (problem) return fail(errc::io, concat(to, ": cannot be made: ", problem.message(), "."));
  std::vector<std::string> notes;
  json config = from.gguf() != nullptr ? config_of(from, request.description, request.slots) : json(nullptr);
  if (from.gguf() != nullptr) {
    if (request.long_rope_pairs != 0) {
      const auto factors = read_rope_factors(from, request.long_rope_pairs);
      if (!factors) return unexpected<error>(factors.error());
      const auto middle = factors->begin() + static_cast<std::ptrdiff_t>(request.long_rope_pairs);
      config["rope_scaling"]["rope_type"] = "longrope";
      config["rope_scaling"]["short_factor"] = std::vector<float>(factors->begin(), middle);
      config["rope_scaling"]["long_factor"] = std::vector<float>(middle, factors->end());
    }
    if (auto written = write_tokenizer_files(*from.gguf(), to, config, notes); !written)
      return unexpected<error>(written.error());
    if (auto written = write_text(to, "config.json", config.dump(2) + "\n"); !written)
      return unexpected<error>(written.error());
  } else {
    for (const char* file : {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
                             "chat_template.jinja", "special_tokens_map.json"}) {
      const std::string text = read_beside(from, file);
      if (text.empty()) continue;
      if (auto written = write_text(to, file, text); !written) return unexpected<error>(written.error());
    }
  }
  auto report = write_shards(from, to, plan, options);
  if (report) report->notes = std::move(notes);
  return report;
}

INLAY_DEFINITION result<conversion_report> convert_checkpoint(const checkpoint& from, std::string to,
                                                              const conversion_request& request,
                                                              const convert_options& options) {
  if (auto same = check_rope_divisors(from, request.rope_divisors); !same) return unexpected<error>(same.error());
  if (auto same = check_facts(from, request.description); !same) return unexpected<error>(same.error());
  weight_resolver resolver(from, request.description, request.slots);
  const auto sources = resolver.resolve();
  if (!sources) return unexpected<error>(sources.error());
  const bool gguf = to.ends_with(".gguf");
  auto plan =
      plan_tensors(from, request, *sources, gguf ? checkpoint::container::gguf : checkpoint::container::safetensors);
  if (!plan) return unexpected<error>(std::move(plan).error());
  from.will_read_in_order();
  auto report = gguf ? write_gguf(from, std::move(to), request, *std::move(plan), options)
                     : write_folder(from, to, request, *std::move(plan), options);
  if (report) report->left_out = resolver.unknown();
  return report;
}

}  // namespace detail

INLAY_DEFINITION result<conversion_report> quantize_gguf(const checkpoint& from, std::string to,
                                                         const convert_options& options) {
  if (from.gguf() == nullptr)
    return fail(errc::argument, concat(from.path(), ": is no GGUF file; its model type must be named to convert it."));
  if (!from.unreadable().empty()) return unexpected<error>(from.unreadable().front().why);
  std::vector<detail::planned_tensor> plan;
  for (const tensor_view& t : from.tensors()) {
    detail::planned_tensor p{.name = std::string(t.name),
                             .shape = {t.shape.begin(), t.shape.begin() + t.rank},
                             .stored = t.type,
                             .type = t.type,
                             .matrices = t.rank > 2 ? static_cast<std::size_t>(t.shape[0]) : 1,
                             .columns = static_cast<std::size_t>(t.columns())};
    p.rows = static_cast<std::size_t>(t.rows()) / p.matrices;
    detail::planned_part part{.rows = p.rows};
    part.source.tensors = {&t};
    part.source.tensor_rows = part.place.tensor_rows = p.rows;
    p.parts.push_back(std::move(part));
    plan.push_back(std::move(p));
  }
  if (auto chosen = detail::set_types(plan, detail::mix_facts_of(*from.gguf()), options, from.path()); !chosen)
    return unexpected<error>(chosen.error());
  gguf_writer writer;
  detail::copy_metadata(*from.gguf(), writer);
  writer.set("general.quantization_version", std::uint32_t{2});
  if (options.type)
    writer.set("general.file_type", static_cast<std::uint32_t>(*options.type));
  else if (const auto* kept = from.gguf()->find("general.file_type"))
    writer.set("general.file_type", *kept);
  from.will_read_in_order();
  return detail::write_plan(from, writer, plan, std::move(to), options);
}

}  // namespace inlay
