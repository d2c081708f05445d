// SPDX-License-Identifier: Apache-2.0
// The names of types, for messages.
#pragma once

#include <cstddef>
#include <string_view>

namespace inlay {

namespace detail {

template <class T>
constexpr std::string_view signature_with() noexcept {
#if defined(_MSC_VER) && !defined(__clang__)
  return __FUNCSIG__;
#else
  return __PRETTY_FUNCTION__;
#endif
}

}  // namespace detail

/// The name of a class without its namespaces; of a template's instance, with its arguments as the compiler writes
/// them.
template <class T>
constexpr std::string_view type_name() noexcept {
  // What stands around the type is the same for every type.
  constexpr std::string_view sample = detail::signature_with<void>();
  constexpr std::size_t before = sample.find("void");
  constexpr std::size_t after = sample.size() - before - std::string_view("void").size();
  std::string_view name = detail::signature_with<T>();
  name.remove_prefix(before);
  name.remove_suffix(after);
  for (const std::string_view key : {"struct ", "class "})
    if (name.starts_with(key)) name.remove_prefix(key.size());
  const std::size_t colon = name.substr(0, name.find('<')).rfind(':');
  return colon == name.npos ? name : name.substr(colon + 1);
}

}  // namespace inlay
