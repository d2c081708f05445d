// SPDX-License-Identifier: Apache-2.0
// Owns an object whose type is complete only where it is made; what deletes it is kept beside the pointer. So a class
// with a cheap header needs no destructor or constructor defined elsewhere: of one that is marked INLAY_DEFINITION
// clang emits only the variant for base classes, and no other translation unit could call it.
#pragma once

#include <memory>
#include <utility>

namespace inlay {

template <class T>
using opaque_ptr = std::unique_ptr<T, void (*)(T*)>;

/// Where T is complete.
template <class T>
opaque_ptr<T> make_opaque(std::unique_ptr<T> object) {
  return {object.release(), [](T* p) { delete p; }};
}
template <class T, class... Arguments>
opaque_ptr<T> make_opaque(Arguments&&... arguments) {
  return make_opaque(std::make_unique<T>(std::forward<Arguments>(arguments)...));
}

}  // namespace inlay
