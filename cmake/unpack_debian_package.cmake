# SPDX-License-Identifier: Apache-2.0
# cmake -DPACKAGE=<name> -DFOLDER=<where to> -P unpack_debian_package.cmake
include("${CMAKE_CURRENT_LIST_DIR}/debian.cmake")
inlay_debian_unpack(${PACKAGE} "${FOLDER}" done)
if(NOT done)
  message(FATAL_ERROR "${PACKAGE} cannot be had")
endif()
