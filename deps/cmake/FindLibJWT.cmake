# LibJWT::LibJWT, from the library's pkg-config file.
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBJWT QUIET IMPORTED_TARGET libjwt)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibJWT REQUIRED_VARS LIBJWT_LINK_LIBRARIES VERSION_VAR LIBJWT_VERSION)
if(LibJWT_FOUND AND NOT TARGET LibJWT::LibJWT)
  add_library(LibJWT::LibJWT ALIAS PkgConfig::LIBJWT)
endif()
