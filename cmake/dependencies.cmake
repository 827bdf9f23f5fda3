# SPDX-License-Identifier: MIT
# What Septet is made of, as pkg-config names it. An installed package reads this file too.
# SQLite stands near the head: at the start it searches 1,600 names, which it has itself
# (docs/decisions/0087).
set(SEPTET_DEPENDENCIES LUA SQLITE UV CURL CARES IDN2 CODINGS JANSSON CRYPTO GUMBO HIREDIS)
set(SEPTET_LUA_NEEDS "lua5.4>=5.4.4")
set(SEPTET_UV_NEEDS "libuv>=1.44")
set(SEPTET_CURL_NEEDS "libcurl>=7.88")
set(SEPTET_CARES_NEEDS "libcares>=1.18")
set(SEPTET_IDN2_NEEDS "libidn2>=2.3")
set(SEPTET_CODINGS_NEEDS "zlib>=1.2.13" "libbrotlidec>=1.0.9" "libzstd>=1.5")
set(SEPTET_JANSSON_NEEDS "jansson>=2.14")
set(SEPTET_CRYPTO_NEEDS "libcrypto>=3.0" "libssl>=3.0")
set(SEPTET_GUMBO_NEEDS "gumbo>=0.10.1")
set(SEPTET_SQLITE_NEEDS "sqlite3>=3.40")
set(SEPTET_HIREDIS_NEEDS "hiredis>=0.14")

# septet_keep_options(NAME): empties the options that pkg-config names besides folders, but for Lua,
# whose header the embedder includes. hiredis names _FILE_OFFSET_BITS, which its headers do not read
# and which renames the functions of the C library in what includes them.
function(septet_keep_options name)
  if(NOT name STREQUAL "LUA" AND TARGET PkgConfig::SEPTET_${name})
    set_target_properties(PkgConfig::SEPTET_${name} PROPERTIES
      INTERFACE_COMPILE_OPTIONS "" INTERFACE_COMPILE_DEFINITIONS "")
  endif()
endfunction()
