# cmake --install: the compiler, its man page, the header users may want, and a package that gives nncc_add_model().
include(CMakePackageConfigHelpers)
set(NNCC_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/nncc)
add_library(nncc_abi INTERFACE)  # nncc::abi: the include path of nncc.h
target_include_directories(nncc_abi INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set_target_properties(nncc_abi PROPERTIES EXPORT_NAME abi)
install(TARGETS nncc nncc_abi EXPORT nnccTargets RUNTIME)
install(FILES runtime/nncc.h TYPE INCLUDE)
install(FILES docs/nncc.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(EXPORT nnccTargets NAMESPACE nncc:: DESTINATION ${NNCC_PACKAGE_DIR})
configure_package_config_file(cmake/nnccConfig.cmake.in ${CMAKE_BINARY_DIR}/nnccConfig.cmake
    INSTALL_DESTINATION ${NNCC_PACKAGE_DIR})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/nnccConfigVersion.cmake
    COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_BINARY_DIR}/nnccConfig.cmake ${CMAKE_BINARY_DIR}/nnccConfigVersion.cmake
    cmake/NnccAddModel.cmake DESTINATION ${NNCC_PACKAGE_DIR})
