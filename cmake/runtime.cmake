# SPDX-License-Identifier: Apache-2.0
# inlay::runtime: for programs that would rather link than compile what does not depend on a model's type (kernels, file
# formats, tokenizers, sessions) in each file that loads a model. A target of the project that uses it, compiled there
# with its own flags and only if something links to it; so the package stays headers. It comes with inlay::inlay and
# INLAY_LINKED, which a program wants in all of its files or in none. Part of the installed package as well.

include_guard(GLOBAL)

add_library(inlay_runtime STATIC EXCLUDE_FROM_ALL
  "${CMAKE_CURRENT_LIST_DIR}/runtime/kernels.cpp" "${CMAKE_CURRENT_LIST_DIR}/runtime/models.cpp")
add_library(inlay::runtime ALIAS inlay_runtime)
target_link_libraries(inlay_runtime PUBLIC inlay::inlay)
target_compile_definitions(inlay_runtime PUBLIC INLAY_LINKED)
set_target_properties(inlay_runtime PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
