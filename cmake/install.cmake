# SPDX-License-Identifier: MIT
# What `cmake --install` copies. Nothing that is installed names the prefix or the build folder but
# the .pc files, which name the prefix alone.
include(CMakePackageConfigHelpers)
set(SEPTET_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/septet)

if(SEPTET_CLI)
  install(TARGETS septet_cli COMPONENT command)
  install(FILES docs/man/septet.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT command)
  # Definitions of the API for editors: an addon of lua-language-server.
  install(DIRECTORY ${SEPTET_LIBRARY} DESTINATION ${CMAKE_INSTALL_DATADIR}/septet COMPONENT command)
  install(FILES meta/config.json DESTINATION ${CMAKE_INSTALL_DATADIR}/septet COMPONENT command)
  # The command prints its completions itself, if it runs on this machine.
  set(SEPTET_ZSH_DIR ${CMAKE_INSTALL_DATADIR}/zsh/site-functions CACHE STRING
      "folder for the completions of zsh")
  if(NOT CMAKE_CROSSCOMPILING)
    foreach(shell bash zsh fish)
      install(CODE "
        execute_process(COMMAND \"${CMAKE_COMMAND}\" -E env --unset=SEPTET_LUA_PATH
                                \"$<TARGET_FILE:septet_cli>\" completions ${shell}
                        OUTPUT_FILE \"${PROJECT_BINARY_DIR}/completions.${shell}\"
                        COMMAND_ERROR_IS_FATAL ANY)" COMPONENT command)
    endforeach()
    install(FILES ${PROJECT_BINARY_DIR}/completions.bash RENAME septet COMPONENT command
            DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
    install(FILES ${PROJECT_BINARY_DIR}/completions.zsh RENAME _septet COMPONENT command
            DESTINATION ${SEPTET_ZSH_DIR})
    install(FILES ${PROJECT_BINARY_DIR}/completions.fish RENAME septet.fish COMPONENT command
            DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
  endif()
endif()
if(SEPTET_MODULE)
  install(TARGETS septet_module LIBRARY DESTINATION ${SEPTET_MODULE_DIR} COMPONENT module)
  if(SEPTET_MODULE_LIBRARY STREQUAL "shared" AND NOT IS_ABSOLUTE ${SEPTET_MODULE_DIR} AND
     NOT IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
    file(RELATIVE_PATH up /${SEPTET_MODULE_DIR} /${CMAKE_INSTALL_LIBDIR})
    set_target_properties(septet_module PROPERTIES INSTALL_RPATH "$ORIGIN/${up}")
  endif()
endif()
install(TARGETS septet_shared EXPORT septet-targets
        LIBRARY COMPONENT library NAMELINK_COMPONENT development)
install(TARGETS septet_static EXPORT septet-static-targets ARCHIVE COMPONENT development)
# A compiler would otherwise optimise the archive again for each program, and another version of it
# would refuse to.
if(CMAKE_OBJCOPY AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
  install(CODE "
    set(folder \"${CMAKE_INSTALL_LIBDIR}\")
    if(NOT IS_ABSOLUTE \"\${folder}\")
      string(PREPEND folder \"\${CMAKE_INSTALL_PREFIX}/\")
    endif()
    execute_process(COMMAND \"${CMAKE_OBJCOPY}\" -D --wildcard --remove-section=.gnu.lto_*
                            --strip-symbol=__gnu_lto_v1 \"\$ENV{DESTDIR}\${folder}/libseptet.a\"
                    COMMAND_ERROR_IS_FATAL ANY)" COMPONENT development)
endif()
install(DIRECTORY include/septet DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT library)

# --- find_package(septet CONFIG) ---
foreach(set septet-targets septet-static-targets)
  install(EXPORT ${set} NAMESPACE septet:: DESTINATION ${SEPTET_CMAKE_DIR} COMPONENT development)
endforeach()
configure_package_config_file(cmake/septet-config.cmake.in septet-config.cmake
                              INSTALL_DESTINATION ${SEPTET_CMAKE_DIR})
# Before 1.0 a minor version may break what used the one before.
write_basic_package_version_file(septet-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES cmake/dependencies.cmake ${PROJECT_BINARY_DIR}/septet-config.cmake
              ${PROJECT_BINARY_DIR}/septet-config-version.cmake
        DESTINATION ${SEPTET_CMAKE_DIR} COMPONENT development)

# --- pkg-config ---
# The libraries by name, and not as Requires.private: that would also bring what the static archives
# of the libraries need, which most systems do not have.
set(SEPTET_PC_LIBS "")
foreach(name ${SEPTET_DEPENDENCIES})
  if(NOT name STREQUAL "LUA")
    list(APPEND SEPTET_PC_LIBS ${SEPTET_${name}_LDFLAGS})
  endif()
endforeach()
list(APPEND SEPTET_PC_LIBS -lm)
list(REMOVE_DUPLICATES SEPTET_PC_LIBS)
foreach(folder ${CMAKE_C_IMPLICIT_LINK_DIRECTORIES})
  list(REMOVE_ITEM SEPTET_PC_LIBS -L${folder})
endforeach()
list(JOIN SEPTET_PC_LIBS " " SEPTET_PC_LIBS)
string(REPLACE ">=" " >= " SEPTET_PC_LUA ${SEPTET_LUA_NEEDS})
foreach(folder LIBDIR INCLUDEDIR)
  # Below the prefix, so that pkg-config --define-prefix moves it.
  set(SEPTET_PC_${folder} ${CMAKE_INSTALL_${folder}})
  if(NOT IS_ABSOLUTE ${CMAKE_INSTALL_${folder}})
    set(SEPTET_PC_${folder} "\${prefix}/${CMAKE_INSTALL_${folder}}")
  endif()
endforeach()
foreach(name septet septet-static)
  configure_file(cmake/${name}.pc.in ${name}.pc.at-prefix @ONLY)
  # `cmake --install --prefix` decides where the prefix is.
  install(CODE "
    file(READ \"${PROJECT_BINARY_DIR}/${name}.pc.at-prefix\" text)
    string(REPLACE \"<prefix>\" \"\${CMAKE_INSTALL_PREFIX}\" text \"\${text}\")
    file(WRITE \"${PROJECT_BINARY_DIR}/${name}.pc\" \"\${text}\")" COMPONENT development)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
          COMPONENT development)
endforeach()
