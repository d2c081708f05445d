# SPDX-License-Identifier: Apache-2.0
# cmake -DCOMPILER=... -DFLAGS=... -DSOURCES=a;b -DFOLDER=... -P run_bare.cmake: no build system, the compiler and include paths.

file(MAKE_DIRECTORY "${FOLDER}")
execute_process(COMMAND "${COMPILER}" ${FLAGS} ${SOURCES} -o "${FOLDER}/bare" -pthread COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${FOLDER}/bare" COMMAND_ERROR_IS_FATAL ANY)
