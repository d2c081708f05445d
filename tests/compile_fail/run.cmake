# SPDX-License-Identifier: Apache-2.0
# cmake -DCOMPILER=... -DFLAGS=a;b -DSOURCE=... -DMATCHES=regex;regex -P run.cmake
# SOURCE must not compile, for the reasons MATCHES names, and must compile with INLAY_COMPILE_FAIL_MENDED defined.

set(ENV{LC_ALL} C)
set(command "${COMPILER}" ${FLAGS} -fsyntax-only "${SOURCE}")
execute_process(COMMAND ${command} -DINLAY_COMPILE_FAIL_MENDED RESULT_VARIABLE code ERROR_VARIABLE output OUTPUT_QUIET)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "With the mistake mended it should compile, but:\n${output}")
endif()
execute_process(COMMAND ${command} RESULT_VARIABLE code ERROR_VARIABLE output OUTPUT_QUIET)
if(code EQUAL 0)
  message(FATAL_ERROR "It compiles, and should not.")
endif()
foreach(regex IN LISTS MATCHES)
  if(NOT output MATCHES "${regex}")
    message(FATAL_ERROR "It does not compile, but the compiler does not say '${regex}':\n${output}")
  endif()
endforeach()
