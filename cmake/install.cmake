# SPDX-License-Identifier: Apache-2.0
# find_package(inlay): the headers, the targets inlay::inlay and inlay::runtime, and those dependency headers that the
# machine does not have installed (they were downloaded, so the package carries them; INLAY_INSTALL_DEPENDENCIES=OFF
# leaves them out).

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
option(INLAY_INSTALL_DEPENDENCIES "Install downloaded dependency headers beside inlay's own" ON)

set(_inlay_package "${CMAKE_INSTALL_DATADIR}/cmake/inlay")
set(INLAY_CARRIED_INSTALL_DIR "${CMAKE_INSTALL_DATADIR}/inlay/dependencies")
foreach(_name HIGHWAY NLOHMANN_JSON CTRE)
  if(INLAY_${_name}_FETCHED AND INLAY_INSTALL_DEPENDENCIES)
    install(DIRECTORY "${INLAY_${_name}_INCLUDE_DIR}/" DESTINATION "${INLAY_CARRIED_INSTALL_DIR}/include")
    string(TOLOWER "${_name}" _folder)
    file(GLOB _licences "${INLAY_${_name}_INCLUDE_DIR}/../LICEN*" "${INLAY_${_name}_INCLUDE_DIR}/../copyright")
    install(FILES ${_licences} DESTINATION "${INLAY_CARRIED_INSTALL_DIR}/licences/${_folder}")
  endif()
endforeach()

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.hpp")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATADIR}/inlay")
install(TARGETS inlay EXPORT inlay)
install(EXPORT inlay NAMESPACE inlay:: FILE inlayTargets.cmake DESTINATION "${_inlay_package}")

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/inlayConfig.cmake.in" "${PROJECT_BINARY_DIR}/inlayConfig.cmake"
  INSTALL_DESTINATION "${_inlay_package}" PATH_VARS INLAY_CARRIED_INSTALL_DIR)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/inlayConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/inlayConfig.cmake" "${PROJECT_BINARY_DIR}/inlayConfigVersion.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/dependencies.cmake" "${CMAKE_CURRENT_LIST_DIR}/headers.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/runtime.cmake"
  DESTINATION "${_inlay_package}")
install(DIRECTORY "${CMAKE_CURRENT_LIST_DIR}/runtime" DESTINATION "${_inlay_package}")
