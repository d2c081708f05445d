// SPDX-License-Identifier: Apache-2.0
// A session's way into a saved session and back: what is compared, what is written.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include "inlay/core/buffer.hpp"
#include "inlay/core/checksum.hpp"
#include "inlay/core/error.hpp"
#include "inlay/generate/language_model.hpp"
#include "inlay/generate/lora.hpp"
#include "inlay/generate/saved_session.hpp"
#include "inlay/io/atomic_file.hpp"
#include "inlay/io/untrusted.hpp"
#include "inlay/layers/state.hpp"

namespace inlay::detail {

/// Tells the adapters of a session apart by what they contain and how much of it is used, in any order.
inline void identify_adapters(std::span<const active_adapter> adapters, saved_model& model) {
  for (const active_adapter& a : adapters) {
    checksum sum;
    const std::uint64_t fingerprint = a.adapter.fingerprint();
    sum.add(std::as_bytes(std::span(&fingerprint, 1)));
    sum.add(std::as_bytes(std::span(&a.scale, 1)));
    model.adapters += sum.value();
    model.adapter_paths += concat(model.adapter_paths.empty() ? "" : ", ", a.adapter.path());
  }
}

inline result<void> same_model(const saved_model& saved, const saved_model& here, const saved_session_reader& reader) {
  if (saved.layout != here.layout || saved.vocab != here.vocab)
    return fail(errc::mismatch, reader.says("is of a model with a vocabulary of ", saved.vocab, " and the states ",
                                            in_quotes(saved.layout), "; this one has ", here.vocab, " and ",
                                            in_quotes(here.layout), "."));
  if (saved.fingerprint != here.fingerprint)
    return fail(errc::mismatch, reader.says("is of other weights than this model's."));
  if (saved.cache != here.cache)
    return fail(errc::mismatch, reader.says("has keys and values in ", name(saved.cache), "; this session stores ",
                                            name(here.cache), "."));
  const auto adapters = [](const saved_model& m) {
    return m.adapters == 0 ? std::string("no adapter") : concat("the adapter ", in_quotes(m.adapter_paths));
  };
  if (saved.adapters != here.adapters)
    return fail(errc::mismatch,
                reader.says("was made with ", adapters(saved), "; this session uses ", adapters(here), "."));
  return {};
}

/// Bytes of the states of `position` tokens.
inline std::size_t states_bytes(const language_model& model, const std::byte* state, std::size_t position) {
  std::size_t total = 0;
  model.for_each_state_part(state, position, state_parts::all, [&](std::byte*, std::size_t bytes) { total += bytes; });
  return total;
}

/// A session as it is saved.
class session_saver {
 public:
  session_saver(const language_model& model, saved_session header, const std::byte* state, const float* logits)
      : model_(model),
        header_(std::move(header)),
        state_(state),
        logits_(logits),
        states_bytes_(states_bytes(model, state, header_.history.size())) {
    const auto count = [&](std::span<const std::byte> bytes) -> result<void> {
      bytes_ += bytes.size();
      return {};
    };
    saved_session_writer(count).header(header_, 0);
    if (header_.progress.has_logits) bytes_ += model_.vocab() * sizeof(float);
    bytes_ += sizeof states_bytes_ + states_bytes_ + saved_session_writer::end_bytes;
  }

  result<buffer> save() const {
    auto saved = buffer::allocate(bytes_);
    if (!saved) return saved;
    std::byte* to = saved->data();
    const auto append = [&](std::span<const std::byte> bytes) -> result<void> {
      to = std::copy(bytes.begin(), bytes.end(), to);
      return {};
    };
    if (auto written = write(append, bytes_); !written) return unexpected<error>(std::move(written).error());
    return saved;
  }
  result<void> save_file(std::string path) const {
    auto file = atomic_file::create(std::move(path));
    if (!file) return unexpected<error>(std::move(file).error());
    const auto append = [&](std::span<const std::byte> bytes) { return file->write(bytes); };
    if (auto written = write(append, bytes_); !written) return written;
    return file->commit();
  }

 private:
  result<void> write(saved_session_writer::sink to, std::size_t total) const {
    saved_session_writer w(to);
    w.header(header_, total);
    if (header_.progress.has_logits) w.bytes(std::as_bytes(std::span(logits_, model_.vocab())));
    w.number(states_bytes_);
    model_.for_each_state_part(state_, header_.history.size(), state_parts::all,
                               [&](std::byte* part, std::size_t bytes) { w.bytes({part, bytes}); });
    return w.end();
  }

  const language_model& model_;
  saved_session header_;
  const std::byte* state_;
  const float* logits_;
  std::uint64_t states_bytes_;
  std::size_t bytes_ = 0;
};

/// A saved session that fits.
struct session_to_restore {
  saved_session header;
  std::span<const std::byte> logits;  ///< empty: none
  std::span<const std::byte> states;
};

/// Checks all there is to check. `here` is what the restoring session has, `state` any state of its.
inline result<session_to_restore> read_saved_session(std::span<const std::byte> bytes, std::string path,
                                                     const language_model& model, const saved_model& here,
                                                     std::size_t context, const std::byte* state) {
  auto reader = saved_session_reader::open(bytes, std::move(path));
  if (!reader) return unexpected<error>(std::move(reader).error());
  auto saved = reader->header();
  if (!saved) return unexpected<error>(std::move(saved).error());
  if (auto same = same_model(saved->model, here, *reader); !same) return unexpected<error>(std::move(same).error());
  const std::size_t position = saved->history.size();
  if (position > context)
    return fail(errc::argument,
                reader->says("has ", position, " tokens; the context of this session is ", context, "."));
  if (saved->progress.in_conversation && model.text() == nullptr)
    return fail(errc::mismatch, reader->says("has a conversation, but the model has no tokenizer."));
  const std::span<const std::byte> rest = reader->left();
  const std::size_t logits = saved->progress.has_logits ? model.vocab() * sizeof(float) : 0;
  const std::size_t expected = states_bytes(model, state, position);
  std::uint64_t states = 0;
  if (rest.size() >= logits + sizeof states) std::memcpy(&states, rest.data() + logits, sizeof states);
  if (rest.size() != logits + sizeof states + expected || states != expected)
    return fail(errc::format, reader->says("is damaged: it has not the states of ", position, " tokens."));
  return session_to_restore{*std::move(saved), rest.first(logits), rest.subspan(logits + sizeof states)};
}

}  // namespace inlay::detail
