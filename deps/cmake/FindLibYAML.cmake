# LibYAML::LibYAML, from the library's pkg-config file.
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBYAML QUIET IMPORTED_TARGET yaml-0.1)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibYAML REQUIRED_VARS LIBYAML_LINK_LIBRARIES VERSION_VAR LIBYAML_VERSION)
if(LibYAML_FOUND AND NOT TARGET LibYAML::LibYAML)
  add_library(LibYAML::LibYAML ALIAS PkgConfig::LIBYAML)
endif()
