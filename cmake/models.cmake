# SPDX-License-Identifier: Apache-2.0
# Published models that programs and tests run on; get_model.py lists them and says where they come from.

include_guard(GLOBAL)
find_package(Python3 COMPONENTS Interpreter)

set(INLAY_MODELS_DIR "${INLAY_CACHE_DIR}/models")
set(INLAY_GET_MODEL "${Python3_EXECUTABLE}" "${CMAKE_CURRENT_LIST_DIR}/get_model.py" --cache "${INLAY_CACHE_DIR}" --cmake "${CMAKE_COMMAND}")

# Where the file of a model is once it has been got.
function(inlay_model_path name out)
  execute_process(COMMAND ${INLAY_GET_MODEL} ${name} --where OUTPUT_VARIABLE path OUTPUT_STRIP_TRAILING_WHITESPACE
                  COMMAND_ERROR_IS_FATAL ANY)
  set(${out} "${path}" PARENT_SCOPE)
endfunction()
