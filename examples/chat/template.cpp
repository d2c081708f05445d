// SPDX-License-Identifier: Apache-2.0
#include "template.hpp"

#include <inlay/text/chat.hpp>
#include <utility>

#if defined(CHAT_JINJA)
#include <fstream>
#include <inlay/text/chat_jinja.hpp>
#include <iterator>

namespace {

inlay::result<std::string> read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return inlay::fail(inlay::errc::io, path + ": cannot be read.");
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

inlay::result<std::vector<inlay::token_id>> set_template(inlay::language_model& model, const std::string& which) {
  if (which == "auto" && (model.chat() != nullptr || model.chat_template().empty())) return {};
  const bool own = which == "auto" || which == "checkpoint";
  if (own && model.chat_template().empty())
    return inlay::fail(inlay::errc::missing, "The checkpoint has no chat template.");
  const auto source = own ? inlay::result<std::string>(model.chat_template()) : read(which);
  if (!source) return inlay::unexpected(source.error());
  auto format = inlay::jinja_format::make(*source, *model.text());
  if (!format) return inlay::unexpected(std::move(format).error());
  const inlay::any_chat_format any = inlay::custom_chat_format(*std::move(format));
  model.set_chat(any);
  return inlay::stop_tokens(any, *model.text());
}

#else

inlay::result<std::vector<inlay::token_id>> set_template(inlay::language_model&, const std::string& which) {
  if (which == "auto") return {};
  return inlay::fail(inlay::errc::unsupported, "This program was built without a Jinja engine (minja).");
}

#endif
