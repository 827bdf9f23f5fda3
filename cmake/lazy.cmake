# SPDX-License-Identifier: MIT
# Libraries that are loaded when they are first used, and not linked: docs/decisions/0097. The
# loader would otherwise need eight times as long for the command as for the rest of its start.
set(SEPTET_CAN_LAZY OFF)
if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND CMAKE_READELF AND
   CMAKE_C_COMPILER_ID MATCHES "GNU|Clang" AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|aarch64"
   AND CMAKE_SIZEOF_VOID_P EQUAL 8)
  set(SEPTET_CAN_LAZY ON)
endif()
option(SEPTET_LAZY_COMMAND "the command loads libraries when they are first used"
       ${SEPTET_CAN_LAZY})
option(SEPTET_LAZY_LIBRARY "the shared library loads libraries when they are first used" OFF)

# Those that src/lazy/stubs.c has stubs for, each by the name that it has there.
set(SEPTET_LAZY_LIBRARIES curl cares idn2 z brotlidec zstd jansson crypto ssl gumbo hiredis sqlite3)

# septet_link_lazily(TARGET [DEFINITION...]): adds the stubs, compiled with the definitions, for all
# libraries that were found as shared ones, and links it with the others.
function(septet_link_lazily target)
  set(stubs ${target}_stubs)
  add_library(${stubs} OBJECT ${PROJECT_SOURCE_DIR}/src/lazy/stubs.c)
  septet_target(${stubs})
  target_compile_options(${stubs} PRIVATE $<$<C_COMPILER_ID:GNU>:-fno-lto>)
  target_compile_definitions(${stubs} PRIVATE ${ARGN})
  target_include_directories(${stubs} PRIVATE ${PROJECT_SOURCE_DIR}/src
                             $<TARGET_PROPERTY:septet_dependencies,INTERFACE_INCLUDE_DIRECTORIES>
                             ${SEPTET_SQLITE_INCLUDE_DIRS})
  foreach(name ${SEPTET_DEPENDENCIES})
    foreach(file ${SEPTET_${name}_LINK_LIBRARIES})
      get_filename_component(lib ${file} NAME_WE)
      string(REGEX REPLACE "^(lib|-l)" "" lib ${lib})
      set(soname "")
      if(lib IN_LIST SEPTET_LAZY_LIBRARIES AND EXISTS ${file})
        execute_process(COMMAND ${CMAKE_READELF} -d ${file} OUTPUT_VARIABLE dynamic ERROR_QUIET)
        string(REGEX MATCH "SONAME[^\\[]*\\[([^]]+)\\]" found "${dynamic}")
        set(soname ${CMAKE_MATCH_1})
      endif()
      if(found AND soname)
        target_compile_definitions(${stubs} PRIVATE "SPT_SONAME_${lib}=\"${soname}\"")
        get_filename_component(folder ${file} DIRECTORY)
        if(NOT folder IN_LIST CMAKE_C_IMPLICIT_LINK_DIRECTORIES)
          set_property(TARGET ${target} APPEND PROPERTY BUILD_RPATH ${folder})
        endif()
      else()
        target_link_libraries(${target} PRIVATE ${file})
      endif()
    endforeach()
  endforeach()
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:${stubs}>)
  target_link_libraries(${target} PRIVATE m ${CMAKE_DL_LIBS})
endfunction()
