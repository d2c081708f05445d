# SPDX-License-Identifier: Apache-2.0
# The headers inlay builds on: all of them header-only here, none of them linked.
#
# inlay_headers(<name> ...) finds one and sets INLAY_<NAME>_INCLUDE_DIR (a cache entry, so it can also be given by hand):
#   1. what is installed, when it is new enough;
#   2. the pinned upstream archive, checked against its SHA-256;
#   3. on Debian, the pinned suite's -dev package, fetched by the machine's own apt from its own mirror and unpacked.
# Downloads are kept in INLAY_CACHE_DIR, shared by all build folders: a second configure needs no network.

include_guard(GLOBAL)
include("${CMAKE_CURRENT_LIST_DIR}/cache.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/debian.cmake")

# The version the headers below `dir` state, or "unknown".
function(_inlay_headers_version dir out)
  set(${out} "unknown" PARENT_SCOPE)
  foreach(file IN LISTS arg_VERSION_IN)
    if(NOT EXISTS "${dir}/${file}")
      continue()
    endif()
    file(STRINGS "${dir}/${file}" lines REGEX "^#[ \t]*define[ \t]+${arg_VERSION_MACRO}_(MAJOR|MINOR|PATCH)[ \t]+[0-9]+")
    set(version "")
    foreach(part MAJOR MINOR PATCH)
      if("${lines}" MATCHES "${arg_VERSION_MACRO}_${part}[ \t]+([0-9]+)")
        list(APPEND version ${CMAKE_MATCH_1})
      endif()
    endforeach()
    if(version)
      list(JOIN version "." version)
      set(${out} "${version}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

# Whether the headers below `dir` are there and new enough. A library that does not state its version is taken as it is.
function(_inlay_headers_usable dir out version_out)
  set(${out} FALSE PARENT_SCOPE)
  set(${version_out} "" PARENT_SCOPE)
  if(NOT dir OR NOT EXISTS "${dir}/${arg_PROBE}")
    return()
  endif()
  _inlay_headers_version("${dir}" version)
  set(${version_out} "${version}" PARENT_SCOPE)
  if(version STREQUAL "unknown" OR version VERSION_GREATER_EQUAL arg_MINIMUM)
    set(${out} TRUE PARENT_SCOPE)
  endif()
endfunction()

# Moves the include folder found anywhere below `tree`, with the licence texts, to <target>/include and <target>/.
function(_inlay_headers_adopt tree target out)
  set(${out} FALSE PARENT_SCOPE)
  get_filename_component(file "${arg_PROBE}" NAME)
  file(GLOB_RECURSE probes LIST_DIRECTORIES false RELATIVE "${tree}" "${tree}/${file}")
  foreach(probe IN LISTS probes)
    if(NOT "/${probe}" MATCHES "/${arg_PROBE}$" OR "/${probe}" MATCHES "/(single_include|examples|tests?)/")
      continue()
    endif()
    string(REGEX REPLACE "/?${arg_PROBE}$" "" root "${tree}/${probe}")
    file(REMOVE_RECURSE "${target}.partial")
    foreach(entry IN LISTS arg_KEEP)
      if(EXISTS "${root}/${entry}")
        file(COPY "${root}/${entry}" DESTINATION "${target}.partial/include")
      endif()
    endforeach()
    file(GLOB licences "${tree}/*/LICEN[SC]E*" "${tree}/*/COPYING*" "${tree}/usr/share/doc/*/copyright")
    foreach(licence IN LISTS licences)
      file(COPY "${licence}" DESTINATION "${target}.partial")
    endforeach()
    file(REMOVE_RECURSE "${target}")
    file(RENAME "${target}.partial" "${target}")
    set(${out} TRUE PARENT_SCOPE)
    return()
  endforeach()
endfunction()

function(_inlay_headers_from_archive target out)
  set(${out} FALSE PARENT_SCOPE)
  inlay_reachable("${arg_ARCHIVE}" reachable)
  if(NOT reachable)
    return()
  endif()
  set(scratch "${CMAKE_BINARY_DIR}/inlay-headers/${arg_NAME}")
  file(REMOVE_RECURSE "${scratch}")
  get_filename_component(file "${arg_ARCHIVE}" NAME)
  file(DOWNLOAD "${arg_ARCHIVE}" "${scratch}/${file}" STATUS status TIMEOUT 120 INACTIVITY_TIMEOUT 10)
  list(GET status 0 code)
  if(NOT code EQUAL 0)
    return()
  endif()
  file(SHA256 "${scratch}/${file}" found)
  if(NOT found STREQUAL arg_SHA256)
    message(WARNING "${arg_ARCHIVE} has SHA-256 ${found}, expected ${arg_SHA256}: not used")
    return()
  endif()
  file(ARCHIVE_EXTRACT INPUT "${scratch}/${file}" DESTINATION "${scratch}/tree")
  _inlay_headers_adopt("${scratch}/tree" "${target}" done)
  file(REMOVE_RECURSE "${scratch}")
  set(${out} ${done} PARENT_SCOPE)
endfunction()

function(_inlay_headers_from_debian target out)
  set(${out} FALSE PARENT_SCOPE)
  set(scratch "${CMAKE_BINARY_DIR}/inlay-headers/${arg_NAME}")
  file(REMOVE_RECURSE "${scratch}")
  inlay_debian_unpack(${arg_DEBIAN} "${scratch}/tree" unpacked)
  if(unpacked)
    _inlay_headers_adopt("${scratch}/tree" "${target}" done)
    set(${out} ${done} PARENT_SCOPE)
  endif()
  file(REMOVE_RECURSE "${scratch}")
endfunction()

# inlay_headers(<name>
#   MINIMUM <version>      the oldest version that will do
#   PROBE <file>           a header that shows an include folder to be the right one
#   KEEP <entry>...        what belongs to the library in an include folder
#   [VERSION_IN <file>... VERSION_MACRO <prefix>]   headers that define <prefix>_MAJOR, _MINOR, _PATCH
#   PINNED <version> ARCHIVE <url> SHA256 <hash>
#   DEBIAN <package>)
function(inlay_headers name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "MINIMUM;PROBE;VERSION_MACRO;PINNED;ARCHIVE;SHA256;DEBIAN" "KEEP;VERSION_IN")
  set(arg_NAME "${name}")
  string(TOUPPER "${name}" upper)
  set(variable INLAY_${upper}_INCLUDE_DIR)

  _inlay_headers_usable("${${variable}}" usable version)
  if(usable)
    return()
  endif()
  unset(${variable} CACHE)
  set(kept "${INLAY_CACHE_DIR}/headers/${name}-${arg_PINNED}")

  find_path(_inlay_installed "${arg_PROBE}" NO_CACHE)
  _inlay_headers_usable("${_inlay_installed}" usable version)
  set(fetched FALSE)
  if(usable)
    set(dir "${_inlay_installed}")
    set(route "installed")
  else()
    set(fetched TRUE)
    set(dir "${kept}/include")
    file(LOCK "${INLAY_CACHE_DIR}/lock" GUARD FUNCTION TIMEOUT 600 RESULT_VARIABLE ignored)
    _inlay_headers_usable("${dir}" usable version)
    set(route "cached download")
    if(NOT usable)
      _inlay_headers_from_archive("${kept}" done)
      set(route "upstream archive")
      if(NOT done)
        _inlay_headers_from_debian("${kept}" done)
        set(route "Debian package ${arg_DEBIAN}")
      endif()
      _inlay_headers_usable("${dir}" usable version)
    endif()
  endif()
  if(NOT usable)
    message(FATAL_ERROR
      "inlay needs the headers of ${name} ${arg_MINIMUM} or newer (${arg_PROBE}). They are not installed and could be "
      "downloaded neither from ${arg_ARCHIVE} nor as Debian's ${arg_DEBIAN}. Install them, or set ${variable}.")
  endif()
  if(version STREQUAL "unknown" AND fetched)
    set(version "${arg_PINNED}")
  endif()
  message(STATUS "inlay: ${name} ${version} (${route})")
  set(${variable} "${dir}" CACHE PATH "Include folder of ${name} ${arg_MINIMUM} or newer")
  set(INLAY_${upper}_FETCHED ${fetched} CACHE INTERNAL "${name} was downloaded, not installed")
  mark_as_advanced(${variable})
endfunction()

macro(inlay_find_highway)
  inlay_headers(highway MINIMUM 1.2 PROBE hwy/highway.h KEEP hwy VERSION_IN hwy/base.h VERSION_MACRO HWY
    PINNED 1.2.0 ARCHIVE "https://github.com/google/highway/archive/1.2.0.tar.gz"
    SHA256 7e0be78b8318e8bdbf6fa545d2ecb4c90f947df03f7aadc42c1967f019e63343
    DEBIAN libhwy-dev)
endmacro()

macro(inlay_find_nlohmann_json)
  inlay_headers(nlohmann_json MINIMUM 3.11 PROBE nlohmann/json.hpp KEEP nlohmann
    VERSION_IN nlohmann/detail/abi_macros.hpp nlohmann/json.hpp VERSION_MACRO NLOHMANN_JSON_VERSION
    PINNED 3.11.3 ARCHIVE "https://github.com/nlohmann/json/releases/download/v3.11.3/json.tar.xz"
    SHA256 d6c65aca6b1ed68e7a182f4757257b107ae403032760ed6ef121c9d55e81757d
    DEBIAN nlohmann-json3-dev)
endmacro()

macro(inlay_find_ctre)
  inlay_headers(ctre MINIMUM 3.8 PROBE ctre/starts_with_anchor.hpp
    KEEP ctre ctre.hpp ctre-unicode.hpp ctll ctll.hpp unicode-db unicode-db.hpp
    PINNED 3.9.0 ARCHIVE "https://github.com/hanickadot/compile-time-regular-expressions/archive/v3.9.0.tar.gz"
    SHA256 55778712968d4f3ad00e9d20fc4d2149d14d96b4ff3dab086613797cd2ccd2b2
    DEBIAN libctre-dev)
endmacro()

macro(inlay_find_xsimd)
  inlay_headers(xsimd MINIMUM 11.0 PROBE xsimd/xsimd.hpp KEEP xsimd
    VERSION_IN xsimd/config/xsimd_config.hpp VERSION_MACRO XSIMD_VERSION
    PINNED 13.2.0 ARCHIVE "https://github.com/xtensor-stack/xsimd/archive/13.2.0.tar.gz"
    SHA256 edd8cd3d548c185adc70321c53c36df41abe64c1fe2c67bc6d93c3ecda82447a
    DEBIAN libxsimd-dev)
endmacro()

macro(inlay_find_doctest)
  inlay_headers(doctest MINIMUM 2.4.9 PROBE doctest/doctest.h KEEP doctest
    VERSION_IN doctest/doctest.h VERSION_MACRO DOCTEST_VERSION
    PINNED 2.4.11 ARCHIVE "https://github.com/doctest/doctest/archive/refs/tags/v2.4.11.tar.gz"
    SHA256 632ed2c05a7f53fa961381497bf8069093f0d6628c5f26286161fbd32a560186
    DEBIAN doctest-dev)
endmacro()

macro(inlay_find_cli11)
  inlay_headers(cli11 MINIMUM 2.1 PROBE CLI/CLI.hpp KEEP CLI VERSION_IN CLI/Version.hpp CLI/CLI.hpp VERSION_MACRO CLI11_VERSION
    PINNED 2.4.1 ARCHIVE "https://github.com/CLIUtils/CLI11/archive/v2.4.1.tar.gz"
    SHA256 73b7ec52261ce8fe980a29df6b4ceb66243bb0b779451dbd3d014cfec9fdbb58
    DEBIAN libcli11-dev)
endmacro()
