# LibH2O::LibH2O: libh2o with its own event loop.
# The library's pkg-config file names neither H2O_USE_LIBUV=0 (without it a machine with libuv's headers silently
# compiles against the other ABI) nor the OpenSSL and pthread libraries that its headers need.
# Its internal HTTP/2 header includes one that is not packaged: deps/libh2o has what stands in for it.
find_path(LIBH2O_INCLUDE_DIR h2o.h)
find_library(LIBH2O_LIBRARY h2o-evloop)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibH2O REQUIRED_VARS LIBH2O_LIBRARY LIBH2O_INCLUDE_DIR)
if(LibH2O_FOUND AND NOT TARGET LibH2O::LibH2O)
  add_library(LibH2O::LibH2O UNKNOWN IMPORTED)
  set_target_properties(LibH2O::LibH2O PROPERTIES
    IMPORTED_LOCATION "${LIBH2O_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${LIBH2O_INCLUDE_DIR};${CMAKE_CURRENT_LIST_DIR}/../libh2o"
    INTERFACE_COMPILE_DEFINITIONS "H2O_USE_LIBUV=0"
    INTERFACE_LINK_LIBRARIES "OpenSSL::SSL;OpenSSL::Crypto;Threads::Threads")
endif()
mark_as_advanced(LIBH2O_INCLUDE_DIR LIBH2O_LIBRARY)
