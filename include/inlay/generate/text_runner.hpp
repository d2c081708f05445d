// SPDX-License-Identifier: Apache-2.0
// Running an encoder on texts: tokens, batches, memory and threads. What embedders and classifiers have in common.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "inlay/core/buffer.hpp"
#include "inlay/core/error.hpp"
#include "inlay/core/thread_pool.hpp"
#include "inlay/generate/encode_texts.hpp"
#include "inlay/generate/encoder_model_parts.hpp"

namespace inlay {

namespace detail {

class text_runner {
 public:
  text_runner(const encoder_model& model, encoder_options options)
      : model_(model), options_(options), pool_(options.threads == 0 ? default_threads() : options.threads) {
    const std::size_t longest = model_.facts().max_tokens;
    if (options_.max_tokens == 0 || options_.max_tokens > longest) options_.max_tokens = longest;
    options_.batch = std::max(options_.batch, options_.max_tokens);
    auto scratch = buffer::allocate(model_.scratch_bytes(options_.batch));
    if (scratch)
      scratch_ = *std::move(scratch);
    else
      failure_ = std::move(scratch).error();
  }

  const encoder_model& model() const { return model_; }

  /// Tokens of a text with what the model wants around it, cut to max_tokens.
  result<encoded_text> encode(std::string_view text) const {
    if (model_.text() == nullptr) return unexpected<error>(model_.text_error());
    const tokenizer& t = *model_.text();
    encoded_text out;
    out.tokens.assign(t.prefix().begin(), t.prefix().end());
    t.encode(text, out.tokens);
    out.tokens.resize(
        std::min(out.tokens.size(), options_.max_tokens - std::min(t.suffix().size(), options_.max_tokens)));
    out.tokens.insert(out.tokens.end(), t.suffix().begin(), t.suffix().end());
    return out;
  }

  /// Both, each with what ends a text; the longer one is cut first.
  result<encoded_text> encode(const text_pair& texts) const {
    if (model_.text() == nullptr) return unexpected<error>(model_.text_error());
    const tokenizer& t = *model_.text();
    std::vector<token_id> first = t.encode(texts.first);
    std::vector<token_id> second = t.encode(texts.second);
    const std::size_t around = t.prefix().size() + 2 * t.suffix().size();
    const std::size_t room = options_.max_tokens - std::min(around, options_.max_tokens);
    if (first.size() + second.size() > room) {
      auto& shorter = first.size() <= second.size() ? first : second;
      auto& longer = first.size() <= second.size() ? second : first;
      shorter.resize(std::min(shorter.size(), room / 2));
      longer.resize(room - shorter.size());
    }
    encoded_text out;
    const auto add = [&](std::span<const token_id> some, std::int32_t type) {
      out.tokens.insert(out.tokens.end(), some.begin(), some.end());
      out.types.resize(out.tokens.size(), type);
    };
    const auto last = static_cast<std::int32_t>(model_.facts().token_types > 1);
    add(t.prefix(), 0);
    add(first, 0);
    add(t.suffix(), 0);
    add(second, last);
    add(t.suffix(), last);
    return out;
  }

  template <class Text>
  result<float_rows> run_texts(std::span<const Text> texts) {
    std::vector<encoded_text> encoded;
    encoded.reserve(texts.size());
    for (const Text& text : texts) {
      auto one = encode(text);
      if (!one) return unexpected<error>(std::move(one).error());
      encoded.push_back(*std::move(one));
    }
    return run(encoded);
  }

  /// errc::argument for a text without tokens, with too many, or with some that the model does not have.
  result<float_rows> run(std::span<const encoded_text> texts) {
    if (failure_) return unexpected<error>(*failure_);
    if (model_.facts().per_token)
      return fail(errc::unsupported, "The model type answers for every token, not for a text as a whole.");
    for (std::size_t i = 0; i < texts.size(); ++i)
      if (auto ok = check(texts[i], i); !ok) return unexpected<error>(ok.error());
    float_rows out(texts.size(), model_.facts().outputs);
    for (std::size_t begin = 0; begin < texts.size();) {
      std::size_t end = begin;
      for (std::size_t rows = 0; end < texts.size(); ++end) {
        rows += texts[end].tokens.size();
        if (rows > options_.batch) break;
      }
      forward(texts.subspan(begin, end - begin), out[begin].data());
      begin = end;
    }
    return out;
  }

 private:
  result<void> check(const encoded_text& text, std::size_t number) const {
    const encoder_facts& facts = model_.facts();
    if (text.tokens.empty() || text.tokens.size() > facts.max_tokens)
      return fail(errc::argument, concat("Text ", number, " has ", text.tokens.size(), " tokens; the model takes 1 to ",
                                         facts.max_tokens, "."));
    if (!text.types.empty() && text.types.size() != text.tokens.size())
      return fail(errc::argument, concat("Text ", number, " has ", text.tokens.size(), " tokens, but ",
                                         text.types.size(), " token types."));
    const auto within = [](std::int32_t value, std::size_t count) {
      return value >= 0 && static_cast<std::size_t>(value) < count;
    };
    for (const token_id id : text.tokens)
      if (!within(id, facts.vocab))
        return fail(errc::argument, concat("Token ", id, " of text ", number, " is not in the vocabulary of ",
                                           facts.vocab, " tokens."));
    for (const std::int32_t type : text.types)
      if (!within(type, facts.token_types))
        return fail(errc::argument, concat("Token type ", type, " of text ", number, " is not one of the model's ",
                                           facts.token_types, "."));
    return {};
  }

  void forward(std::span<const encoded_text> texts, float* out) {
    tokens_.clear();
    types_.clear();
    sequences_.clear();
    for (const encoded_text& text : texts) {
      sequences_.push_back({nullptr, tokens_.size(), text.tokens.size(), 0, text.tokens.size()});
      tokens_.insert(tokens_.end(), text.tokens.begin(), text.tokens.end());
      types_.insert(types_.end(), text.types.begin(), text.types.end());
      types_.resize(tokens_.size(), 0);
    }
    arena work(scratch_.data(), scratch_.size());
    model_.forward({tokens_, types_, sequences_, out}, {work, pool_});
  }

  const encoder_model& model_;
  encoder_options options_;
  thread_pool pool_;
  buffer scratch_;
  std::optional<error> failure_;
  std::vector<token_id> tokens_;
  std::vector<std::int32_t> types_;
  std::vector<sequence_rows> sequences_;
};

}  // namespace detail
}  // namespace inlay
