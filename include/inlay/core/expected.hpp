// SPDX-License-Identifier: Apache-2.0
// expected<T, E>: a value or the reason there is none. std::expected where the standard library has it; otherwise
// the part of its interface the library uses. Neither throws here: reading the wrong alternative is a contract error.
#pragma once

#include <version>

#include "inlay/config/macros.hpp"

#if defined(__cpp_lib_expected) && __cpp_lib_expected >= 202202L

#include <expected>
namespace inlay {
template <class T, class E>
using expected = std::expected<T, E>;
template <class E>
using unexpected = std::unexpected<E>;
}  // namespace inlay

#else

#include <type_traits>
#include <utility>
#include <variant>

namespace inlay {

template <class E>
class unexpected {
 public:
  constexpr explicit unexpected(E reason) : reason_(std::move(reason)) {}
  constexpr const E& error() const& noexcept { return reason_; }
  constexpr E&& error() && noexcept { return std::move(reason_); }

 private:
  E reason_;
};
template <class E>
unexpected(E) -> unexpected<E>;

template <class T, class E>
class [[nodiscard]] expected {
 public:
  using value_type = T;
  using error_type = E;

  constexpr expected()
    requires std::is_default_constructible_v<T>
      : either_(std::in_place_index<0>) {}
  template <class U = T>
    requires(std::is_constructible_v<T, U> && !std::is_same_v<std::remove_cvref_t<U>, expected> &&
             !std::is_same_v<std::remove_cvref_t<U>, unexpected<E> >)
  constexpr expected(U&& value) : either_(std::in_place_index<0>, std::forward<U>(value)) {}
  template <class G>
  constexpr expected(unexpected<G> reason) : either_(std::in_place_index<1>, std::move(reason).error()) {}

  constexpr bool has_value() const noexcept { return either_.index() == 0; }
  constexpr explicit operator bool() const noexcept { return has_value(); }

  constexpr T& operator*() & noexcept { return get(*this); }
  constexpr const T& operator*() const& noexcept { return get(*this); }
  constexpr T&& operator*() && noexcept { return std::move(get(*this)); }
  constexpr T* operator->() noexcept { return &get(*this); }
  constexpr const T* operator->() const noexcept { return &get(*this); }

  constexpr E& error() & noexcept { return reason(*this); }
  constexpr const E& error() const& noexcept { return reason(*this); }
  constexpr E&& error() && noexcept { return std::move(reason(*this)); }

 private:
  template <class Self>
  static constexpr auto& get(Self& self) noexcept {
    INLAY_ASSERT(self.has_value());
    return *std::get_if<0>(&self.either_);
  }
  template <class Self>
  static constexpr auto& reason(Self& self) noexcept {
    INLAY_ASSERT(!self.has_value());
    return *std::get_if<1>(&self.either_);
  }
  std::variant<T, E> either_;
};

template <class E>
class [[nodiscard]] expected<void, E> {
 public:
  using value_type = void;
  using error_type = E;

  constexpr expected() = default;
  template <class G>
  constexpr expected(unexpected<G> reason) : either_(std::in_place_index<1>, std::move(reason).error()) {}

  constexpr bool has_value() const noexcept { return either_.index() == 0; }
  constexpr explicit operator bool() const noexcept { return has_value(); }
  constexpr const E& error() const& noexcept {
    INLAY_ASSERT(!has_value());
    return *std::get_if<1>(&either_);
  }
  constexpr E&& error() && noexcept {
    INLAY_ASSERT(!has_value());
    return std::move(*std::get_if<1>(&either_));
  }

 private:
  std::variant<std::monostate, E> either_;
};

}  // namespace inlay

#endif
