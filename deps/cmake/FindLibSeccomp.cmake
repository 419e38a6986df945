# LibSeccomp::LibSeccomp, from the library's pkg-config file.
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBSECCOMP QUIET IMPORTED_TARGET libseccomp)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibSeccomp REQUIRED_VARS LIBSECCOMP_LINK_LIBRARIES VERSION_VAR LIBSECCOMP_VERSION)
if(LibSeccomp_FOUND AND NOT TARGET LibSeccomp::LibSeccomp)
  add_library(LibSeccomp::LibSeccomp ALIAS PkgConfig::LIBSECCOMP)
endif()
