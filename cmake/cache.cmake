# SPDX-License-Identifier: Apache-2.0
# Where downloads are kept between builds, and whether a host answers at all.

include_guard(GLOBAL)

function(_inlay_default_cache out)
  foreach(base IN ITEMS "$ENV{XDG_CACHE_HOME}" "$ENV{HOME}/.cache" "$ENV{LOCALAPPDATA}")
    if(IS_ABSOLUTE "${base}" AND NOT base STREQUAL "/.cache")
      set(${out} "${base}/inlay" PARENT_SCOPE)
      return()
    endif()
  endforeach()
  set(${out} "${CMAKE_BINARY_DIR}/inlay-cache" PARENT_SCOPE)
endfunction()

_inlay_default_cache(_inlay_cache)
set(INLAY_CACHE_DIR "${_inlay_cache}" CACHE PATH "Where inlay keeps what it downloads: headers and models")

# Whether the host of `url` can be reached; asked once a host and configure, so that being offline costs seconds at most.
function(inlay_reachable url out)
  string(REGEX MATCH "^[a-z]+://[^/]+" host "${url}")
  string(MAKE_C_IDENTIFIER "INLAY_REACHABLE_${host}" known)
  get_property(answer GLOBAL PROPERTY ${known})
  if("${answer}" STREQUAL "")
    file(DOWNLOAD "${host}/robots.txt" STATUS status TIMEOUT 6)
    list(GET status 0 code)
    set(answer TRUE)
    if(NOT code EQUAL 0)
      set(answer FALSE)
    endif()
    set_property(GLOBAL PROPERTY ${known} ${answer})
  endif()
  set(${out} ${answer} PARENT_SCOPE)
endfunction()
