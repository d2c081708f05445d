# SPDX-License-Identifier: Apache-2.0
# cmake -DPACKAGE=<name> -DFOLDER=<where to> [-DINLAY_DEBIAN_SUITE=<suite>] -P unpack_debian_package.cmake
set(INLAY_APT_HOME "${FOLDER}.apt")
include("${CMAKE_CURRENT_LIST_DIR}/debian.cmake")
inlay_debian_unpack(${PACKAGE} "${FOLDER}" done)
file(REMOVE_RECURSE "${INLAY_APT_HOME}")
if(NOT done)
  message(FATAL_ERROR "${PACKAGE} cannot be had")
endif()
