# SPDX-License-Identifier: Apache-2.0
# How inlay's own tests, examples and benchmarks are built when it is the top-level project.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(INLAY_CCACHE ccache)
  mark_as_advanced(INLAY_CCACHE)
  if(INLAY_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${INLAY_CCACHE}")
  endif()
endif()
