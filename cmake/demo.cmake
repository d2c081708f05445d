# SPDX-License-Identifier: Apache-2.0
# The target `demo`: gets a small model (once), asks it a question and shows how fast it answers.

include(models)
set(INLAY_DEMO_MODEL "smollm2-135m-instruct" CACHE STRING "The model of the demo, a name get_model.py knows")
set(INLAY_DEMO_QUESTION "Why is the sky blue?" CACHE STRING "What the demo asks")

if(NOT TARGET example_chat OR NOT PROJECT_IS_TOP_LEVEL)
  return()
endif()
if(NOT Python3_Interpreter_FOUND)
  add_custom_target(demo COMMAND "${CMAKE_COMMAND}" -E echo "The demo needs python3 to download its model." COMMAND "${CMAKE_COMMAND}" -E false)
  return()
endif()

inlay_model_path(${INLAY_DEMO_MODEL} _inlay_demo_file)
get_target_property(_inlay_chat_folder example_chat BINARY_DIR)
add_custom_target(demo
  COMMAND ${INLAY_PARALLEL_BUILD} --target example_chat
  COMMAND ${INLAY_GET_MODEL} ${INLAY_DEMO_MODEL}
  COMMAND "${CMAKE_COMMAND}" -E echo "> ${INLAY_DEMO_QUESTION}"
  COMMAND "${_inlay_chat_folder}/chat${CMAKE_EXECUTABLE_SUFFIX}" "${_inlay_demo_file}" --prompt "${INLAY_DEMO_QUESTION}"
          --temperature 0 --repeat-penalty 1.1 --max-tokens 200 --stats
  USES_TERMINAL VERBATIM)
