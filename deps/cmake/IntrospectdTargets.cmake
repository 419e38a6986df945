# How this project's targets are made: one static library a layer, the warnings and sanitizers that hold for all of them.

set(INTROSPECTD_WARNINGS -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
                         -Wvla -Wformat=2 -Wundef)

function(introspectd_compile_options target)
  target_compile_options(${target} PRIVATE ${INTROSPECTD_WARNINGS} -fno-common -fstack-protector-strong)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE INTROSPECTD_VERSION="${PROJECT_VERSION}")
  if(INTROSPECTD_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${INTROSPECTD_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${INTROSPECTD_SANITIZE})
  endif()
endfunction()

# introspectd_layer(NAME SOURCES file... LINKS target...)
function(introspectd_layer name)
  cmake_parse_arguments(LAYER "" "" "SOURCES;LINKS" ${ARGN})
  add_library(introspectd_${name} STATIC ${LAYER_SOURCES})
  target_include_directories(introspectd_${name} PUBLIC "${PROJECT_SOURCE_DIR}/include")
  target_link_libraries(introspectd_${name} PUBLIC ${LAYER_LINKS})
  introspectd_compile_options(introspectd_${name})
endfunction()

# introspectd_embed(FILE NAME): NAME.c in the binary folder, with the function of NAME.h that gives FILE's text.
function(introspectd_embed file name)
  set(input "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
  set(output "${CMAKE_CURRENT_BINARY_DIR}/${name}.c")
  set(script "${PROJECT_SOURCE_DIR}/deps/cmake/EmbedFile.cmake")
  add_custom_command(OUTPUT "${output}" DEPENDS "${input}" "${script}"
    COMMAND "${CMAKE_COMMAND}" -DINPUT=${input} -DOUTPUT=${output} -DNAME=${name} -P "${script}" VERBATIM)
endfunction()
