# SPDX-License-Identifier: Apache-2.0
# inlay_headers(<name> ...) finds the headers of a library and sets INLAY_<NAME>_INCLUDE_DIR, a cache entry that can also
# be given by hand. In order:
#   1. what is installed, when it is new enough;
#   2. what an installed inlay carries along (INLAY_CARRIED_HEADERS);
#   3. where fetch.cmake is included: the pinned version, downloaded once (inlay_fetch_headers).

include_guard(GLOBAL)

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

# inlay_headers(<name>
#   MINIMUM <version>      the oldest version that will do
#   PROBE <file>           a header that shows an include folder to be the right one
#   KEEP <entry>...        what belongs to the library in an include folder
#   [VERSION_IN <file>... VERSION_MACRO <prefix>]   headers that define <prefix>_MAJOR, _MINOR, _PATCH
#   PINNED <version> ARCHIVE <url> SHA256 <hash>
#   DEBIAN <package> [SUITE <name>]   of another suite than INLAY_DEBIAN_SUITE
#   [OPTIONAL])            the variable stays empty, instead of an error, where the headers cannot be had
function(inlay_headers name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "OPTIONAL" "MINIMUM;PROBE;VERSION_MACRO;PINNED;ARCHIVE;SHA256;DEBIAN;SUITE"
    "KEEP;VERSION_IN")
  set(arg_NAME "${name}")
  string(TOUPPER "${name}" upper)
  set(variable INLAY_${upper}_INCLUDE_DIR)

  _inlay_headers_usable("${${variable}}" usable version)
  if(usable)
    return()
  endif()
  if(${variable})
    message(STATUS "inlay: ${variable}=${${variable}} has no ${name} ${arg_MINIMUM} or newer")
  endif()
  unset(${variable} CACHE)

  find_path(found "${arg_PROBE}" NO_CACHE)
  set(origin "installed")
  _inlay_headers_usable("${found}" usable version)
  if(NOT usable AND INLAY_CARRIED_HEADERS)
    set(found "${INLAY_CARRIED_HEADERS}")
    set(origin "carried by inlay")
    _inlay_headers_usable("${found}" usable version)
  endif()
  set(fetched FALSE)
  if(NOT usable AND COMMAND inlay_fetch_headers)
    set(fetched TRUE)
    inlay_fetch_headers(found origin)
    _inlay_headers_usable("${found}" usable version)
    if(version STREQUAL "unknown")
      set(version "${arg_PINNED}")
    endif()
  endif()

  if(NOT usable AND arg_OPTIONAL)
    message(STATUS "inlay: no ${name}; what needs it is left out")
    return()
  endif()
  if(NOT usable)
    string(CONCAT missing "inlay needs the headers of ${name} ${arg_MINIMUM} or newer (${arg_PROBE}), which are not installed. "
      "Install them, or set ${variable} to their include folder.")
    if(NOT INLAY_IN_PACKAGE)
      message(FATAL_ERROR "${missing}")
    endif()
    set(INLAY_HEADERS_MISSING "${missing}" PARENT_SCOPE)
    return()
  endif()
  if(NOT INLAY_IN_PACKAGE)
    message(STATUS "inlay: ${name} ${version} (${origin})")
  endif()
  set(${variable} "${found}" CACHE PATH "Include folder of ${name} ${arg_MINIMUM} or newer")
  set(INLAY_${upper}_FETCHED ${fetched} CACHE INTERNAL "${name} was downloaded, not installed")
  mark_as_advanced(${variable})
endfunction()
