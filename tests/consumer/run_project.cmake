# SPDX-License-Identifier: Apache-2.0
# cmake -DPROJECT=... -DFOLDER=... -DOPTIONS=-Da=b;-Dc=d -P run_project.cmake: configures, builds and runs PROJECT afresh.

file(REMOVE_RECURSE "${FOLDER}")
execute_process(COMMAND "${CMAKE_COMMAND}" -S "${PROJECT}" -B "${FOLDER}" ${OPTIONS} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${CMAKE_COMMAND}" --build "${FOLDER}" COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${FOLDER}/consumer" COMMAND_ERROR_IS_FATAL ANY)
