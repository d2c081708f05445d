# SPDX-License-Identifier: Apache-2.0
# Options every program of this repository is compiled with, and the functions rooms declare theirs by.

include_guard(GLOBAL)

add_library(inlay_program_options INTERFACE)
target_link_libraries(inlay_program_options INTERFACE inlay::inlay)
if(MSVC)
  target_compile_options(inlay_program_options INTERFACE /W4 /permissive- $<$<BOOL:${INLAY_WARNINGS_AS_ERRORS}>:/WX>)
else()
  target_compile_options(inlay_program_options INTERFACE -Wall -Wextra -Wpedantic
    $<$<BOOL:${INLAY_WARNINGS_AS_ERRORS}>:-Werror>)
endif()
if(INLAY_NO_EXCEPTIONS)
  target_compile_options(inlay_program_options INTERFACE -fno-exceptions -fno-rtti)
  target_compile_definitions(inlay_program_options INTERFACE DOCTEST_CONFIG_NO_EXCEPTIONS_BUT_WITH_ALL_ASSERTS JSON_NOEXCEPTION)
endif()
if(INLAY_SANITIZE)
  target_compile_options(inlay_program_options INTERFACE -fsanitize=${INLAY_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(inlay_program_options INTERFACE -fsanitize=${INLAY_SANITIZE})
endif()

# xsimd is a kernel policy a program opts into, so its headers come with a target of their own.
if(INLAY_BUILD_TESTS OR INLAY_BUILD_BENCH)
  inlay_find_xsimd()
  add_library(inlay_xsimd INTERFACE)
  add_library(inlay::xsimd ALIAS inlay_xsimd)
  target_include_directories(inlay_xsimd SYSTEM INTERFACE "${INLAY_XSIMD_INCLUDE_DIR}")
  target_link_libraries(inlay_xsimd INTERFACE inlay::inlay)
endif()
if(INLAY_BUILD_EXAMPLES)
  inlay_find_cli11()
  add_library(inlay_cli11 INTERFACE)
  add_library(inlay::cli11 ALIAS inlay_cli11)
  target_include_directories(inlay_cli11 SYSTEM INTERFACE "${INLAY_CLI11_INCLUDE_DIR}")
endif()

# inlay_add_rooms(<folder>): every sub-folder of <folder> that has a CMakeLists.txt.
function(inlay_add_rooms folder)
  file(GLOB lists CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*/CMakeLists.txt")
  foreach(list IN LISTS lists)
    get_filename_component(room "${list}" DIRECTORY)
    add_subdirectory("${room}")
  endforeach()
endfunction()

# inlay_program(<target> SOURCES <file>... [OUTPUT <name>] [LIBRARIES <target>...] [DEFINITIONS <def>...] [OPTIONS <flag>...])
function(inlay_program target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "OUTPUT" "SOURCES;LIBRARIES;DEFINITIONS;OPTIONS")
  add_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE inlay_program_options ${arg_LIBRARIES})
  target_compile_definitions(${target} PRIVATE ${arg_DEFINITIONS})
  target_compile_options(${target} PRIVATE ${arg_OPTIONS})
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  if(arg_OUTPUT)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${arg_OUTPUT})
  endif()
endfunction()

# inlay_example(<name> SOURCES ... [LIBRARIES inlay::cli11] ...): target example_<name>, program <name>.
function(inlay_example name)
  inlay_program(example_${name} OUTPUT ${name} ${ARGN})
endfunction()

# inlay_bench(<name> SOURCES ...): target bench_<name>, program bench_<name>.
function(inlay_bench name)
  inlay_program(bench_${name} ${ARGN})
endfunction()
