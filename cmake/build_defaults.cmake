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

# Presets cannot ask how much a machine can do at once, and without a number make does one thing at a time. So the
# presets build the target `parallel`, which calls this build again with as many jobs as there are processors and memory.
include(ProcessorCount)
ProcessorCount(_inlay_processors)
cmake_host_system_information(RESULT _inlay_jobs QUERY TOTAL_PHYSICAL_MEMORY)
math(EXPR _inlay_jobs "${_inlay_jobs} / 2500")  # MiB; what the largest translation units take
if(_inlay_processors LESS _inlay_jobs)
  set(_inlay_jobs ${_inlay_processors})
endif()
if(_inlay_jobs LESS 1)
  set(_inlay_jobs 1)
endif()
set(INLAY_BUILD_JOBS ${_inlay_jobs} CACHE STRING "Jobs of the builds that presets start")
set(INLAY_PARALLEL_BUILD "${CMAKE_COMMAND}" --build "${CMAKE_BINARY_DIR}" --parallel ${INLAY_BUILD_JOBS})
add_custom_target(parallel COMMAND ${INLAY_PARALLEL_BUILD} USES_TERMINAL VERBATIM)
